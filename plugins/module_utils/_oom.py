# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OOM kills out of kernel logs: one event for each process that the kernel killed for want of memory.

A kill is several messages: who ran out of memory (B(invoked oom-killer)), which limit was hit, a table of processes,
whom the kernel chose, and
whom it killed. Only the last is always there: the kernel itself drops the others when kills come fast, and people cut
them off. So the message B(Killed process) makes the event, and the others lend it what they know when they belong to
the same kill:
by the victim's number where they name it, by order otherwise, and never the second kill what was said of the first.
"""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils import _cgroup, _container, _userspace_oom
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log import Clock, readable, records
from ansible_collections.lifeline.fleet.plugins.module_utils._units import timestamp

SOURCES = ("/proc/vmstat", "/proc/stat", "/proc/uptime") + _container.SOURCES + _cgroup.SOURCES

# Fixed strings: the lines of a log that have one of them are enough to find every kill and to join what belongs to
# it, but for
# the table of processes (which alone tells uid and oom_score_adj before kernel 5.1).
ANCHORS = (
    "oom-kill",
    "illed process",
    "ill process",
    "as a result of limit of",
    "memory: usage ",
    "memory.oom.group set",
)

# The sources that hold the running kernel's own messages, whose stamps count from this boot.
RUNNING = ("dmesg", "kmsg")
LOGS = ("journal", "kmsg", "dmesg")

DEFAULT_WORKERS = ("(?i)sidekiq", "^ruby")

KEYS = (
    "time",
    "uptime_seconds",
    "killer",
    "pid",
    "name",
    "uid",
    "score",
    "oom_score_adj",
    "total_vm_bytes",
    "anon_rss_bytes",
    "file_rss_bytes",
    "shmem_rss_bytes",
    "pgtables_bytes",
    "invoker",
    "constraint",
    "memcg",
    "task_memcg",
    "unit",
    "limit_bytes",
    "usage_bytes",
    "source",
)

# --- messages ---------------------------------------------------------------------------------------------------------

_KILLED = re.compile(r"(?:OOM k|\bK)illed process (\d{1,10})(?::#?\d{1,10})?(?=[, (\n])")
_KILLED_UID = re.compile(r",? ?UID:? ?(\d{1,10}),? ?")
_SIZED = re.compile(r"\)(?:,? UID:? ?\d{1,10},?)? {0,3}(?:score \d{1,10} |,)? ?(?:total-vm|vsz|vm):")
_SIZES = re.compile(r"\b(total-vm|vsz|vm|anon-rss|file-rss|shmem-rss|pgtables): ?(\d{1,15}) ?kB")
_ADJUSTMENT = re.compile(r"\boom_score_adj:(-?\d{1,4})(?!\d)")
_SCORE = re.compile(r"\) score (\d{1,10})")
_UID = re.compile(r"\bUID:? ?(\d{1,10})\b")
_REST = re.compile(r"oom_reaper:|\bKill process \d|invoked oom-killer|oom-kill:constraint|\[ {0,6}\d{1,10}\.\d{6}\]")
_WHY = re.compile(
    r"((?:Memory cgroup )?out of memory(?: in UB \d{1,10}| \([a-z_]{1,40}\))?"
    r"|No available memory(?: \(MPOL_BIND\)| in cpuset))\s?:\s{0,3}$",
    re.IGNORECASE,
)
_SELECTED = re.compile(
    r"\b[Kk]ill process (?:(\d{1,10})(?::#?\d{1,10})?(?:, UID \d{1,10},)? \(([^\n]{0,64}?)\)"
    r"|([^\n]{1,64}?)\((\d{1,10}):#?\d{1,10}\)),? "
    r"(?:\()?score (-?\d{1,12})"
)
_INVOKED = re.compile(r" invoked oom-killer\b|(?<!invoked )\boom-killer: gfp_mask=")
_SUMMARY = re.compile(r"oom-kill:constraint=(CONSTRAINT_[A-Z_]{1,30})?")
_SUMMARY_END = re.compile(r",task=(.{0,80}),pid=(\d{1,10}),uid=(\d{1,10})(?:\s|$|[\"'`<|\\>])", re.DOTALL)
_SUMMARY_TAIL = re.compile(r",task=.{0,80},pid=\d{1,10},uid=\d{1,10}\s{0,200}$", re.DOTALL)
_TASK_IN = re.compile(r"\bTask in (/[^\n]{0,1000})")
_LIMIT_OF = re.compile(r"killed as a result of limit of (/[^\n]{0,1000})")
_USAGE = re.compile(r"(?<![\w+])memory: usage (\d{1,20})kB, limit (\d{1,20})kB")
_STATS_FOR = re.compile(r"\bMemory cgroup stats for (/[^\n]{0,1000}?)(?::\s|:$)")
_COLUMNS = re.compile(r"\[ {1,4}pid {1,4}\]\s{1,8}(uid\s[^\n]{1,160}name)")
_ROW = re.compile(r"\[\s{0,9}(\d{1,10})\]\s{1,9}(\d{1,10})\s{1,9}(\d{1,10})\s{1,12}(\d{1,15}\s[^\n]{0,200})")
_COMM = re.compile(
    r"\bCPU: \d{1,5} (?:UID: \d{1,10} )?PID: \d{1,10} Comm: (.{1,64}?) (?:Kdump: |Not tainted|Tainted:)"
    r"|\bPid: \d{1,10}, comm: (.{1,40}?) (?:Not tainted|Tainted:)",
    re.DOTALL,
)
_CPUSET = re.compile(r"^(.{1,64}?) cpuset=(\S{1,1000}) mems_allowed=\S", re.DOTALL)
_TRACE = re.compile(
    r"\b(?:oom_kill_process|out_of_memory|dump_header|mem_cgroup_out_of_memory|pagefault_out_of_memory)\b[.+]"
)
_SKIPPED = re.compile(r"OOM victim (\d{1,10}) \(.{0,80}?\) is already exiting", re.DOTALL)
_PATH_END = re.compile(r"[\"'`<|]|\s{2}|\s$|\\n")

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

_CONSTRAINTS = {
    "CONSTRAINT_MEMCG": "memcg",
    "CONSTRAINT_CPUSET": "cpuset",
    "CONSTRAINT_MEMORY_POLICY": "mempolicy",
    "CONSTRAINT_NONE": "system",
}
_UNLIMITED = 1 << 52  # kB; cgroup v1 shows "no limit" as almost 2**63 bytes
_SECONDS_OF_A_KILL = 300  # what a slow console may take for one report
_RECORDS_OF_A_KILL = 60000


class _Invocation:
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
        return not _apart(self.record, record, _SECONDS_OF_A_KILL)


def _apart(one, other, seconds):
    for stamp in ("uptime", "epoch"):
        a, b = getattr(one, stamp), getattr(other, stamp)
        if a is not None and b is not None:
            return abs(a - b) > seconds
    return False


def _path(text):
    """A cgroup's path as far as it goes, or None where a pager cut it."""
    end = _PATH_END.search(text)
    path = text[: end.start()] if end else text
    path = path.rstrip()
    return None if not path or path.endswith(">") else path


def _last(matches):
    found = None
    for match in matches:
        found = match
    return found


def _summary(text, start):
    """What the line C(oom-kill:constraint=...) says. The victim's name may hold anything, so its end is read from
    the right."""
    facts = {
        "constraint": None,
        "memcg": None,
        "task_memcg": None,
        "pid": None,
        "name": None,
        "uid": None,
        "global": False,
    }
    match = _SUMMARY.match(text, start)
    body = text[start : start + 9000]
    facts["constraint"] = match.group(1)
    if facts["constraint"] not in _CONSTRAINTS:
        facts["constraint"] = None
    end = _last(_SUMMARY_END.finditer(body))
    if end is None:
        head, complete = body, False
    else:
        # The name is what follows the first ",task=" after the paths.
        first = body.find(",task=")
        name_end = end.start(2) - len(",pid=")
        facts["name"] = body[first + len(",task=") : name_end]
        facts["pid"], facts["uid"] = int(end.group(2)), int(end.group(3))
        head, complete = body[:first], True
    facts["global"] = ",global_oom" in head
    at = head.find(",oom_memcg=")
    task_at = head.find(",task_memcg=", max(at, 0))
    if at >= 0 and (task_at > at):
        facts["memcg"] = head[at + len(",oom_memcg=") : task_at]
    elif at >= 0 and complete:
        facts["memcg"] = _path(head[at + len(",oom_memcg=") :])
    if task_at >= 0:
        task = head[task_at + len(",task_memcg=") :]
        if complete:
            facts["task_memcg"] = task
    return facts


def _name(text):
    return readable(text)


def _killed(text, match, end):
    """The event's own facts out of one C(Killed process) message, or None where it has not the shape of the
    kernel's."""
    facts = {"pid": int(match.group(1))}
    tail = text[match.end() : end]
    uid = _KILLED_UID.match(tail)
    if uid:
        facts["uid"] = int(uid.group(1))
        tail = tail[uid.end() :]
    tail = tail.lstrip(" ,")
    if not tail.startswith("("):
        return None
    cut = _last(_SIZED.finditer(tail, 0, 160))
    if cut is None:
        # Kernels before 2.6.32 tell no sizes: the name ends at the last parenthesis.
        line = tail.split("\n")[0] if ")" in tail.split("\n")[0] else tail
        closing = line.rfind(")", 0, 66)
        if closing < 0:
            # Cut inside the name.
            facts["name"] = None
            facts["cut_name"] = line[1:].rstrip("\r\n >")[:64]
            return facts
        if closing > 66 or len(line[1:closing]) > 60:
            closing = line.find(")")
        facts["name"] = line[1:closing]
        rest = line[closing + 1 :]
        uid = _UID.search(rest)
        if uid and "uid" not in facts:
            facts["uid"] = int(uid.group(1))
        facts["sized"] = bool(rest.strip(" .\t\r\"'`,;|")) and bool(re.match(r",? ?(?:UID|total|vsz)", rest))
        facts["plain_end"] = not rest.strip(" .\t\r\"'`,;|\\n}")
        return facts
    facts["name"] = tail[1 : cut.start()]
    rest = tail[cut.start() + 1 :]
    stop = _REST.search(rest)
    if stop:
        rest = rest[: stop.start()]
    uid = _UID.search(rest)
    if uid:
        facts["uid"] = int(uid.group(1))
    sizes = {}
    for size in _SIZES.finditer(rest):
        sizes.setdefault(size.group(1), int(size.group(2)) * 1024)
    facts["total_vm_bytes"] = sizes.get("total-vm", sizes.get("vsz", sizes.get("vm")))
    facts["anon_rss_bytes"] = sizes.get("anon-rss")
    facts["file_rss_bytes"] = sizes.get("file-rss")
    facts["shmem_rss_bytes"] = sizes.get("shmem-rss")
    facts["pgtables_bytes"] = sizes.get("pgtables")
    adjustment = _ADJUSTMENT.search(rest)
    facts["oom_score_adj"] = int(adjustment.group(1)) if adjustment else None
    if "vm:" in tail[cut.start() : cut.end()] and "total-vm:" not in tail[cut.start() : cut.end()]:
        score = _SCORE.match(tail, cut.start())
        facts["score"] = int(score.group(1)) if score else None
    facts["sized"] = True
    return facts


def _by_kernel(record, start):
    """Why the kernel killed, and whether it was the kernel that says so: judged by what stands in front of the
    message."""
    if record.program is not None:
        return None, False
    before = record.text[:start]
    before = before[before.rfind("\n") + 1 :]
    why = _WHY.search(before[-80:])
    if why:
        front = before[: len(before) - (len(before[-80:]) - why.start())]
        reason = why.group(1).lower()
    else:
        front, reason = before, None
    front = front.strip(" \t>|`*\"'")
    if not front:
        return reason, True
    if (
        re.search(r"[\w)@.-]\[\d{1,10}\]:\s{0,3}$", front)
        or re.search(r"[\w)@.-]\[\d{1,10}\]:\s", front)
        and not re.search(r"\[\s{0,8}\d+\.\d+\]$", front[-40:])
    ):
        return reason, False
    if (
        record.prefixed
        and re.match(r"[\w./@-]{1,64}:$", front)
        and not re.match(r"(?i)(?:kernel|kern|klogd|vmunix|warning|error|err|crit|info):$", front)
    ):
        return reason, False
    return reason, True


def _invoker(text, end):
    """The name in front of C(invoked oom-killer): at most 15 bytes, and whatever else stands there is the log's."""
    before = text[:end]
    if len(before) <= 15 or len(re.sub(r"\\x[0-9a-f]{2}", "x", before)) <= 15:
        return before
    before = before[before.rfind("\n") + 1 :]
    for mark in ("kernel: ", "] ", "; ", "| ", "> "):
        at = before.rfind(mark)
        if at >= 0 and 0 < len(before) - at - len(mark) <= 15:
            return before[at + len(mark) :]
    if len(before) <= 15:
        return before
    return before.split(" ")[-1][-15:] if before.split(" ")[-1] else before[-15:].strip()


class _Joiner:
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
        run = _Invocation(index, record)
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
            run.invoker = _invoker(record.text, match.start())
        if (
            last is not None
            and last.header
            and last.waits
            and not last.selected
            and not last.summary
            and not last.rows
            and not last.system
            and last.usage is None
            and not _apart(last.record, record, 1)
        ):
            last.interrupted = True

    def summary(self, index, record, match):
        facts = _summary(record.text, match.start())
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
            setattr(self.runs[-1], self.open_path, _path(text))
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
        matches = list(_KILLED.finditer(text)) if "illed process " in text else []
        events = [
            (match.start(), "killed", match, matches[number + 1].start() if number + 1 < len(matches) else len(text))
            for number, match in enumerate(matches[:1000])
        ]
        if "ill process " in text:
            events += [(match.start(), "selected", match, None) for match in _SELECTED.finditer(text)]
        if "oom-kill" in text:
            events += [(match.start(), "invoked", match, None) for match in _INVOKED.finditer(text)]
            events += [(match.start(), "summary", match, None) for match in _SUMMARY.finditer(text)]
        for start, kind, match, end in sorted(events, key=lambda event: event[0]):
            if kind == "invoked":
                if believed and _by_kernel_front(record, start):
                    self.invoked(index, record, match)
            elif kind == "summary":
                if believed and _by_kernel(record, start)[1]:
                    self.summary(index, record, match)
                    if self.runs[-1].summary and self.runs[-1].summary["pid"] is None:
                        self.open_summary = [self.runs[-1], text[start:], 0]
            else:
                why, real = _by_kernel(record, start)
                if not real:
                    continue
                if kind == "selected":
                    self.selected(index, record, match, why)
                    continue
                facts = _killed(text, match, end)
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
        elif _SUMMARY_TAIL.search(body) or body.startswith((",", "/")):
            run.summary = _summary(joined, 0)
            self.open_summary = None if run.summary["pid"] is not None else [run, joined, count + 1]
        else:
            self.open_summary = [run, text, count + 1]

    def table_row(self, text):
        run = self.runs[-1]
        if len(run.rows) < 60000 and _ROW.search(text, 0, 200):
            run.rows.append(text)

    def report(self, index, record, text):
        """The messages between the header and the kill."""
        if "Comm: " in text or "comm: " in text:
            match = _COMM.search(text)
            if match:
                run = self.open(index, record)
                if run.comm is None:
                    run.comm = match.group(1) or match.group(2)
        if " cpuset=" in text:
            match = _CPUSET.match(text)
            if match:
                run = self.open(index, record)
                run.comm, run.traced = match.group(1), True
        if ("out_of_memory" in text or "oom_kill_process" in text or "dump_header" in text) and _TRACE.search(text):
            run = self.open(index, record)
            run.traced = True
            run.memcg_traced = run.memcg_traced or "mem_cgroup_out_of_memory" in text
        if "Task in " in text:
            match = _TASK_IN.search(text)
            if match is None and text.rstrip().endswith("Task in"):
                self.open(index, record).traced = True
                self.open_path = "task_memcg"
            if match:
                run = self.open(index, record)
                task, killed, _limit = match.group(1).partition(" killed as a result of limit of ")
                run.task_memcg, run.traced = (task if killed else _path(task.split(" killed as a ")[0])), True
        if "as a result of limit of" in text:
            match = _LIMIT_OF.search(text)
            if match is None and text.rstrip().endswith("limit of"):
                self.open(index, record).memcg_traced = True
                self.open_path = "limit_memcg"
            if match:
                run = self.open(index, record)
                run.limit_memcg, run.traced = _path(match.group(1)), True
                run.memcg_traced = True
        if "memory: usage " in text:
            match = _USAGE.search(text)
            if match:
                run = self.open(index, record)
                run.usage, run.limit = int(match.group(1)) * 1024, int(match.group(2))
                run.limit = None if run.limit >= _UNLIMITED else run.limit * 1024
        if "Memory cgroup stats for " in text:
            match = _STATS_FOR.search(text)
            if match:
                run = self.open(index, record)
                run.memcg_traced = True
                run.stats_memcg = run.stats_memcg or _path(match.group(1))
        if "pid " in text:
            match = _COLUMNS.search(text)
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
            match = _SKIPPED.search(text)
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
            for match in _ROW.finditer(text):
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
                if report.waits and abs(report.index - run.index) < 5000 and not _apart(report.record, record, 60):
                    report.victims, run.victims = run.victims, []
                    break


def _by_kernel_front(record, start):
    """Whether C(invoked oom-killer) is the kernel's: nothing but a name of a process, or a prefix of the log, is in
    front."""
    return not re.search(r"[\w)@.-]\[\d{1,10}\]: ", record.text[max(0, start - 100) : start])


def _row_facts(run, text):
    """oom_score_adj out of the columns of a row."""
    numbers = text.split(None)
    columns = run.columns[2:] if run.columns and run.columns[:2] == ["uid", "tgid"] else None
    if columns and "oom_score_adj" in columns:
        at = columns.index("oom_score_adj")
    elif columns:
        return None
    else:
        leading = 0
        for number in numbers[:9]:
            if not re.match(r"-?\d{1,15}$", number):
                break
            leading += 1
        if leading not in (5, 6, 8):
            return None
        at = leading - 1
    try:
        value = int(numbers[at])
    except (IndexError, ValueError):
        return None
    return value if -1000 <= value <= 1000 else None


def _row_name(run, text):
    columns = run.columns[2:] if run.columns and run.columns[:2] == ["uid", "tgid"] else None
    if not columns:
        return None
    parts = text.split(None, len(columns) - 1)
    return parts[-1].rstrip() if len(parts) == len(columns) else None


def unit_of(cgroup):
    """The systemd unit that a cgroup belongs to: the innermost part of its path that is one."""
    if not cgroup:
        return None
    parts = cgroup.split("/")
    for part in reversed(parts):
        if part.endswith((".service", ".scope", ".socket", ".mount", ".swap")):
            return part
    return next((part for part in reversed(parts) if part.endswith(".slice")), None)


def _event(joiner, run, facts, record, why, source):
    event = dict.fromkeys(KEYS)
    event["killer"] = "kernel"
    event["source"] = source
    stamped = record if record.uptime is not None or record.epoch is not None else run.record
    event["uptime_seconds"] = stamped.uptime
    event["time"] = stamped.epoch
    for key in (
        "pid",
        "name",
        "uid",
        "score",
        "oom_score_adj",
        "total_vm_bytes",
        "anon_rss_bytes",
        "file_rss_bytes",
        "shmem_rss_bytes",
        "pgtables_bytes",
    ):
        event[key] = facts.get(key)
    if event["name"] is None:
        event["name"] = facts.get("cut_name")
    pid = event["pid"]
    # The invoker: from the header, else from the report's line about the running task.
    invoker = run.invoker
    if (
        run.header
        and invoker is not None
        and run.comm
        and invoker != run.comm
        and invoker.endswith(run.comm)
        and not invoker[: len(invoker) - len(run.comm)][-1:].isalnum()
    ):
        invoker = run.comm
    if invoker is None and run.traced and run.comm:
        invoker = run.comm
    event["invoker"] = readable(invoker) if invoker is not None else None
    own = run.summary if run.summary and run.summary["pid"] in (None, pid) else None
    row = joiner.row(run, pid)
    if own and own["pid"] is not None:
        event["uid"] = own["uid"] if event["uid"] is None else event["uid"]
        event["task_memcg"] = own["task_memcg"]
        if facts.get("cut_name") is not None or event["name"] is None:
            event["name"] = own["name"]
    elif own:
        event["task_memcg"] = own["task_memcg"]
    if row:
        event["uid"] = row[0] if event["uid"] is None else event["uid"]
        if event["oom_score_adj"] is None:
            event["oom_score_adj"] = _row_facts(run, row[2])
        if facts.get("cut_name") is not None and not (own and own["name"]):
            event["name"] = _row_name(run, row[2]) or event["name"]
    if run.selected:
        chosen, name, score, selected_why = run.selected
        why = why or selected_why
        # A child that died in its parent's place was not scored itself. A thread stands for its process.
        if chosen == pid or _thread_of(joiner, run, chosen, pid, row):
            event["score"] = score if event["score"] is None else event["score"]
        if chosen == pid and facts.get("cut_name") is not None:
            event["name"] = name
    if event["task_memcg"] is None and run.task_memcg and not run.summary:
        event["task_memcg"] = run.task_memcg
    memcg = (run.summary["memcg"] if run.summary else None) or run.limit_memcg
    event["constraint"] = _constraint(run, why, memcg)
    if event["constraint"] == "memcg":
        event["memcg"] = memcg or run.stats_memcg
        event["limit_bytes"], event["usage_bytes"] = run.limit, run.usage
    if run.group and event["task_memcg"] is None and pid != (run.victims[0][0]["pid"] if run.victims else None):
        # memory.oom.group kills what is in the victim's cgroup or below it; which of these, the log doesn't say.
        event["task_memcg"] = None
    event["name"] = _name(event["name"]) if event["name"] is not None else None
    event["unit"] = unit_of(event["task_memcg"])
    event["_selected"] = run.selected[0] if run.selected else None
    return event


def _thread_of(joiner, run, chosen, pid, row):
    """Whether the process that was chosen is a thread of the one that was killed, as far as the table tells."""
    if row is None:
        return False
    other = joiner.row(run, chosen)
    if other is None:
        return run.columns is not None
    return other[1] == pid and any(
        int(match.group(1)) == chosen and int(match.group(3)) == pid
        for text in run.rows
        for match in _ROW.finditer(text)
    )


def _constraint(run, why, memcg):
    told = run.summary["constraint"] if run.summary else None
    if why and why.startswith("memory cgroup") or memcg or told == "CONSTRAINT_MEMCG":
        return "memcg"
    if told and told != "CONSTRAINT_NONE":
        return _CONSTRAINTS[told]
    if why and "mpol_bind" in why:
        return "mempolicy"
    if why and "cpuset" in why:
        return "cpuset"
    if why or told or (run.summary and run.summary["global"]):
        return "system"
    if run.memcg_traced:
        return "memcg"
    if run.system:
        return "system"
    return "unknown"


def kills(found, source=None):
    """The events and the number of runs that killed nothing, out of one log's records."""
    joiner = _Joiner()
    for index, record in enumerate(found):
        joiner.feed(index, record)
    joiner.adopt()
    events, idle = [], 0
    for run in joiner.runs:
        for facts, record, why in run.victims:
            events.append(_event(joiner, run, facts, record, why, source))
        if run.victims:
            continue
        if run.waits and run.summary and run.summary["pid"] is not None:
            facts = {"pid": run.summary["pid"], "name": run.summary["name"], "uid": run.summary["uid"]}
            events.append(_event(joiner, run, facts, run.record, None, source))
        elif run.waits and run.selected:
            facts = {"pid": run.selected[0], "name": run.selected[1]}
            events.append(_event(joiner, run, facts, run.record, run.selected[3], source))
        elif run.header:
            idle += 1
    return events, idle


# --- the same kill in several logs
# --------------------------------------------------------------------------------------

_SIZE_KEYS = ("total_vm_bytes", "anon_rss_bytes", "file_rss_bytes")


def _same_name(one, other):
    if one is None or other is None or one == other:
        return True

    def plain(name):
        return re.sub(r"\\x[0-9a-f]{2}|[^\x21-\x7e]|\\n", "", name)

    return plain(one) == plain(other)


def _same(one, other, within):
    """Whether two events are the same kill. V(within): both come out of one log, where only equal stamps are the
    same moment."""
    if one["pid"] != other["pid"] or not _same_name(one["name"], other["name"]):
        return False
    sized = True
    for key in _SIZE_KEYS:
        if one[key] is None or other[key] is None:
            sized = False
        elif one[key] != other[key]:
            return False
    if one["uptime_seconds"] is not None and other["uptime_seconds"] is not None:
        if abs(one["uptime_seconds"] - other["uptime_seconds"]) > 0.011:
            return False
        # Two boots may come to the same second of uptime, and not to the same day.
        return one["time"] is None or other["time"] is None or abs(one["time"] - other["time"]) < 86400
    if one["time"] is not None and other["time"] is not None:
        return abs(one["time"] - other["time"]) <= (1 if within else 600 if sized else 3)
    return sized or within


def _merge(known, event):
    """Let V(known) have what only V(event) tells."""
    for key, value in event.items():
        if known.get(key) is None and value is not None:
            known[key] = value
    if known["constraint"] == "unknown":
        for key in ("constraint", "memcg", "limit_bytes", "usage_bytes"):
            known[key] = event[key]


def distinct(logs):
    """Each kill once: V(logs) is a list of lists of events, one list a log. A kill in two logs tells what both know."""
    found, by_pid = [], {}
    for events in logs:
        own, own_by_pid = [], {}
        for event in events:
            alike = own_by_pid.setdefault(event["pid"], [])
            same = next((other for other in alike[-64:] if _same(other, event, True)), None)
            if same is not None:
                _merge(same, event)
            else:
                own.append(event)
                alike.append(event)
        matched = set()
        for event in own:
            known = by_pid.setdefault(event["pid"], [])
            same = next((other for other in known if id(other) not in matched and _same(other, event, False)), None)
            if same is not None:
                _merge(same, event)
                matched.add(id(same))
            else:
                found.append(event)
                known.append(event)
                matched.add(id(event))
    return found


# --- facts
# --------------------------------------------------------------------------------------------------------------


def _first_number(text, key):
    match = re.search(r"^%s (\d{1,19})\b" % key, text or "", re.MULTILINE)
    return int(match.group(1)) if match else None


def boot_and_now(sources):
    """Seconds since 1970 of the boot and of the reading, out of /proc/stat and /proc/uptime; None where they do not
    tell."""
    boot = _first_number(sources.get("/proc/stat"), "btime")
    match = re.match(r"(\d{1,12}\.?\d{0,6})", sources.get("/proc/uptime") or "")
    return boot, (boot + float(match.group(1)) if boot is not None and match else None)


def paths(sources):
    """The further files that V(sources), read from SOURCES, lead to."""
    return _cgroup.paths(sources)


def _kills_since_boot(sources):
    """The kernel's own count. In a container the kernel's is the whole host's, and the control group's is its own."""
    if _container.is_container(sources):
        return _cgroup.oom_kills(sources)
    return _first_number(sources.get("/proc/vmstat"), "oom_kill")


def _searches(patterns):
    found = []
    for pattern in patterns:
        try:
            found.append(re.compile(pattern))
        except re.error as error:
            raise ValueError("%r is no regular expression: %s" % (pattern, error)) from error
    return found


def _hit(patterns, event):
    return any(pattern.search(value) for pattern in patterns for value in (event["name"], event["unit"]) if value)


def parse(
    sources,
    logs=None,
    now=None,
    boot_time=None,
    utc_offset=0,
    since=None,
    max_events=50,
    workers=DEFAULT_WORKERS,
    unread=None,
):
    """The facts C(lifeline_oom).

    V(logs) names the sources that are logs, by default those of C(LOGS) that are there. V(now) and V(boot_time) are
    seconds since 1970, by default what
    /proc/stat and /proc/uptime say; V(utc_offset) is the seconds that local time is ahead of UTC, or a function of a
    local time that gives them.
    V(since) drops what is known to be older. V(unread) says why a log could not be read, by its name. Only
    V(workers) that are no
    regular expressions make this raise ValueError.
    """
    patterns = _searches(workers)
    booted, read_at = boot_and_now(sources)
    boot_time = booted if boot_time is None else boot_time
    now = read_at if now is None else now
    names = [name for name in LOGS if name in sources] if logs is None else list(logs)
    found, others, idle, reports = [], [], [], []
    for name in names:
        text = sources.get(name)
        if text is None:
            continue
        clock = Clock(now, boot_time if name in RUNNING else None, utc_offset)
        messages = records(text, clock)
        events, without = kills(messages, name)
        found.append(events)
        idle.append(without)
        others.append(_userspace_oom.kills(messages, name))
    events = distinct(found)
    other_kills = _userspace_oom.distinct(others)
    if since is not None:
        events = [event for event in events if event["time"] is None or event["time"] >= since]
        other_kills = [event for event in other_kills if event["time"] is None or event["time"] >= since]
    order = sorted(range(len(events)), key=lambda number: _newest_first(events[number], number))
    newest = [events[number] for number in order]
    for event in newest + other_kills:
        event["time"] = timestamp(event["time"])
        event.pop("_selected", None)
    for name in names:
        reports.append({"name": name, "readable": name in sources, "reason": (unread or {}).get(name)})
    for name in sorted(set(unread or ()) - set(names)):
        reports.append({"name": name, "readable": False, "reason": unread[name]})
    limit = max(0, max_events)
    return {
        "events": newest[:limit],
        "other_kills": other_kills[:limit],
        "kills_since_boot": _kills_since_boot(sources),
        "kills_in_log": len(newest),
        "invocations_without_kill": max(idle) if idle else 0,
        "sshd_killed": any((event["name"] or "").startswith("sshd") for event in newest),
        "worker_killed": any(_hit(patterns, event) for event in newest),
        "sources": reports,
    }


def _newest_first(event, number):
    """Newest first; what has no time comes after what has one, by uptime, and then the later in the log first."""
    return (event["time"] is None, -(event["time"] or 0), -(event["uptime_seconds"] or 0), -number)
