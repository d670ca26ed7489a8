# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics of recorded hosts: they follow Prometheus' conventions and have the values of the facts."""

from __future__ import annotations

import re

import pytest
from metrics import promtool, samples

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import facts as probe_facts


def exported(name, told=None):
    """Return each series of a host with its value."""
    text = samples.text(samples.sources(name), told or samples.settings())
    return {series: float(value) for series, value in re.findall(r"^([^#\n].*) (\S+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("name", samples.NAMES)
def test_promtool_accepts_the_metrics(name):
    assert promtool.run("check", "metrics", text=samples.text(samples.sources(name), samples.settings())) == (True, "")


def test_names_and_units_follow_the_conventions():
    for family in samples.families(samples.sources("ill"), samples.settings()):
        assert re.match(r"lifeline_[a-z][a-z0-9_]*[a-z0-9]$", family.name)
        assert family.name.endswith("_total") == (family.kind == "counter"), family.name
        assert "percent" not in family.name and family.help.endswith(".")
        if family.name.endswith("_ratio") and not family.name.startswith("lifeline_threshold"):
            assert all(value is None or value >= 0 for _labels, value in family.samples)


def test_every_metric_has_a_value_somewhere():
    """A misspelt name of a fact would give a metric that no recorded host has."""
    known = {
        family.name
        for name in samples.NAMES
        for family in samples.families(samples.sources(name), samples.settings())
        if any(value is not None for _labels, value in family.samples)
    }
    every = {family.name for family in samples.families(samples.sources("ill"), samples.settings())}
    assert every - known == set()


def test_values_equal_the_facts():
    facts, found = probe_facts.parse(samples.sources("ill"), samples.DAY), exported("ill")
    memory, disks, fds = facts["lifeline_memory"], facts["lifeline_disks"]["filesystems"], facts["lifeline_fds"]
    assert found["lifeline_memory_limit_available_bytes"] == memory["limit_available_bytes"]
    assert found["lifeline_memory_limit_available_ratio"] == round(memory["limit_available_percent"] / 100, 4)
    assert found["lifeline_swap_used_ratio"] == 0.96
    root = next(disk for disk in disks if disk["mount"] == "/")
    label = '{mountpoint="/",device="%s",fstype="%s"}' % (root["device"], root["type"])
    assert found["lifeline_filesystem_available_bytes" + label] == root["available_bytes"]
    assert found["lifeline_filesystem_inodes" + label] == root["inodes_total"]
    assert found['lifeline_filesystem_hung{mountpoint="/mnt/nfs",device="server:/data",fstype="nfs4"}'] == 1
    assert 'lifeline_filesystem_size_bytes{mountpoint="/mnt/nfs",device="server:/data",fstype="nfs4"}' not in found
    assert (
        (found["lifeline_fds_allocated"], found["lifeline_fds_maximum"])
        == (fds["allocated"], fds["maximum"])
        == (900, 1000)
    )
    assert found["lifeline_oom_kills_total"] == found["lifeline_oom_kills_recent"] == 7
    assert found['lifeline_worker_given_up{worker="crawler"}'] == 1
    assert found['lifeline_worker_restarts_total{worker="mailer"}'] == 1
    assert found['lifeline_verdict{verdict="critical"}'] == 1 and found['lifeline_verdict{verdict="ok"}'] == 0


def test_a_threshold_that_is_switched_off_has_no_series():
    found = exported("debian-12", samples.settings({"disk_used_percent": {"warning": None, "critical": 97.5}}))
    assert found['lifeline_threshold_ratio{check="disk_used_percent",severity="critical"}'] == 0.975
    assert 'lifeline_threshold_ratio{check="disk_used_percent",severity="warning"}' not in found
    assert found['lifeline_threshold{check="load_per_cpu",severity="warning"}'] == 2


def test_processes_of_one_name_share_a_series():
    """Their memory is summed up, and their descriptors are those of the process that is nearest to its limit."""
    sources = samples.sources("ill")
    table, found = probe_facts.process_table(sources), exported("ill")
    for name in {process["name"] for process in table.values()}:
        held = sum(process["rss_bytes"] for process in table.values() if process["name"] == name)
        assert found.get('lifeline_process_resident_memory_bytes{process="%s"}' % name, held) == held
    assert len([series for series in found if series.startswith("lifeline_process_resident_memory_bytes")]) <= 10


def test_unreadable_sources_are_reported():
    sources = {
        path: text
        for path, text in samples.sources("debian-12").items()
        if path not in ("/proc/meminfo", "statfs", "/proc/vmstat")
    }
    text = samples.text(sources, samples.settings())
    for part, success in (("memory", 0), ("disks", 0), ("oom", 0), ("pressure", 1), ("processes", 1)):
        assert 'lifeline_collector_success{collector="%s"} %d\n' % (part, success) in text
    assert "lifeline_memory_total_bytes" not in text
