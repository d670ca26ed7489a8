# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runs of the OOM killer in a log, and the run that a message belongs to."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.messages import Selected, Summary, Victim
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.runs import Killed, Run, Runs, apart, choose


def run(uptime=1.0, **facts):
    made = Run(0, Record("x", uptime))
    for text in facts.pop("rows", ()):
        made.add_rows(text)
    for key, value in facts.items():
        setattr(made, key, value)
    return made


def summary(pid):
    return Summary("CONSTRAINT_NONE", None, None, True, pid, "x", 0)


@pytest.mark.parametrize(
    ("one", "other", "is_apart"),
    [
        (Record("", 1.0), Record("", 3.0), True),
        (Record("", 1.0), Record("", 1.5), False),
        (Record("", epoch=1.0), Record("", epoch=3.0), True),
        (Record("", 1.0), Record("", epoch=3.0), False),
        (Record(""), Record(""), False),
    ],
)
def test_records_that_are_apart(one, other, is_apart):
    assert apart(one, other, 1) is is_apart


def test_a_run_waits_until_it_kills_or_skips():
    assert run().waits
    assert not run(skipped=True).waits
    assert not run(victims=[Killed(Victim(7), Record(""), None)]).waits


def test_a_run_reaches_so_many_records_and_seconds():
    made = run()
    assert made.reaches(60000, Record("", 301.0))
    assert not made.reaches(60001, Record("", 2.0))
    assert not made.reaches(1, Record("", 302.0))


def test_the_row_of_a_process_comes_before_that_of_its_threads():
    made = run(rows=["[ 8] 1 7 5 5 x", "[ 7] 2 7 5 5 x"])
    assert made.row(7).uid == 2
    assert made.row(8).uid == 1
    assert made.row(9) is None
    assert made.has_thread(8, 7)
    assert not made.has_thread(7, 8)


def test_a_report_goes_on_until_the_kernel_chose():
    runs = Runs()
    first = runs.current(0, Record("", 1.0))
    assert runs.current(1, Record("", 1.0)) is first
    first.selected = Selected(7, "x", 9, None)
    assert runs.current(2, Record("", 1.0)) is not first


def test_the_process_that_is_named_decides_whose_it_is():
    older, newer = run(summary=summary(7)), run(summary=summary(8))
    assert choose([newer, older], 7, Record("")) is older
    assert choose([newer, older], 9, Record("")) is newer
    assert choose([], 7, Record("")) is None


def test_the_task_that_prints_decides_whose_it_is():
    older, newer = run(caller="T1"), run(caller="T2")
    record = Record("")
    record.caller = "T1"
    assert choose([newer, older], 7, record) is older


def test_the_table_decides_whose_it_is():
    older, newer = run(rows=["[ 7] 2 7 5 5 x"]), run(rows=["[ 8] 2 8 5 5 x"])
    assert choose([newer, older], 7, Record("")) is older


def test_the_interrupted_report_is_the_first_to_go_on():
    older, newer = run(interrupted=True), run()
    assert choose([newer, older], 7, Record("")) is older


def test_a_kill_in_front_of_its_report_is_moved_there():
    runs = Runs()
    kill = runs.new(0, Record("", 1.0))
    kill.victims = [Killed(Victim(7), kill.record, None)]
    report = runs.new(1, Record("", 1.0))
    report.summary = summary(7)
    runs.adopt()
    assert [killed.victim.pid for killed in report.victims] == [7]
    assert kill.victims == []


def test_rows_without_a_head_belong_to_the_next_victim():
    runs = Runs()
    runs.add_row(0, Record("[ 7] 2 7 5 5 x", 1.0))
    assert runs.begin(1, Record("", 1.0)).row(7).uid == 2
    assert runs.begin(2, Record("", 1.0)).row(7) is None


def test_rows_of_long_ago_belong_to_no_victim():
    runs = Runs()
    runs.add_row(0, Record("[ 7] 2 7 5 5 x", 1.0))
    assert runs.begin(1, Record("", 1000.0)).row(7) is None


def test_a_kill_of_another_minute_is_not_moved():
    runs = Runs()
    kill = runs.new(0, Record("", 1.0))
    kill.victims = [Killed(Victim(7), kill.record, None)]
    report = runs.new(1, Record("", 100.0))
    report.summary = summary(7)
    runs.adopt()
    assert report.victims == []
