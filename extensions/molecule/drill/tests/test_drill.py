# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A leak that is too fast for monit, without swap: SSH stops working without the collection, and works with it.

No test asserts how long anything takes, because everything takes longer under emulation on a busy machine.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest
from drill import summary

ROOT = pathlib.Path(__file__).resolve().parents[4]
THREADS = 5


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Run `make drill` and return head, records and summary for both boxes."""
    out = tmp_path_factory.mktemp("drill")
    argv = [sys.executable, "-m", "drill", "fast", "--swap", "no", "--seconds", "180", "--out", str(out)]
    subprocess.run(argv, stdin=subprocess.DEVNULL, check=True, env={**os.environ, "PYTHONPATH": str(ROOT / "tests")})
    assert {path.name for path in out.iterdir()} == {
        "fast.svg",
        "fast.png",
        "fast-before.jsonl",
        "fast-after.jsonl",
        "table.txt",
    }
    read = {box: summary.read(out / f"fast-{box}.jsonl") for box in ("before", "after")}
    return {box: (head, records, summary.summary(head, records)) for box, (head, records) in read.items()}


def probes(results, box):
    """Return whether each login since the leak began was answered."""
    return [one["answered"] for one in results[box][1] if one["kind"] == "knock" and one["t"] >= 0]


def test_without_the_collection_ssh_dies_and_stays_dead(results):
    assert probes(results, "before")[-3:] == [False] * 3


def test_with_it_every_login_is_answered(results):
    assert all(probes(results, "after"))
    assert len(probes(results, "after")) > 3


def test_health_names_the_leak_before_ssh_dies(results):
    _head, records, numbers = results["before"]
    assert numbers["answered"] < numbers["probes"]
    assert any(
        reason["check"].startswith("memory") for one in records if one["kind"] == "health" for reason in one["reasons"]
    )


def test_the_worker_is_back_and_nothing_else_was_killed(results):
    head, records, _numbers = results["after"]
    assert head["kills"], "it was too fast for monit"
    assert all(kill["worker"] for kill in head["kills"])
    before = next(record["starts"] for record in records if record["kind"] == "knock" and record["answered"])
    assert head["starts"] - before >= len(head["kills"])
    assert head["jobs"]["done"] > 0


def test_at_most_the_jobs_in_progress_are_lost(results):
    head = results["after"][0]
    assert 0 <= head["jobs"]["lost"] <= len(head["kills"]) * THREADS


def test_oom_facts_reports_what_the_kernel_of_the_box_has_logged(results):
    assert results["after"][0]["agrees"] is True
