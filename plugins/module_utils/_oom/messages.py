# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse single messages of the OOM killer, in the words of every kernel era."""

from __future__ import annotations

import re
from typing import Iterable, Iterator, NamedTuple

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record

KILLED = re.compile(r"(?:OOM k|\bK)illed process (\d{1,10})(?::#?\d{1,10})?(?=[, (\n])")
_KILLED_UID = re.compile(r",? ?UID:? ?(\d{1,10}),? ?")
_SIZED = re.compile(r"\)(?:,? UID:? ?\d{1,10},?)? {0,3}(?:score \d{1,10} |,)? ?(?:total-vm|vsz|vm):")
_SIZES = re.compile(r"\b(total-vm|vsz|vm|anon-rss|file-rss|shmem-rss|pgtables): ?(\d{1,15}) ?kB")
_ADJUSTMENT = re.compile(r"\boom_score_adj:(-?\d{1,4})(?!\d)")
_SCORE = re.compile(r"\) score (\d{1,10})")
_UID = re.compile(r"\bUID:? ?(\d{1,10})\b")
_REST = re.compile(r"oom_reaper:|\bKill process \d|invoked oom-killer|oom-kill:constraint|\[ {0,6}\d{1,10}\.\d{6}\]")
_WHY = re.compile(
    r"((?:Memory cgroup )?out of memory(?: in UB \S{1,40}| \([a-z_]{1,40}\))?"
    r"|No available memory(?: \(MPOL_BIND\)| in cpuset))\s?:\s{0,3}$",
    re.IGNORECASE,
)
SELECTED = re.compile(
    r"\b[Kk]ill process (?:(\d{1,10})(?::#?\d{1,10})?(?:, UID \d{1,10},)? \(([^\n]{0,64}?)\)"
    r"|([^\n]{1,64}?)\((\d{1,10}):#?\d{1,10}\)),? "
    r"(?:\()?score (-?\d{1,12})"
)
INVOKED = re.compile(r" invoked oom-killer\b|(?<!invoked )\boom-killer: gfp_mask=")
SUMMARY = re.compile(r"oom-kill:constraint=(CONSTRAINT_[A-Z_]{1,30})?")
_SUMMARY_END = re.compile(r",task=(.{0,80}),pid=(\d{1,10}),uid=(\d{1,10})(?:\s|$|[\"'`<|\\>])", re.DOTALL)
SUMMARY_TAIL = re.compile(r",task=.{0,80},pid=\d{1,10},uid=\d{1,10}\s{0,200}$", re.DOTALL)
TASK_IN = re.compile(r"\bTask in (/[^\n]{0,1000})")
LIMIT_OF = re.compile(r"killed as a result of limit of (/[^\n]{0,1000})")
USAGE = re.compile(r"(?<![\w+])memory: usage (\d{1,20})kB, limit (\d{1,20})kB")
STATS_FOR = re.compile(r"\bMemory cgroup stats for (/[^\n]{0,1000}?)(?::\s|:$)")
GROUP = re.compile(r"\bTasks in (/[^\n]{1,1000}) are going to be killed")
COLUMNS = re.compile(r"\[ {1,4}pid {1,4}\]\s{1,8}(uid\s[^\n]{1,160}name)")
_ROW = re.compile(r"\[\s{0,9}(\d{1,10})\]\s{1,9}(\d{1,10})\s{1,9}(\d{1,10})\s{1,12}(\d{1,15}\s[^\n]{0,200})")
COMM = re.compile(
    r"\bCPU: \d{1,5} (?:UID: \d{1,10} )?PID: \d{1,10} Comm: (.{1,64}?) (?:Kdump: |Not tainted|Tainted:)"
    r"|\bPid: \d{1,10}, comm: (.{1,40}?) (?:Not tainted|Tainted:)",
    re.DOTALL,
)
CPUSET = re.compile(r"^(.{1,64}?) cpuset=(\S{1,1000}) mems_allowed=\S", re.DOTALL)
TRACE = re.compile(
    r"\b(?:oom_kill_process|out_of_memory|dump_header|mem_cgroup_out_of_memory|pagefault_out_of_memory)\b[.+]"
)
SKIPPED = re.compile(r"OOM victim (\d{1,10}) \(.{0,80}?\) is already exiting", re.DOTALL)
_PATH_END = re.compile(r"[\"'`<|]|\s{2}|\s$|\\n")
_TAG = re.compile(r"[\w)@.-]\[\d{1,10}\]:\s")
_TAG_AT_END = re.compile(r"[\w)@.-]\[\d{1,10}\]:\s{0,3}$")
_UPTIME_AT_END = re.compile(r"\[\s{0,8}\d+\.\d+\]$")
_WORD = re.compile(r"[\w./@-]{1,64}:$")
_KERNELS_WORD = re.compile(r"(?i)(?:kernel|kern|klogd|vmunix|warning|error|err|crit|info):$")
CONSTRAINTS = {
    "CONSTRAINT_MEMCG": "memcg",
    "CONSTRAINT_CPUSET": "cpuset",
    "CONSTRAINT_MEMORY_POLICY": "mempolicy",
    "CONSTRAINT_NONE": "system",
}
# A byte of a name as tools write it, and how many bytes a name may have.
_ESCAPE = re.compile(r"\\x[0-9a-f]{2}")
_NAME_BYTES = 15
# How many characters a name may have: 15 bytes, each written as an escape.
_LONGEST_NAME = 60
# A line is cut at a pager's width with one of these at its end.
_CUT_MARKS = (">", "\u2026", "...")
LONGEST_SUMMARY = 9000
_LONGEST_FRONT = 300
_LONGEST_TAG = 16
_NO_SIZES = " .\t\r\"'`,;|"


class Summary(NamedTuple):
    """The values of a line `oom-kill:constraint=...`; None if the line does not have a value.

    `cut_memcg` and `cut_task_memcg` are beginnings of paths, if the line ends inside them.
    """

    constraint: str | None = None
    memcg: str | None = None
    task_memcg: str | None = None
    whole_system: bool = False
    pid: int | None = None
    name: str | None = None
    uid: int | None = None
    cut_memcg: str | None = None
    cut_task_memcg: str | None = None


class Selected(NamedTuple):
    """The values of a line `Kill process ... score ...`, and why the kernel killed."""

    pid: int
    name: str
    score: int
    why: str | None


class Victim(NamedTuple):
    """The values of a message about a killed process; None if the message does not have a value.

    - `cut_name`: the beginning of the name, if the message ends inside it
    - `sized`: whether the message tells sizes
    - `plain_end`: whether the message ends behind the name, as before kernel 2.6.32
    """

    pid: int
    name: str | None = None
    cut_name: str | None = None
    uid: int | None = None
    score: int | None = None
    oom_score_adj: int | None = None
    total_vm_bytes: int | None = None
    anon_rss_bytes: int | None = None
    file_rss_bytes: int | None = None
    shmem_rss_bytes: int | None = None
    pgtables_bytes: int | None = None
    sized: bool = False
    plain_end: bool = False


class Row(NamedTuple):
    """A row of the table of processes; `rest` has the columns from total_vm on."""

    pid: int
    uid: int
    tgid: int
    rest: str


def cgroup_path(text: str) -> str | None:
    """Return a cgroup's path as far as it goes, or None if a pager cut it."""
    path = _path(text)
    return None if not path or path.endswith(_CUT_MARKS) else path


def cut_path(text: str) -> str | None:
    """Return the beginning of a path that was cut, without the mark of a pager, or None if there is none."""
    path = _path(text).rstrip(".>\u2026")
    return path if path.startswith("/") else None


def _path(text: str) -> str:
    end = _PATH_END.search(text)
    return (text[: end.start()] if end else text).rstrip()


def _last(matches: Iterable[re.Match[str]]) -> re.Match[str] | None:
    found = None
    for match in matches:
        found = match
    return found


def summary(text: str, start: int, end: int | None = None) -> Summary:
    """Parse the line `oom-kill:constraint=...` between two places of a text.

    The victim's name may contain anything, so the line is read from its end.
    """
    match = SUMMARY.match(text, start)
    constraint = match.group(1) if match and match.group(1) in CONSTRAINTS else None
    body = text[start : min(start + LONGEST_SUMMARY, len(text) if end is None else end)]
    tail = _last(_SUMMARY_END.finditer(body))
    if tail is None:
        return _cut_summary(constraint, body)
    # The name is everything behind the first ",task=" after the paths.
    first = body.find(",task=")
    head = body[:first]
    memcg, task_memcg = _cgroups(head)
    return Summary(
        constraint=constraint,
        memcg=None if memcg is None else cgroup_path(memcg),
        task_memcg=task_memcg,
        whole_system=",global_oom" in head,
        pid=int(tail.group(2)),
        name=body[first + len(",task=") : tail.start(2) - len(",pid=")],
        uid=int(tail.group(3)),
    )


def _cut_summary(constraint: str | None, body: str) -> Summary:
    """Parse a line that ends before its end."""
    memcg, task_memcg = _cgroups(body)
    told = Summary(constraint, whole_system=",global_oom" in body)
    if task_memcg is None:
        return told._replace(cut_memcg=None if memcg is None else cut_path(memcg))
    path, ended, _name = task_memcg.partition(",task=")
    if ended:
        return told._replace(memcg=memcg, task_memcg=path)
    return told._replace(memcg=memcg, cut_task_memcg=cut_path(path))


def _cgroups(head: str) -> tuple[str | None, str | None]:
    """Return the cgroup whose limit was hit and the victim's, None for one that is not in the message."""
    _before, told, rest = head.partition(",oom_memcg=")
    memcg, task_told, task_memcg = (rest if told else head).partition(",task_memcg=")
    return memcg if told else None, task_memcg if task_told else None


def killed(text: str, match: re.Match[str], end: int) -> Victim | None:
    """Parse the message `Killed process ...` between a match of `KILLED` and `end`.

    Returns None if it does not have the shape of a kernel's message.
    """
    pid = int(match.group(1))
    tail = text[match.end() : end]
    uid = _KILLED_UID.match(tail)
    if uid:
        tail = tail[uid.end() :]
    tail = tail.lstrip(" ,")
    if not tail.startswith("("):
        return None
    cut = _last(_SIZED.finditer(tail, 0, 160))
    victim = _without_sizes(pid, tail) if cut is None else _with_sizes(pid, tail, cut)
    if uid and victim.uid is None:
        victim = victim._replace(uid=int(uid.group(1)))
    return victim


def _without_sizes(pid: int, tail: str) -> Victim:
    """Parse a message of kernels before 2.6.32, which tell no sizes, or one that ends before the sizes."""
    line = tail.split("\n")[0] if ")" in tail.split("\n")[0] else tail
    closing = line.rfind(")", 0, 66)
    if closing < 0:
        return Victim(pid, cut_name=line[1:].rstrip("\r\n >")[:64])
    if closing - 1 > _LONGEST_NAME:
        closing = line.find(")")
    rest = line[closing + 1 :]
    uid = _UID.search(rest)
    return Victim(
        pid,
        line[1:closing],
        uid=int(uid.group(1)) if uid else None,
        sized=bool(re.match(r",? ?(?:UID|total|vsz)", rest)),
        plain_end=not rest.strip(_NO_SIZES + "\\n}"),
    )


def _with_sizes(pid: int, tail: str, cut: re.Match[str]) -> Victim:
    """Parse a message whose sizes begin at `cut`."""
    rest = tail[cut.start() + 1 :]
    stop = _REST.search(rest)
    if stop:
        rest = rest[: stop.start()]
    uid = _UID.search(rest)
    sizes: dict[str, int] = {}
    for size in _SIZES.finditer(rest):
        sizes.setdefault(size.group(1), int(size.group(2)) * 1024)
    adjustment = _ADJUSTMENT.search(rest)
    # OpenVZ writes `score N vm:`, with the score of the victim itself.
    score = None if "total-vm:" in cut.group() else _SCORE.match(tail, cut.start())
    return Victim(
        pid,
        tail[1 : cut.start()],
        uid=int(uid.group(1)) if uid else None,
        score=int(score.group(1)) if score else None,
        oom_score_adj=int(adjustment.group(1)) if adjustment else None,
        total_vm_bytes=sizes.get("total-vm", sizes.get("vsz", sizes.get("vm"))),
        anon_rss_bytes=sizes.get("anon-rss"),
        file_rss_bytes=sizes.get("file-rss"),
        shmem_rss_bytes=sizes.get("shmem-rss"),
        pgtables_bytes=sizes.get("pgtables"),
        sized=True,
    )


def rows(text: str) -> Iterator[Row]:
    """Yield the rows of the table of processes in a text."""
    for match in _ROW.finditer(text):
        yield Row(int(match.group(1)), int(match.group(2)), int(match.group(3)), match.group(4))


def is_row(text: str) -> bool:
    """Return whether a text begins with a row of the table of processes."""
    return _ROW.search(text, 0, 200) is not None


class Speaker:
    """Return for each message of a record why the kernel killed, and whether the kernel itself says so.

    Text in front of a message, such as a program's tag, shows that a program quotes the kernel.
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        self._line = 0  # where the line of the last message begins
        self._looked = 0  # up to where that line was searched for a tag
        self._tag_end: int | None = None

    def reason(self, start: int) -> tuple[str | None, bool]:
        """Return the reason in front of a message that begins at `start`, and whether the kernel gives it."""
        record, text = self.record, self.record.text
        if record.program is not None:
            return None, False
        tagged = self._is_tagged(start)
        # Users have the kernel quote them: file names, options of mounts. A record's own message is at its beginning.
        front = text[:start] if record.exact else text[max(self._line, start - _LONGEST_FRONT) : start]
        reason = None
        why = _WHY.search(front, max(0, len(front) - 80))
        if why:
            front, reason = front[: why.start()], why.group(1).lower()
        front = front.strip(" \t>|`*\"'")
        if not front or record.exact:
            return reason, not front
        if _TAG_AT_END.search(front[-80:]) or tagged and not _UPTIME_AT_END.search(front[-40:]):
            return reason, False
        told_by_program = record.prefixed and _WORD.match(front) and not _KERNELS_WORD.match(front)
        return reason, not told_by_program

    def _is_tagged(self, start: int) -> bool:
        """Return whether a program's tag stands in front of a place, in its line."""
        text = self.record.text
        line = text.rfind("\n", self._looked, start) + 1
        if line:
            self._line, self._tag_end = line, None
        if self._tag_end is None:
            match = _TAG.search(text, max(self._line, self._looked - _LONGEST_TAG), start)
            self._tag_end = match.end() if match else None
        self._looked = max(self._looked, start)
        return self._tag_end is not None and self._tag_end <= start


def invoker_name(text: str, end: int) -> str:
    """Return the name in front of `invoked oom-killer`, without what the log has in front of the name.

    A name has at most 15 bytes.
    """
    before = text[max(0, end - _LONGEST_FRONT) : end]
    if len(before) <= _NAME_BYTES or len(_ESCAPE.sub("x", before)) <= _NAME_BYTES:
        return before
    before = before[before.rfind("\n") + 1 :]
    for mark in ("kernel: ", "] ", "; ", "| ", "> "):
        at = before.rfind(mark)
        if at >= 0 and 0 < len(before) - at - len(mark) <= 15:
            return before[at + len(mark) :]
    if len(before) <= 15:
        return before
    return before.split(" ")[-1][-15:] if before.split(" ")[-1] else before[-15:].strip()


def invoked_by_kernel(record: Record, start: int) -> bool:
    """Return whether no program's tag is in front of `invoked oom-killer`, and only a name if the record is whole."""
    if record.exact and len(_ESCAPE.sub("x", record.text[:start])) > _NAME_BYTES:
        return False
    return not re.search(r"[\w)@.-]\[\d{1,10}\]: ", record.text[max(0, start - 100) : start])
