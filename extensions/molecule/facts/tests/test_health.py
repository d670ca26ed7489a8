# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test that health finds the fault of each ill box, none on a healthy box, and an unreachable box."""

from __future__ import annotations

import subprocess

import pytest
from boxes import INVENTORY

FAILED = 2

testinfra_hosts = [
    "ansible://facts_plain",
    *(f"ansible://facts_{kind}" for kind in ("ok", "leak", "oom", "disk", "fds")),
]

# The check and the subject that each kind of ill box must have as a finding.
ILLNESSES = {
    "facts_leak": ("worker_memory_percent", "warning", "sidekiq"),
    "facts_oom": ("workers_missing", "critical", "sidekiq"),
    "facts_disk": ("disk_used_percent", "critical", "/data"),
    "facts_fds": ("process_fds_used_percent", "critical", None),
}


@pytest.fixture
def kind(host):
    """Return the group of the box's kind."""
    (group,) = [group for group in host.ansible.get_variables()["group_names"] if group.startswith("facts_")]
    return group


@pytest.fixture
def name(host):
    return host.ansible.get_variables()["inventory_hostname"]


def test_the_verdict_has_exactly_the_fault_of_the_box(everywhere, name, kind, way):
    answer = everywhere("health", way)[name]
    found = {
        finding["check"]: finding
        for finding in answer["findings"]
        if finding["severity"] == "critical" or kind in ILLNESSES and finding["check"] == ILLNESSES[kind][0]
    }
    found.pop("oom_kills", None) if kind == "facts_oom" else None
    if kind not in ILLNESSES:
        assert found == {}
        assert answer["verdict"] == "ok", answer["msg"]
        return
    check, severity, subject = ILLNESSES[kind]
    assert set(found) == {check}
    assert found[check]["severity"] == severity
    assert subject is None or found[check]["subject"] == subject
    assert answer["verdict"] == severity


def test_it_reads_the_same_values_as_the_modules(everywhere, name):
    def read(module, **options):
        (facts,) = everywhere(module, **options)[name]["ansible_facts"].values()
        return facts

    answer = everywhere("health")[name]["ansible_facts"]
    disks, memory = read("disk_facts"), read("memory_facts")
    assert answer["lifeline_disks"].keys() == disks.keys()
    assert answer["lifeline_memory"].keys() == memory.keys()
    assert answer["lifeline_pressure"].keys() == read("pressure_facts", sample_seconds=0).keys()
    assert answer["lifeline_memory"]["limit_bytes"] == memory["limit_bytes"]
    mounts = [disk["mount"] for disk in disks["filesystems"]]
    assert [disk["mount"] for disk in answer["lifeline_disks"]["filesystems"]] == mounts


UP = "facts:!facts_down"
CRITICAL = [kind for kind, (_check, severity, _subject) in ILLNESSES.items() if severity == "critical"]


@pytest.mark.parametrize(
    ("boxes", "fail_on", "code"),
    [
        (UP, "never", 0),
        (":!".join([UP, *CRITICAL]), "critical", 0),
        *((kind, "critical", FAILED) for kind in CRITICAL),
    ],
)
def test_the_exit_code_is_as_asked_for(boxes, fail_on, code):
    done = subprocess.run(
        ["ansible", boxes, "-i", INVENTORY, "-m", "lifeline.fleet.health", "-a", f"fail_on={fail_on}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout
