# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check how `make test` runs its steps: what ends it, and what it prints."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("yaml", reason="the scenarios are read with PyYAML")

import everything


def step(name, program):
    return everything.Step(name, [sys.executable, "-c", program], f"make {name}", 1)


@pytest.fixture
def steps(monkeypatch, tmp_path):
    """Replace all steps by one that passes, one that fails and one that comes later."""
    found = [step("good", "print('well')"), step("bad", "print('the reason'); exit(3)"), step("late", "print('late')")]
    monkeypatch.setattr(everything, "ALL", found)
    monkeypatch.setattr(everything, "LOGS", tmp_path)
    monkeypatch.setattr(everything, "ROOT", tmp_path)
    return found


def play(steps):
    run = everything.Run()
    for one in steps:
        run.play(one)
    return run


def test_no_step_begins_after_a_failure(steps, monkeypatch, capsys):
    monkeypatch.setattr(everything, "KEEP_GOING", False)
    run = play(steps)
    assert [one.state for one in steps] == ["passed", "failed", "not run"]
    with pytest.raises(SystemExit) as ended:
        everything.summarize(run)
    assert ended.value.code == 1
    printed = capsys.readouterr().out
    assert "bad | the reason" in printed
    assert "well" not in printed
    assert "bad failed: see bad.log, repeat with: make bad" in printed
    assert "not run, as a step failed: late" in printed


def test_all_steps_run_if_asked_to(steps, monkeypatch):
    monkeypatch.setattr(everything, "KEEP_GOING", True)
    play(steps)
    assert [one.state for one in steps] == ["passed", "failed", "passed"]


def test_it_ends_well_if_nothing_failed(steps, capsys):
    run = play(steps[::2])
    steps.pop(1)
    everything.summarize(run)
    assert "all tests passed" in capsys.readouterr().out


def test_every_scenario_but_the_drill_is_a_step_with_a_time():
    assert {one.name for one in everything.SCENARIOS} == everything.SCENARIO_SECONDS.keys()
    assert "drill" not in {one.name for one in everything.ALL}
