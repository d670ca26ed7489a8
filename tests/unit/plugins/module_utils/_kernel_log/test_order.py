# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of a log's records."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.order import in_order
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record


def texts(records):
    return [record.text for record in in_order(records)]


def test_stamps_decide():
    records = [Record(name, uptime) for name, uptime in (("c", 3.0), ("b", 2.0), ("a", 1.0))]
    assert texts(records) == ["a", "b", "c"]
    assert texts(records[::-1]) == ["a", "b", "c"]


def test_the_date_decides_if_there_is_no_uptime():
    assert texts([Record("b", epoch=2.0), Record("a", epoch=1.0)]) == ["a", "b"]


def test_a_reboot_in_between_does_not_turn_a_log_round():
    records = [Record(str(number), uptime) for number, uptime in enumerate((1.0, 2.0, 3.0, 1.0, 2.0))]
    assert texts(records) == ["0", "1", "2", "3", "4"]


def test_the_messages_of_a_kill_decide_if_there_is_no_stamp():
    selected = "Out of memory: Kill process 7 (x) score 9 or sacrifice child"
    killed = "Killed process 7 (x) total-vm:9kB"
    assert texts([Record(killed), Record(selected)]) == [selected, killed]
    assert texts([Record(selected), Record(killed)]) == [selected, killed]


@pytest.mark.parametrize(
    "texts",
    [
        ["Killed process 7 (x)", "b invoked oom-killer: x", "Killed process 8 (y)", "c invoked oom-killer: x"],
        ["Killed process 7 (x)", "oom_reaper: reaped process 7 (x)", "b invoked oom-killer: x"],
        ["[ pid ]   uid  tgid name", "[    7]     0     7 9 x", "Killed process 7 (x)"],
        ["oom-kill:constraint=CONSTRAINT_NONE,task=x,pid=7,uid=0", "Killed process 7 (x)"],
    ],
)
def test_messages_of_one_second(texts):
    assert [record.text for record in in_order([Record(text, epoch=5.0) for text in texts])] == texts
    if "reaped" in "".join(texts) or "pid" in texts[0]:
        assert [record.text for record in in_order([Record(text, epoch=5.0) for text in texts[::-1]])] == texts


@pytest.mark.parametrize("first", ["Kill process 7 (x) score 9", "oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/a/b"])
def test_the_kill_of_a_child_and_a_line_that_was_cut(first):
    records = [Record(first), Record("Killed process 8 (y)")]
    assert in_order(records) == records
    assert in_order(records[::-1]) == records


def test_the_newest_kill_first_with_its_messages_in_order():
    selected, killed = "Kill process {} (x) score 9", "Killed process {} (x)"
    records = [Record(text.format(number), float(number)) for number in (3, 2, 1) for text in (selected, killed)]
    assert [record.text for record in in_order(records)] == [
        text.format(number) for number in (1, 2, 3) for text in (selected, killed)
    ]


def test_programs_do_not_tell_the_order():
    quoted = [Record("Killed process 7 (x)", program="npd"), Record("Kill process 7 (x) score 9", program="npd")]
    assert in_order(quoted) == quoted


def test_no_records():
    assert in_order([]) == []
