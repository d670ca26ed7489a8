# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages between the header and the kill."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.report import Report
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.runs import Runs


def read(*texts):
    runs = Runs()
    report = Report(runs)
    for index, text in enumerate(texts):
        report.continue_path(text)
        report.read(index, Record(text))
    return runs.last


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("CPU: 0 PID: 7 Comm: tmux: server Not tainted 6.1", {"comm": "tmux: server", "traced": False}),
        ("CPU: 0 UID: 0 PID: 7 Comm: x Tainted: P", {"comm": "x"}),
        ("Pid: 7, comm: x Not tainted 2.6.32", {"comm": "x"}),
        ("x cpuset=/ mems_allowed=0", {"comm": "x", "traced": True}),
        (" out_of_memory+0x1/0x2", {"traced": True, "memcg_traced": False}),
        (" mem_cgroup_out_of_memory+0x1/0x2", {"traced": True, "memcg_traced": True}),
        (
            "Task in /a killed as a result of limit of /b",
            {"task_memcg": "/a", "limit_memcg": "/b", "memcg_traced": True},
        ),
        ("memory: usage 2kB, limit 4kB, failcnt 1", {"usage": 2048, "limit": 4096}),
        ("memory: usage 2kB, limit 9007199254740988kB, failcnt 0", {"usage": 2048, "limit": None}),
        ("Memory cgroup stats for /a: cache:0KB", {"stats_memcg": "/a", "memcg_traced": True}),
        (
            "[ pid ]   uid  tgid total_vm      rss name",
            {"columns": ["uid", "tgid", "total_vm", "rss", "name"], "traced": True},
        ),
    ],
)
def test_one_message(text, facts):
    run = read(text)
    assert {key: getattr(run, key) for key in facts} == facts


def test_paths_may_be_records_of_their_own():
    run = read("Task in ", "/a", " killed as a result of limit of ", "/b")
    assert (run.task_memcg, run.limit_memcg) == ("/a", "/b")


def test_a_path_belongs_to_the_record_before_only():
    assert read("Task in ", "eth0 is up", "/a").task_memcg is None


@pytest.mark.parametrize("text", ["eth0 is up", "memory+swap: usage 2kB, limit 4kB", "Task in the queue", "pid 7 died"])
def test_a_message_about_something_else(text):
    assert read(text) is None


def test_memory_is_shown_for_page_allocation_failures_as_well():
    assert read("Mem-Info:") is None


def test_rows_without_a_report_belong_to_no_run():
    assert read("[ 7] 2 7 5 5 x") is None
    assert list(read("x cpuset=/ mems_allowed=0", "[ 7] 2 7 5 5 x").rows) == [7]
