# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events out of joined messages, in the places where messages disagree or are missing."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.events import KEYS, kills

HEADER = "ruby invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0"
HEAD = "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name"
ROW = "[ %5d]  1000 %5d      428      288       20        0          -100 Web Content"
SELECTED = "Out of memory: Kill process %d (x) score 9 or sacrifice child"
KILLED = "Killed process 7 (Web Content) total-vm:9kB, anon-rss:8kB, file-rss:7kB"


def one(*texts):
    (event,), _idle = kills([Record(text) for text in texts], "log")
    return event


def test_all_keys_are_there():
    event = one(KILLED)
    assert tuple(event) == KEYS
    assert (event["killer"], event["source"], event["constraint"]) == ("kernel", "log", "unknown")


def test_the_table_tells_user_and_adjustment():
    event = one(HEADER, HEAD, ROW % (7, 7), SELECTED % 7, KILLED)
    assert (event["uid"], event["oom_score_adj"], event["score"]) == (1000, -100, 9)


@pytest.mark.parametrize(
    ("numbers", "adjustment"),
    [
        ("428 288 20 0 -100", -100),
        ("428 288 20 1 0 -100", -100),
        ("428 288 100 100 88 20480 0 -100", -100),
        ("428 288 0 -17", None),
        ("428 288 20 0 5000", None),
    ],
)
def test_a_table_without_its_head(numbers, adjustment):
    row = f"[ 7] 1000 7 {numbers} x"
    assert one(HEADER, row, KILLED)["oom_score_adj"] == adjustment


def test_the_score_is_that_of_the_process_that_died():
    assert one(SELECTED % 7, KILLED)["score"] == 9
    assert one(SELECTED % 6, KILLED)["score"] is None


def test_a_thread_that_was_chosen_stands_for_its_process():
    assert one(HEADER, HEAD, ROW % (7, 7), ROW % (8, 7), SELECTED % 8, KILLED)["score"] == 9
    assert one(HEADER, HEAD, ROW % (7, 7), ROW % (8, 8), SELECTED % 8, KILLED)["score"] is None


def test_a_name_that_was_cut_is_completed():
    cut = "Out of memory: Killed process 7 (Web Con"
    assert one(cut)["name"] == "Web Con"
    assert one(HEADER, HEAD, ROW % (7, 7), cut)["name"] == "Web Content"
    assert one("Out of memory: Kill process 7 (Web Content) score 9 or", cut)["name"] == "Web Content"


@pytest.mark.parametrize(
    ("texts", "constraint"),
    [
        (["Memory cgroup out of memory: " + KILLED], "memcg"),
        (["Task in /a killed as a result of limit of /b", KILLED], "memcg"),
        ([HEADER, " mem_cgroup_out_of_memory+0x1/0x2", KILLED], "memcg"),
        (["No available memory (MPOL_BIND): " + KILLED], "mempolicy"),
        (["No available memory in cpuset: " + KILLED], "cpuset"),
        (["Out of memory: " + KILLED], "system"),
        ([HEADER, "Mem-Info:", KILLED], "system"),
        ([HEADER, KILLED], "unknown"),
    ],
)
def test_which_memory_had_run_out(texts, constraint):
    assert one(*texts)["constraint"] == constraint


SUMMARY = (
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/a/pod1.slice/ctr.scope,"
    "task_memcg=/a/pod1.slice/ctr.scope,task=x,pid=7,uid=9"
)
TASK_IN = "Task in /a/pod1.slice/ctr.scope killed as a result of limit of /a/pod1.slice/ctr.scope"
STATS = "Memory cgroup stats for /a/pod1.slice/ctr.scope:"
GROUP = "Tasks in /a/pod1.slice/ctr.scope are going to be killed due to memory.oom.group set"


@pytest.mark.parametrize("mark", ["", ">", "…"])
@pytest.mark.parametrize(
    ("cut", "others", "memcg", "task_memcg"),
    [
        (SUMMARY[:75], [STATS], "/a/pod1.slice/ctr.scope", None),
        (SUMMARY[:110], [STATS], "/a/pod1.slice/ctr.scope", "/a/pod1.slice/ctr.scope"),
        (SUMMARY[:110], [], "/a/pod1.slice/ctr.scope", None),
        (SUMMARY[:75], [], None, None),
        (SUMMARY[:50], [], None, None),
        (TASK_IN[:30], [STATS], "/a/pod1.slice/ctr.scope", "/a/pod1.slice/ctr.scope"),
        (TASK_IN[:-4], [STATS], "/a/pod1.slice/ctr.scope", "/a/pod1.slice/ctr.scope"),
        (TASK_IN[:-4], [], "/a/pod1.slice/ctr.scope", "/a/pod1.slice/ctr.scope"),
        (TASK_IN[:-14], [], None, "/a/pod1.slice/ctr.scope"),
    ],
)
def test_a_path_that_was_cut_is_completed(cut, others, memcg, task_memcg, mark):
    event = one(HEADER, *others, cut + mark, "Memory cgroup out of memory: " + KILLED)
    assert (event["constraint"], event["memcg"], event["task_memcg"]) == ("memcg", memcg, task_memcg)


def test_a_groups_path_completes_those_that_were_cut():
    event = one(HEADER, SUMMARY[:83], "Memory cgroup out of memory: " + KILLED, GROUP)
    assert (event["memcg"], event["task_memcg"]) == ("/a/pod1.slice/ctr.scope", "/a/pod1.slice/ctr.scope")
    # The limit may be that of any cgroup above.
    event = one(HEADER, SUMMARY[:70], "Memory cgroup out of memory: " + KILLED, GROUP)
    assert (event["memcg"], event["task_memcg"]) == (None, "/a/pod1.slice/ctr.scope")


def test_the_process_that_was_chosen_if_another_one_died():
    keys = ("score", "chosen_pid", "chosen_name", "chosen_score")
    event = one(SELECTED % 6, KILLED)
    assert [event[key] for key in keys] == [None, 6, "x", 9]
    event = one(SELECTED % 7, KILLED)
    assert [event[key] for key in keys] == [9, None, None, None]
    event = one(HEADER, HEAD, ROW % (7, 7), ROW % (8, 7), SELECTED % 8, KILLED)
    assert [event[key] for key in keys] == [9, None, None, None]


def test_kernel_5_0_names_the_process_that_was_chosen_in_its_summary():
    event = one(HEADER, SUMMARY.replace("pid=7", "pid=6"), SELECTED % 6, KILLED)
    assert (event["pid"], event["chosen_pid"], event["uid"], event["task_memcg"]) == (7, 6, None, None)


@pytest.mark.parametrize("unsafe", ["\n", "\x1b", "\x7f", "\x9b", "\u2028"])
def test_control_characters_are_escaped(unsafe):
    texts = [
        f"a{unsafe}b invoked oom-killer: gfp_mask=0x0",
        f"Kill process 6 (a{unsafe}b) score 9",
        f"Memory cgroup out of memory: Killed process 7 (a{unsafe}b) total-vm:9kB, anon-rss:8kB",
    ]
    event = one(*texts)
    texts = [event[key] for key in ("name", "invoker", "chosen_name") if event[key] is not None]
    assert len(texts) > 1
    assert all(text.isprintable() for text in texts)


def test_the_limit_is_told_for_a_cgroup_only():
    usage = "memory: usage 2kB, limit 4kB, failcnt 1"
    event = one(HEADER, usage, "Memory cgroup out of memory: " + KILLED)
    assert (event["limit_bytes"], event["usage_bytes"]) == (4096, 2048)
    event = one(HEADER, usage, "Out of memory: " + KILLED)
    assert (event["limit_bytes"], event["usage_bytes"]) == (None, None)


def test_the_invoker_without_what_stands_in_front_of_it():
    assert one("h ruby invoked oom-killer: x", "CPU: 0 PID: 7 Comm: ruby Not tainted 6.1", KILLED)["invoker"] == "ruby"
    assert one("ruby cpuset=/ mems_allowed=0", KILLED)["invoker"] == "ruby"


def test_a_kill_that_the_log_lost_is_announced():
    assert one(SELECTED % 7)["pid"] == 7
    summary = "oom-kill:constraint=CONSTRAINT_NONE,global_oom,task_memcg=/a/b.service,task=x,pid=7,uid=9"
    event = one(summary)
    assert (event["pid"], event["name"], event["uid"], event["unit"]) == (7, "x", 9, "b.service")


def test_a_header_without_a_kill_is_counted():
    assert kills([Record(HEADER)]) == ([], 1)
    assert kills([]) == ([], 0)
