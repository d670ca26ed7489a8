# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages joined into runs of the OOM killer."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.joiner import runs

HEADER = "%s invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"
SELECTED = "Out of memory: Kill process %d (x) score 9 or sacrifice child"
KILLED = "Killed process %d (x) total-vm:9kB, anon-rss:8kB, file-rss:7kB"
SUMMARY = "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),global_oom,task_memcg=/,task=x,pid=%d,uid=0"


def join(*texts):
    """Return the invoker and the killed processes of each run."""
    found = runs([Record(text, float(number)) for number, text in enumerate(texts)])
    return [(run.invoker, [killed.victim.pid for killed in run.victims]) for run in found]


def test_header_and_kill():
    assert join(HEADER % "a", SELECTED % 7, KILLED % 7) == [("a", [7])]


def test_a_header_is_for_one_kill_only():
    assert join(HEADER % "a", KILLED % 7, KILLED % 8) == [("a", [7]), (None, [8])]


def test_two_reports_at_once_are_told_apart_by_the_process():
    texts = (HEADER % "a", SUMMARY % 7, HEADER % "b", SUMMARY % 8, KILLED % 7, KILLED % 8)
    assert join(*texts) == [("a", [7]), ("b", [8])]


def test_a_child_is_killed_in_place_of_the_process_that_was_chosen():
    assert join(HEADER % "a", SELECTED % 7, KILLED % 8) == [("a", [8])]


def test_a_group_is_one_run():
    group = "Tasks in /a are going to be killed due to memory.oom.group set"
    assert join(HEADER % "a", SUMMARY % 7, KILLED % 7, group, KILLED % 8, KILLED % 7) == [("a", [7, 8])]


def test_a_run_that_killed_nothing():
    assert join(HEADER % "a", "Out of memory and no killable processes...") == [("a", [])]
    exiting = "Out of memory: OOM victim 7 (x) is already exiting. Skip killing the task"
    assert join(HEADER % "a", SUMMARY % 7, exiting, KILLED % 8) == [("a", []), (None, [8])]


def test_a_summary_over_two_records():
    first, second = SUMMARY[:60], SUMMARY[60:] % 7
    found = runs([Record(first), Record(second), Record(KILLED % 7)])
    assert [(run.named_pid, len(run.victims)) for run in found] == [(7, 1)]


def test_words_alone_are_no_kill():
    assert runs([Record("Killed process 7 (x) as asked")]) == []
    assert join("Killed process 7 (x)") == [(None, [7])]


def test_programs_are_not_believed():
    assert runs([Record(KILLED % 7, program="logger"), Record(HEADER % "npd[6018]: a")]) == []


def test_any_number_of_kills_in_one_record():
    assert sum(len(pids) for _invoker, pids in join("\n".join(KILLED % pid for pid in range(1, 1200)))) == 1000
