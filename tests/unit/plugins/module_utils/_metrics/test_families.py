# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of metrics: names, units and values. tests/unit/metrics checks them on recorded hosts."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import facts as probe_facts, thresholds, verdict
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import workers
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics.families import families

SETTINGS = {"thresholds": thresholds.defaults(), "oom_window": 3600.0, "interval": 60, "timeout": 5.0}


def samples(sources=None, noted=None, declared=(), complete=True):
    """Return the samples of all families by name, for a host with `sources`."""
    sources = sources or {}
    settings = {**SETTINGS, "workers": workers(list(declared), None)}
    facts, table = probe_facts.parse(sources, 3600), probe_facts.process_table(sources)
    watchdog = {"noted": noted or {}, "pids": {}}
    judged = verdict.judge(facts, table, watchdog, settings["thresholds"], settings["workers"], 3600)
    found = families(facts, table, watchdog["noted"], judged, settings, 1790000000.5, 0.25, complete)
    assert len({family.name for family in found}) == len(found)
    return {family.name: family.samples for family in found}


def test_a_host_without_sources_has_no_values_but_its_settings():
    found = samples()
    assert found["lifeline_collector_timestamp_seconds"] == [({}, 1790000000.5)]
    assert found["lifeline_collector_duration_seconds"] == [({}, 0.25)]
    assert found["lifeline_collector_interval_seconds"] == [({}, 60)]
    assert {value for _labels, value in found["lifeline_collector_success"]} == {False}
    assert found["lifeline_memory_total_bytes"] == [({}, None)]
    assert found["lifeline_processes"] == [({}, None)]
    assert found["lifeline_filesystem_size_bytes"] == []


def test_thresholds_of_shares_and_of_counts_are_separate_metrics():
    found = samples()
    shares = {labels["check"] for labels, _value in found["lifeline_threshold_ratio"]}
    counts = {labels["check"] for labels, _value in found["lifeline_threshold"]}
    assert "disk_used_percent" in shares and "load_per_cpu" in counts
    assert not shares & counts


def test_records_of_the_watchdog_are_exported_for_workers_that_are_not_declared():
    noted = {"mailer": {"restarts": 2, "given_up": True, "paused": False}}
    found = samples(noted=noted, declared=[{"name": "crawler", "pattern": "sidekiq"}])
    assert [labels for labels, _value in found["lifeline_worker_processes"]] == [{"worker": "crawler"}]
    assert ({"worker": "mailer"}, 2) in found["lifeline_worker_restarts_total"]
    assert ({"worker": "mailer"}, True) in found["lifeline_worker_given_up"]
    assert ({"worker": "crawler"}, None) in found["lifeline_worker_restarts_total"]


def test_exactly_one_verdict_is_true():
    found = {labels["verdict"]: value for labels, value in samples()["lifeline_verdict"]}
    assert set(found) == {"ok", "warning", "critical"}
    assert sorted(found.values()) == [False, False, True]


@pytest.mark.parametrize("complete", [True, False])
def test_an_incomplete_table_of_processes_is_no_success(complete):
    sources = {"/proc/1/stat": "1 (init) S 0 1 1 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 1 0 2 1000 5 " + "0 " * 28}
    found = {
        labels["collector"]: value
        for labels, value in samples(sources, complete=complete)["lifeline_collector_success"]
    }
    assert found["processes"] is complete


def test_the_worst_finding_of_a_subject_is_exported():
    found = samples({"/proc/meminfo": "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 10 kB\n"})
    (finding,) = [item for item in found["lifeline_finding"] if item[0]["check"] == "memory_available_percent"]
    assert finding == ({"check": "memory_available_percent", "severity": "critical"}, 1.0)
