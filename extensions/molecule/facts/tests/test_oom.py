# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare oom_facts with the journal, dmesg and the control group, on the box whose worker the OOM killer killed.

The kernel log belongs to the whole machine. The container's control group identifies the kill of this box.
"""

from __future__ import annotations

import re
import subprocess

import pytest

testinfra_hosts = ["ansible://facts_oom"]

KILL = (
    r"oom-kill:\S*oom_memcg=\S*{}\S*.*\n.*Killed process (\d+) \((.*?)\) total-vm:(\d+)kB, anon-rss:(\d+)kB, "
    r"file-rss:(\d+)kB, shmem-rss:(\d+)kB, UID:(\d+) pgtables:(\d+)kB oom_score_adj:(-?\d+)"
)


@pytest.fixture
def container(host):
    """Return the full name of the container's control group."""
    name = host.ansible.get_variables()["lab_container"]
    inspected = subprocess.run(
        ["podman", "inspect", "--format", "{{.Id}}", name], stdout=subprocess.PIPE, text=True, check=True
    )
    return inspected.stdout.strip()


def own(oom, container):
    return [event for event in oom["events"] if container in event["memcg"]]


def words(event):
    sizes = [event[key] // 1024 for key in ("total_vm_bytes", "anon_rss_bytes", "file_rss_bytes", "shmem_rss_bytes")]
    return [
        str(value)
        for value in (
            event["pid"],
            event["name"],
            *sizes,
            event["uid"],
            event["pgtables_bytes"] // 1024,
            event["oom_score_adj"],
        )
    ]


@pytest.mark.parametrize("way", ("root", "become"))
def test_the_box_has_exactly_its_own_kills(host, facts, container, way):
    journal = re.findall(KILL.format(container), host.check_output("LC_ALL=C journalctl --dmesg --quiet --output=cat"))
    dmesg = re.findall(KILL.format(container), host.check_output("LC_ALL=C dmesg"))
    oom = facts("oom", way)
    events = own(oom, container)
    assert sorted(map(words, events)) == sorted(map(list, journal))
    # The kernel's ring buffer loses old messages, the journal doesn't.
    assert {tuple(kill) for kill in dmesg} <= {tuple(words(event)) for event in events}
    # The newest comes first. The kernel may kill another process before the worker's memory is free.
    assert events[-1]["name"] == "sidekiq"
    assert {event["constraint"] for event in events} == {"memcg"}
    assert oom["worker_killed"] is True
    assert oom["sshd_killed"] is False


def test_the_control_group_counts_the_same_number(host, facts, container):
    counted = host.check_output(
        "cat /sys/fs/cgroup/memory/memory.oom_control /sys/fs/cgroup/memory.events 2>/dev/null || true"
    )
    (kills,) = re.findall(r"^oom_kill (\d+)$", counted, re.MULTILINE)
    assert len(own(facts("oom"), container)) == int(kills)


def test_the_time_is_that_of_the_journal(host, facts, container):
    lines = host.check_output("journalctl --dmesg --quiet --utc --output=short-iso").splitlines()
    stamps = {line[:19] for line in lines if "Killed process" in line}
    events = own(facts("oom"), container)
    assert events
    assert {event["time"][:19] for event in events} <= stamps


def test_a_user_without_privileges_learns_that_the_log_is_not_readable(facts):
    oom = facts("oom", "user")
    assert oom["events"] == []
    assert oom["sources"]
    assert not [source["name"] for source in oom["sources"] if source["readable"]]
