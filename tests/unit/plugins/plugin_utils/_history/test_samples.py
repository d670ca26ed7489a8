# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the facts that a history keeps."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import facts as judge_facts
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import samples
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Kill, Sample

EVENT = {
    "time": "2026-11-20T12:00:00Z",
    "pid": 5,
    "name": "ruby",
    "killer": "kernel",
    "unit": None,
    "constraint": "memcg",
    "anon_rss_bytes": None,
    "file_rss_bytes": None,
    "shmem_rss_bytes": None,
}
OTHER = {"time": None, "pid": 6, "name": "perl", "killer": "earlyoom", "unit": "a.service", "rss_bytes": 9}
DISK = {
    "mount": "/",
    "device": "/dev/vda1",
    "type": "ext4",
    "size_bytes": 100,
    "used_bytes": 60,
    "available_bytes": 30,
    "inodes_used": 5,
    "inodes_available": 15,
    "always_full": False,
    "read_only": False,
    "readable": True,
}


def test_the_numbers_of_a_recorded_host(box):
    found = samples.samples(judge_facts.parse(box("debian-12"), 86400))
    by_metric = {sample.metric for sample in found}
    assert {
        "memory_used_bytes",
        "load_per_cpu",
        "disk_used_bytes",
        "inodes_used",
        "fds_allocated",
        "processes",
        "process_fds",
    } <= by_metric
    assert all(sample.value is not None for sample in found)
    assert len({(sample.metric, sample.subject) for sample in found}) == len(found)


def test_no_facts_have_no_numbers():
    assert samples.samples({}) == samples.kills({}) == []
    assert samples.state({}) == ({}, ())


@pytest.mark.parametrize(
    ("memory", "found"),
    [
        ({}, {"memory_used_bytes": (60, 100), "swap_used_bytes": (3, 9), "slab_unreclaimable_bytes": (7, 47)}),
        ({"limit_available_bytes": None}, {"swap_used_bytes": (3, 9), "slab_unreclaimable_bytes": (7, None)}),
        (
            {"swap": {"total_bytes": 0, "used_bytes": 0}, "slab_unreclaimable_bytes": None},
            {"memory_used_bytes": (60, 100)},
        ),
    ],
)
def test_memory_that_is_not_known_is_left_out(memory, found):
    known = {
        "limit_bytes": 100,
        "limit_available_bytes": 40,
        "slab_unreclaimable_bytes": 7,
        "swap": {"total_bytes": 9, "used_bytes": 3},
    }
    got = samples.samples({"lifeline_memory": {**known, **memory}})
    assert {sample.metric: (sample.value, sample.capacity) for sample in got} == found


def test_the_memory_counts_from_the_latest_start_of_a_worker():
    facts = {
        "lifeline_memory": {
            "limit_bytes": 100,
            "limit_available_bytes": 40,
            "slab_unreclaimable_bytes": None,
            "swap": {"total_bytes": 0, "used_bytes": 0},
        }
    }
    workers = [
        {"name": "sidekiq", "rss_bytes": 5, "max_memory_bytes": 10, "restarts": 2},
        {"name": "gone", "rss_bytes": None, "max_memory_bytes": 10, "restarts": None},
    ]
    assert samples.samples(facts, workers, {"sidekiq": 7.0, "other": 9.0}) == [
        Sample("memory_used_bytes", "", 60, 100, 9.0),
        Sample("worker_rss_bytes", "sidekiq", 5, 10, 7.0),
        Sample("worker_restarts", "sidekiq", 2),
    ]


def test_filesystems_that_cannot_fill_up_are_left_out():
    disks = [DISK, {**DISK, "mount": "/snap", "always_full": True}, {**DISK, "mount": "/usr", "read_only": True}]
    assert samples.samples({"lifeline_disks": {"filesystems": disks}}) == [
        Sample("disk_used_bytes", "/", 60, 90),
        Sample("inodes_used", "/", 5, 20),
    ]


def test_the_fullest_process_of_a_name_stands_for_it():
    processes = [
        {"name": "ruby", "open": 10, "soft_limit": 1000, "used_percent": 1},
        {"name": "ruby", "open": 9, "soft_limit": 10, "used_percent": 90},
        {"name": "cat", "open": 3, "soft_limit": None, "used_percent": None},
    ]
    fds = {"allocated": 500, "maximum": 1 << 62, "processes_total": 3, "processes": processes}
    assert samples.samples({"lifeline_fds": fds}) == [
        Sample("fds_allocated", "", 500, None),
        Sample("processes", "", 3),
        Sample("process_fds", "ruby", 9, 10),
    ]


def test_processes_of_one_name_are_added_up():
    processes = [{"name": "ruby", "rss_bytes": 5}, {"name": "ruby", "rss_bytes": None}, {"name": "sh", "rss_bytes": 1}]
    assert samples.samples({"lifeline_processes": {"processes": processes}}) == [
        Sample("process_rss_bytes", "ruby", 5),
        Sample("process_rss_bytes", "sh", 1),
    ]


@pytest.mark.parametrize(
    ("event", "rss"),
    [
        ({"anon_rss_bytes": 1, "file_rss_bytes": None, "shmem_rss_bytes": 2}, 3),
        ({}, None),
    ],
)
def test_the_size_of_a_killed_process(event, rss):
    (kill,) = samples.kills({"lifeline_oom": {"events": [{**EVENT, **event}], "other_kills": []}})
    assert kill == Kill(1795176000.0, 5, "ruby", "kernel", "memcg", None, rss)


def test_the_kills_of_other_programs_are_kills_as_well():
    oom = {"events": [{**EVENT, "time": None}], "other_kills": [OTHER]}
    assert samples.kills({"lifeline_oom": oom}) == [
        Kill(None, 5, "ruby", "kernel", "memcg", None, None),
        Kill(None, 6, "perl", "earlyoom", None, "a.service", 9),
    ]


def test_state_is_whole_only_if_every_filesystem_could_be_read():
    disks = {"filesystems": [DISK, {**DISK, "mount": "/mnt", "readable": False}]}
    root = {"device": "/dev/vda1", "type": "ext4", "size_bytes": 100, "read_only": False}
    assert samples.state({"lifeline_disks": disks}) == ({"filesystem:/": root}, ())
    assert samples.state({"lifeline_disks": {"filesystems": [DISK]}}) == ({"filesystem:/": root}, ("filesystem:",))


def test_state_leaves_out_what_is_not_known():
    facts = {"lifeline_pressure": {"cpus": None}, "lifeline_fds": {"maximum": 7}}
    assert samples.state(facts) == ({"fds_maximum": 7}, ())
