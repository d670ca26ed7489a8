# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's promise, on a leak that is too fast for monit, without swap: SSH dies, and with the collection it doesn't."""

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
    """What make drill has written, of both boxes: head, records and summary."""
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


def test_without_the_collection_ssh_is_dead_for_a_minute(results):
    assert results["before"][2]["silence"] >= 60


def test_with_it_every_probe_is_answered(results):
    numbers = results["after"][2]
    assert numbers["answered"] == numbers["probes"] > 50


def test_health_warns_half_a_minute_before(results):
    assert results["before"][2]["lead"] >= 30


def test_the_worker_is_back_and_nobody_else_was_killed(results):
    head, records, _numbers = results["after"]
    assert head["kills"], "it was too fast for monit"
    assert all(kill["worker"] for kill in head["kills"])
    before = next(record["starts"] for record in records if record["kind"] == "knock" and record["answered"])
    assert head["starts"] - before >= len(head["kills"])
    assert head["jobs"]["done"] > 0


def test_at_most_the_jobs_in_progress_are_lost(results):
    head = results["after"][0]
    assert 0 <= head["jobs"]["lost"] <= len(head["kills"]) * THREADS


def test_oom_facts_tells_what_the_kernel_of_the_box_has_logged(results):
    assert results["after"][0]["agrees"] is True
