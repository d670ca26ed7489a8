# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What single messages of the OOM killer say, in the words of every kernel era."""

from __future__ import annotations

import re

KILLED = re.compile(r"(?:OOM k|\bK)illed process (\d{1,10})(?::#?\d{1,10})?(?=[, (\n])")
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
COLUMNS = re.compile(r"\[ {1,4}pid {1,4}\]\s{1,8}(uid\s[^\n]{1,160}name)")
ROW = re.compile(r"\[\s{0,9}(\d{1,10})\]\s{1,9}(\d{1,10})\s{1,9}(\d{1,10})\s{1,12}(\d{1,15}\s[^\n]{0,200})")
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
CONSTRAINTS = {
    "CONSTRAINT_MEMCG": "memcg",
    "CONSTRAINT_CPUSET": "cpuset",
    "CONSTRAINT_MEMORY_POLICY": "mempolicy",
    "CONSTRAINT_NONE": "system",
}


def cgroup_path(text):
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


def summary_facts(text, start):
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
    match = SUMMARY.match(text, start)
    body = text[start : start + 9000]
    facts["constraint"] = match.group(1)
    if facts["constraint"] not in CONSTRAINTS:
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
        facts["memcg"] = cgroup_path(head[at + len(",oom_memcg=") :])
    if task_at >= 0:
        task = head[task_at + len(",task_memcg=") :]
        if complete:
            facts["task_memcg"] = task
    return facts


def killed_facts(text, match, end):
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


def by_kernel(record, start):
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


def invoker_name(text, end):
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


def invoked_by_kernel(record, start):
    """Whether C(invoked oom-killer) is the kernel's: nothing but a name of a process, or a prefix of the log, is in
    front."""
    return not re.search(r"[\w)@.-]\[\d{1,10}\]: ", record.text[max(0, start - 100) : start])
