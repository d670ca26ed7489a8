# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the OOM killer as events, one for each process that was killed.

A kill is several messages: who ran out of memory (B(invoked oom-killer)), which limit was hit, a table of processes, whom the
kernel chose, and whom it killed. Only the last is always there: the kernel itself drops the others when kills come fast, and
people cut them off. So the message B(Killed process) makes the event, and the others lend it what they know when they belong to
the same kill: by the victim's number where they name it, by order otherwise, and never the second kill what was said of the first.
"""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.escapes import readable
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.messages import CONSTRAINTS, ROW
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.runs import Joiner
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.cgroup_units import unit_of

# What a message about the killed process itself says.
_OF_THE_VICTIM = (
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
)
KEYS = (
    "time",
    "uptime_seconds",
    "killer",
    *_OF_THE_VICTIM,
    "invoker",
    "constraint",
    "memcg",
    "task_memcg",
    "oom_group",
    "unit",
    "limit_bytes",
    "usage_bytes",
    "source",
)


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


def _event(joiner, run, facts, record, why, source):
    event = dict.fromkeys(KEYS)
    event["killer"] = "kernel"
    event["source"] = source
    stamped = record if record.uptime is not None or record.epoch is not None else run.record
    event["uptime_seconds"] = stamped.uptime
    event["time"] = stamped.epoch
    for key in _OF_THE_VICTIM:
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
    if run.group and run.victims and pid == run.victims[0][0]["pid"]:
        event["oom_group"] = True
    event["name"] = readable(event["name"]) if event["name"] is not None else None
    event["unit"] = unit_of(event["task_memcg"])
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
        for match in ROW.finditer(text)
    )


def _constraint(run, why, memcg):
    told = run.summary["constraint"] if run.summary else None
    if why and why.startswith("memory cgroup") or memcg or told == "CONSTRAINT_MEMCG":
        return "memcg"
    if told and told != "CONSTRAINT_NONE":
        return CONSTRAINTS[told]
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
    joiner = Joiner()
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
