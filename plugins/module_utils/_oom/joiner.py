# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Join the messages of a log, in their order, into runs of the OOM killer."""

from __future__ import annotations

import re
from itertools import islice
from typing import Iterable, Iterator, NamedTuple

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import messages, report
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.messages import (
    GROUP,
    INVOKED,
    KILLED,
    LONGEST_SUMMARY,
    SELECTED,
    SKIPPED,
    SUMMARY,
    SUMMARY_TAIL,
    Selected,
    Victim,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.runs import Killed, Run, Runs, apart, choose

# A record without any of these can only be a row of the table of processes.
_WORDS = (
    "oom-kill",
    "illed process",
    "ill process",
    *report.WORDS,
    "oom.group",
    "is already exiting",
    "killable processes",
    "panic_on_oom",
)
_MOST_MESSAGES = 1000  # of one kind in one record
_MOST_PARTS = 4  # of one summary


class _Message(NamedTuple):
    """A message that was found in a record: where it begins, its kind, and where the next one of its kind begins."""

    start: int
    kind: str
    match: re.Match[str]
    end: int


class _OpenSummary(NamedTuple):
    """A summary that is too long for one record: its run, its text, and how many records were looked at."""

    run: Run
    text: str
    parts: int


class Joiner:
    """Reads the records of a log one by one; `runs` has what they told."""

    def __init__(self) -> None:
        self.runs = Runs()
        self._report = report.Report(self.runs)
        self._open_summary: _OpenSummary | None = None

    def feed(self, index: int, record: Record) -> None:
        """Take one record; `index` counts them."""
        self._report.continue_path(record.text)
        believed = record.program is None
        relevant = any(word in record.text for word in _WORDS)
        if self._open_summary is not None:
            self._continue_summary(self._open_summary, record)
        elif not relevant and believed:
            self._report.table_row(index, record)
        if not relevant:
            return
        if believed:
            self._report.read(index, record)
        found = _messages(record.text)
        speaker = messages.Speaker(record)
        for message in found:
            self._take(index, record, message, speaker)
        if believed and not found:
            self._after(record.text)

    def _take(self, index: int, record: Record, message: _Message, speaker: messages.Speaker) -> None:
        if message.kind == "invoked":
            if record.program is None and messages.invoked_by_kernel(record, message.start):
                self._invoked(index, record, message.match)
            return
        why, real = speaker.reason(message.start)
        if not real:
            return
        if message.kind == "summary":
            self._summary(index, record, message)
        elif message.kind == "selected":
            self._selected(index, record, message.match, why)
        else:
            victim = messages.killed(record.text, message.match, message.end)
            if victim is not None and self._is_plausible(index, record, victim, why):
                self._killed(index, record, victim, why)

    def _invoked(self, index: int, record: Record, match: re.Match[str]) -> None:
        last = self.runs.last
        self.runs.forget_rows()
        run = self.runs.new(index, record)
        run.header = True
        if match.group().startswith(" "):
            run.invoker = messages.invoker_name(record.text, match.start())
        if last is not None and _is_bare_header(last) and not apart(last.record, record, 1):
            last.interrupted = True

    def _summary(self, index: int, record: Record, message: _Message) -> None:
        facts = messages.summary(record.text, message.start, message.end)
        run = next(
            (
                run
                for run in self.runs.waiting(index, record)
                if run.summary is None and (run.selected is None or facts.pid in (None, run.selected.pid))
            ),
            None,
        )
        run = run or self.runs.begin(index, record)
        run.summary = facts
        if facts.pid is None:
            self._open_summary = _OpenSummary(run, record.text[message.start : message.start + LONGEST_SUMMARY], 0)

    def _continue_summary(self, part: _OpenSummary, record: Record) -> None:
        """Take the rest of a summary that the kernel split: it follows as a record with a prefix of its own."""
        body = record.text
        joined = part.text.rstrip() + body[:LONGEST_SUMMARY]
        if part.parts >= _MOST_PARTS or re.search("illed process|invoked oom-killer|oom-kill:", body):
            self._open_summary = None
        elif SUMMARY_TAIL.search(body) or body.startswith((",", "/")):
            facts = part.run.summary = messages.summary(joined, 0)
            self._open_summary = None if facts.pid is not None else _OpenSummary(part.run, joined, part.parts + 1)
        else:
            self._open_summary = part._replace(parts=part.parts + 1)

    def _selected(self, index: int, record: Record, match: re.Match[str], why: str | None) -> None:
        pid = int(match.group(1) or match.group(4))
        name = match.group(2) if match.group(1) else match.group(3)
        waiting = [
            run
            for run in self.runs.waiting(index, record)
            if run.selected is None and (run.summary is None or run.summary.pid in (None, pid))
        ]
        run = choose(waiting, pid, record) or self.runs.begin(index, record)
        run.selected = Selected(pid, name, int(match.group(5)), why)

    def _killed(self, index: int, record: Record, victim: Victim, why: str | None) -> None:
        run = self._run_of(index, record, victim.pid)
        if run is not None and run.group and any(killed.victim.pid == victim.pid for killed in run.victims):
            # The kernel kills the whole group, and the first victim once more.
            return
        if run is None:
            run = self.runs.begin(index, record)
        if victim.name is None and run.summary and run.summary.pid == victim.pid:
            victim = victim._replace(name=run.summary.name)
        run.victims.append(Killed(victim, record, why))

    def _run_of(self, index: int, record: Record, pid: int) -> Run | None:
        """Return the run that killed a process, or None if no report waits for its kill."""
        waiting = self.runs.waiting(index, record)
        naming = [run for run in waiting if run.named_pid == pid]
        naming += [run for run in waiting if run.selected and run.selected.pid == pid]
        if naming:
            return naming[0]
        last = self.runs.last
        if last is not None and last.group and last.reaches(index, record):
            return last
        # A run whose summary names another process waits for that one. Kernel 5.0 may kill its child instead.
        free = [run for run in waiting if run.named_pid is None or run.selected and run is last]
        selecting = [run for run in free if run.selected]
        return selecting[0] if selecting else choose(free, pid, record)

    def _is_plausible(self, index: int, record: Record, victim: Victim, why: str | None) -> bool:
        """Return whether anything but the words shows that it was a kill: sizes, a reason, a stamp, or a report."""
        if victim.sized or why or record.uptime is not None:
            return True
        if any(run.selected or run.summary or run.header for run in self.runs.waiting(index, record)):
            return True
        return victim.plain_end and not record.junk

    def _after(self, text: str) -> None:
        """Take a message that follows a report: the kill of a group, or that there is no kill."""
        last = self.runs.last
        if last is None:
            return
        if "oom.group set" in text and "going to be killed" in text:
            last.group = True
            match = GROUP.search(text)
            last.group_memcg = match.group(1) if match else None
        elif "is already exiting" in text:
            match = SKIPPED.search(text)
            if match:
                self._skip(int(match.group(1)))
        elif ("killable processes" in text or "panic_on_oom" in text) and last.waits and last.header:
            last.skipped = True

    def _skip(self, pid: int) -> None:
        """Mark the run that chose a process which was exiting already."""
        for run in reversed(self.runs.all[-8:]):
            if run.waits and run.named_pid in (None, pid):
                run.skipped = True
                return


def _is_bare_header(run: Run) -> bool:
    """Return whether only the header of a run was read."""
    told = run.selected or run.summary or run.rows or run.system or run.usage is not None
    return run.header and run.waits and not told


def _messages(text: str) -> list[_Message]:
    """Return the messages of a kill in a text, in their order."""
    found: list[_Message] = []
    if "illed process " in text:
        found += _all("killed", KILLED.finditer(text), len(text))
    if "ill process " in text:
        found += _all("selected", SELECTED.finditer(text), len(text))
    if "oom-kill" in text:
        found += _all("invoked", INVOKED.finditer(text), len(text))
        found += _all("summary", SUMMARY.finditer(text), len(text))
    return sorted(found, key=lambda message: message.start)


def _all(kind: str, matches: Iterator[re.Match[str]], end: int) -> list[_Message]:
    found = list(islice(matches, _MOST_MESSAGES + 1))
    ends = [match.start() for match in found[1:]] + [end]
    return [_Message(match.start(), kind, match, end) for match, end in zip(found[:_MOST_MESSAGES], ends)]


def runs(found: Iterable[Record]) -> list[Run]:
    """Return the runs of the OOM killer that the records of a log tell of, in the log's order."""
    joiner = Joiner()
    for index, record in enumerate(found):
        joiner.feed(index, record)
    joiner.runs.adopt()
    return joiner.runs.all
