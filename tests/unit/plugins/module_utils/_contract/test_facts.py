# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test that facts and verdicts of recorded hosts have the declared shape in every key."""

from __future__ import annotations

import pytest
from shapes import violations

from ansible_collections.lifeline.fleet.plugins.module_utils._contract import facts as contract
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import (
    facts as probe_facts,
    thresholds,
    verdict,
    workers,
)

HOSTS = ("debian-11", "debian-12", "debian-13", "debian-14", "docker-host", "podman-trixie", "seed-crawler")


def watchdog():
    return {"noted": {"sidekiq": {"restarts": 3, "given_up": True, "paused": False}}, "pids": {"/run/x/sidekiq.pid": 5}}


@pytest.mark.parametrize("name", HOSTS)
def test_facts_and_verdict_of_a_recorded_host(box, name):
    sources = box(name)
    facts = probe_facts.parse(sources, 86400, expected=())
    assert violations(facts, contract.Facts) == []
    table = probe_facts.process_table(sources)
    declared = workers.workers([{"name": "sidekiq", "max_memory": "50%"}], None)
    judged = verdict.judge(facts, table, watchdog(), thresholds.defaults(), declared, 86400)
    assert violations(judged, contract.Judged) == []
    assert judged["workers"][0]["restarts"] == 3


@pytest.mark.parametrize("sources", [{}, {"/proc/meminfo": "", "statfs": "hung /\n", "fds": "x"}])
def test_facts_of_a_host_that_says_nothing(sources):
    assert violations(probe_facts.parse(sources, 60, expected=()), contract.Facts) == []


def test_listeners_are_facts_only_if_expected_ones_are_given():
    facts = probe_facts.parse({}, 60)
    assert "lifeline_listeners" not in facts
    assert violations(facts, contract.Facts) == []
    assert violations(facts, contract.AnyFacts) == []
    assert violations(facts["lifeline_memory"], contract.Facts) != []


def test_the_notes_of_the_watchdog():
    sources = {"/run/lifeline/watchdog/sidekiq": "restarts 2\ngiven_up 1\n", "/run/sidekiq/sidekiq.pid": "77\n"}
    found = probe_facts.watchdog(sources)
    assert violations(found, contract.Watchdog) == []
    assert found["noted"]["sidekiq"] == {"restarts": 2, "given_up": True, "paused": False}


def test_a_value_of_another_type_is_found():
    facts = probe_facts.parse({}, 60)
    facts["lifeline_memory"]["swap"]["total_bytes"] = "5"
    del facts["lifeline_fds"]["nr_open"]
    facts["lifeline_disks"]["extra"] = 1
    assert violations(facts, contract.Facts) == [
        ".lifeline_memory.swap.total_bytes: '5' is not int",
        ".lifeline_disks: extra is not declared",
        ".lifeline_fds: nr_open is missing",
    ]
