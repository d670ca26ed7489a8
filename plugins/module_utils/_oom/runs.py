# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages of one run of the OOM killer, joined."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._oom.messages import (
    COLUMNS,
    COMM,
    CPUSET,
    INVOKED,
    KILLED,
    LIMIT_OF,
    ROW,
    SELECTED,
    SKIPPED,
    STATS_FOR,
    SUMMARY,
    SUMMARY_TAIL,
    TASK_IN,
    TRACE,
    USAGE,
    by_kernel,
    cgroup_path,
    invoked_by_kernel,
    invoker_name,
    killed_facts,
    summary_facts,
)

# A message that can only be part of the report in front of a kill.
_INTERESTING = (
    "oom-kill",
    "illed process",
    "ill process",
    "Task in ",
    "as a result of limit of",
    "memory: usage ",
    "Memory cgroup stats for ",
    "pid ",
    "Comm: ",
    "comm: ",
    " cpuset=",
    "out_of_memory",
    "oom_kill_process",
    "dump_header",
    "Mem-Info",
    "oom.group",
    "is already exiting",
    "killable processes",
    "panic_on_oom",
)
_UNLIMITED = 1 << 52  # kB; cgroup v1 shows "no limit" as almost 2**63 bytes
_SECONDS_OF_A_KILL = 300  # what a slow console may take for one report
_RECORDS_OF_A_KILL = 60000


class Invocation:
    """One run of the OOM killer: what its report says, and whom it killed."""

    __slots__ = (
        "header",
        "invoker",
        "comm",
        "caller",
        "columns",
        "rows",
        "traced",
        "system",
        "memcg_traced",
        "task_memcg",
        "limit_memcg",
        "stats_memcg",
        "usage",
        "limit",
        "summary",
        "selected",
        "group",
        "victims",
        "skipped",
        "index",
        "record",
        "interrupted",
    )

    def __init__(self, index, record):
        self.header = self.traced = self.system = self.memcg_traced = self.group = self.skipped = self.interrupted = (
            False
        )
        self.invoker = self.comm = self.caller = self.columns = self.task_memcg = self.limit_memcg = (
            self.stats_memcg
        ) = None
        self.usage = self.limit = self.summary = self.selected = None
        self.rows, self.victims = [], []
        self.index, self.record = index, record

    @property
    def waits(self):
        return not self.victims and not self.skipped

    def reach(self, index, record):
        """Whether a message may still belong to this run: not too long after it, in records and in seconds."""
        if abs(index - self.index) > _RECORDS_OF_A_KILL:
            return False
        return not apart(self.record, record, _SECONDS_OF_A_KILL)


def apart(one, other, seconds):
    for stamp in ("uptime", "epoch"):
        a, b = getattr(one, stamp), getattr(other, stamp)
        if a is not None and b is not None:
            return abs(a - b) > seconds
    return False


class Joiner:
    """Goes through a log's records in order, and joins what belongs to one kill."""

    def __init__(self):
        self.runs = []
        self.open_summary = None
        self.open_path = None

    def open(self, index, record, new=False):
        """The run that a message of a report belongs to: the latest, unless that has killed already."""
        if self.runs and not new:
            last = self.runs[-1]
            if last.waits and last.selected is None and last.reach(index, record):
                return last
        run = Invocation(index, record)
        run.caller = record.caller
        self.runs.append(run)
        return run

    def waiting(self, index, record):
        found = []
        for run in reversed(self.runs[-8:]):
            if (
                run.waits
                and run.reach(index, record)
                and (run.header or run.summary or run.selected or run.traced or run.limit_memcg or run.rows)
            ):
                found.append(run)
        return found

    # -- each kind of message --

    def invoked(self, index, record, match):
        last = self.runs[-1] if self.runs else None
        run = self.open(index, record, new=True)
        run.header = True
        if match.group().startswith(" "):
            run.invoker = invoker_name(record.text, match.start())
        if (
            last is not None
            and last.header
            and last.waits
            and not last.selected
            and not last.summary
            and not last.rows
            and not last.system
            and last.usage is None
            and not apart(last.record, record, 1)
        ):
            last.interrupted = True

    def summary(self, index, record, match):
        facts = summary_facts(record.text, match.start())
        run = None
        for candidate in self.waiting(index, record):
            if candidate.summary is None and (
                candidate.selected is None or facts["pid"] in (None, candidate.selected[0])
            ):
                run = candidate
                break
        if run is None:
            run = self.open(index, record, new=True)
        run.summary = facts

    def selected(self, index, record, match, why):
        pid = int(match.group(1) or match.group(4))
        name = match.group(2) if match.group(1) else match.group(3)
        waiting = [
            run
            for run in self.waiting(index, record)
            if run.selected is None and (run.summary is None or run.summary["pid"] in (None, pid))
        ]
        run = self.choose(waiting, pid, record) or self.open(index, record, new=True)
        run.selected = (pid, name, int(match.group(5)), why)

    def choose(self, waiting, pid, record):
        """Of several runs that wait for their victim, the one that it belongs to."""
        if not waiting:
            return None
        if len(waiting) > 1:
            same = [run for run in waiting if record.caller and run.caller == record.caller]
            if same:
                return same[0]
            knowing = [run for run in waiting if run.summary and run.summary["pid"] == pid]
            if knowing:
                return knowing[0]
            with_row = [run for run in waiting if self.row(run, pid)]
            if with_row and len(with_row) < len(waiting):
                return with_row[0]
            interrupted = [run for run in waiting if run.interrupted]
            if interrupted:
                return interrupted[-1]
        return waiting[0]

    def killed(self, index, record, facts, why):
        pid = facts["pid"]
        waiting = self.waiting(index, record)
        run = next((one for one in waiting if one.summary and one.summary["pid"] == pid), None)
        run = run or next((one for one in waiting if one.selected and one.selected[0] == pid), None)
        if run is None and self.runs and self.runs[-1].group and self.runs[-1].reach(index, record):
            run = self.runs[-1]
            if any(victim["pid"] == pid for victim, _record, _why in run.victims):
                # The whole group is killed, the first victim once more.
                return
        if run is None:
            # What waits for another victim by its number isn't this one's.
            free = [one for one in waiting if not (one.summary and one.summary["pid"] is not None)]
            run = next((one for one in free if one.selected), None) or self.choose(free, pid, record)
        if run is None:
            run = self.open(index, record, new=True)
        if facts.get("name") is None and run.summary and run.summary["pid"] == pid:
            facts["name"] = run.summary["name"]
        run.victims.append((facts, record, why))

    def feed(self, index, record):
        text = record.text
        if self.open_path is not None and text.startswith("/"):
            # Kernels before 4.20 print "Task in", the path and the rest by themselves: they may come as records of
            # their own.
            setattr(self.runs[-1], self.open_path, cgroup_path(text))
        self.open_path = None
        if not any(word in text for word in _INTERESTING):
            if self.open_summary is not None:
                self.more_summary(index, record)
            elif self.runs and self.runs[-1].waits and "[" in text:
                self.table_row(text)
            return
        if self.open_summary is not None:
            self.more_summary(index, record)
        believed = record.program is None
        if believed:
            self.report(index, record, text)
        matches = list(KILLED.finditer(text)) if "illed process " in text else []
        events = [
            (match.start(), "killed", match, matches[number + 1].start() if number + 1 < len(matches) else len(text))
            for number, match in enumerate(matches[:1000])
        ]
        if "ill process " in text:
            events += [(match.start(), "selected", match, None) for match in SELECTED.finditer(text)]
        if "oom-kill" in text:
            events += [(match.start(), "invoked", match, None) for match in INVOKED.finditer(text)]
            events += [(match.start(), "summary", match, None) for match in SUMMARY.finditer(text)]
        for start, kind, match, end in sorted(events, key=lambda event: event[0]):
            if kind == "invoked":
                if believed and invoked_by_kernel(record, start):
                    self.invoked(index, record, match)
            elif kind == "summary":
                if believed and by_kernel(record, start)[1]:
                    self.summary(index, record, match)
                    if self.runs[-1].summary and self.runs[-1].summary["pid"] is None:
                        self.open_summary = [self.runs[-1], text[start:], 0]
            else:
                why, real = by_kernel(record, start)
                if not real:
                    continue
                if kind == "selected":
                    self.selected(index, record, match, why)
                    continue
                facts = killed_facts(text, match, end)
                if facts is None or not self.plausible(index, record, facts, why):
                    continue
                self.killed(index, record, facts, why)
        if believed and not events:
            self.after(text)

    def plausible(self, index, record, facts, why):
        """Without sizes the words alone are no evidence: a report around them, the kernel's stamp or its reason is."""
        if facts.get("sized") or why or record.uptime is not None:
            return True
        if any(run.selected or run.summary or run.header for run in self.waiting(index, record)):
            return True
        return bool(facts.get("plain_end")) and not record.junk

    def more_summary(self, index, record):
        """The kernel splits a message that is too long for one record: the rest follows, with a prefix of its own."""
        run, text, count = self.open_summary
        body = record.text
        joined = text.rstrip() + body
        if "illed process" in body or "invoked oom-killer" in body or "oom-kill:" in body or count > 3:
            self.open_summary = None
        elif SUMMARY_TAIL.search(body) or body.startswith((",", "/")):
            run.summary = summary_facts(joined, 0)
            self.open_summary = None if run.summary["pid"] is not None else [run, joined, count + 1]
        else:
            self.open_summary = [run, text, count + 1]

    def table_row(self, text):
        run = self.runs[-1]
        if len(run.rows) < 60000 and ROW.search(text, 0, 200):
            run.rows.append(text)

    def report(self, index, record, text):
        """The messages between the header and the kill."""
        if "Comm: " in text or "comm: " in text:
            match = COMM.search(text)
            if match:
                run = self.open(index, record)
                if run.comm is None:
                    run.comm = match.group(1) or match.group(2)
        if " cpuset=" in text:
            match = CPUSET.match(text)
            if match:
                run = self.open(index, record)
                run.comm, run.traced = match.group(1), True
        if ("out_of_memory" in text or "oom_kill_process" in text or "dump_header" in text) and TRACE.search(text):
            run = self.open(index, record)
            run.traced = True
            run.memcg_traced = run.memcg_traced or "mem_cgroup_out_of_memory" in text
        if "Task in " in text:
            match = TASK_IN.search(text)
            if match is None and text.rstrip().endswith("Task in"):
                self.open(index, record).traced = True
                self.open_path = "task_memcg"
            if match:
                run = self.open(index, record)
                task, killed, _limit = match.group(1).partition(" killed as a result of limit of ")
                run.task_memcg, run.traced = (task if killed else cgroup_path(task.split(" killed as a ")[0])), True
        if "as a result of limit of" in text:
            match = LIMIT_OF.search(text)
            if match is None and text.rstrip().endswith("limit of"):
                self.open(index, record).memcg_traced = True
                self.open_path = "limit_memcg"
            if match:
                run = self.open(index, record)
                run.limit_memcg, run.traced = cgroup_path(match.group(1)), True
                run.memcg_traced = True
        if "memory: usage " in text:
            match = USAGE.search(text)
            if match:
                run = self.open(index, record)
                run.usage, run.limit = int(match.group(1)) * 1024, int(match.group(2))
                run.limit = None if run.limit >= _UNLIMITED else run.limit * 1024
        if "Memory cgroup stats for " in text:
            match = STATS_FOR.search(text)
            if match:
                run = self.open(index, record)
                run.memcg_traced = True
                run.stats_memcg = run.stats_memcg or cgroup_path(match.group(1))
        if "pid " in text:
            match = COLUMNS.search(text)
            if match:
                run = self.open(index, record)
                run.columns = match.group(1).split()
                run.traced = True
        if "Mem-Info" in text:
            run = self.runs[-1] if self.runs else None
            if run is not None and run.waits and run.header:
                run.system = True
        if self.runs and self.runs[-1].waits:
            self.table_row(text)

    def after(self, text):
        if "oom.group set" in text and "going to be killed" in text and self.runs:
            self.runs[-1].group = True
        elif "is already exiting" in text:
            match = SKIPPED.search(text)
            if match and self.runs:
                pid = int(match.group(1))
                for run in reversed(self.runs[-8:]):
                    if run.waits and (run.summary is None or run.summary["pid"] in (None, pid)):
                        run.skipped = True
                        break
        elif (
            ("killable processes" in text or "panic_on_oom" in text)
            and self.runs
            and self.runs[-1].waits
            and self.runs[-1].header
        ):
            self.runs[-1].skipped = True

    def row(self, run, pid):
        """The victim's row of the table of processes, as (uid, tgid, numbers and name)."""
        found = None
        for text in run.rows:
            if str(pid) not in text:
                continue
            for match in ROW.finditer(text):
                if int(match.group(1)) == pid:
                    return int(match.group(2)), int(match.group(3)), match.group(4)
                if int(match.group(3)) == pid and found is None:
                    found = int(match.group(2)), int(match.group(3)), match.group(4)
        return found

    def adopt(self):
        """Give kills without a report to reports without a kill that name the same process: messages do come out of
        order."""
        bare = [run for run in self.runs if run.victims and not (run.header or run.summary or run.selected)]
        by_pid = {}
        for run in self.runs:
            if run.waits:
                for pid in {run.summary["pid"] if run.summary else None, run.selected[0] if run.selected else None} - {
                    None
                }:
                    by_pid.setdefault(pid, []).append(run)
        for run in bare:
            facts, record, _why = run.victims[0]
            for report in by_pid.get(facts["pid"], ()):
                if report.waits and abs(report.index - run.index) < 5000 and not apart(report.record, record, 60):
                    report.victims, run.victims = run.victims, []
                    break
