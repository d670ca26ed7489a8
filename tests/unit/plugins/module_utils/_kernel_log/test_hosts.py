# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts' names in logs without tags."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.hosts import take_hosts_off
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record

MESSAGES = [
    "ruby invoked oom-killer: gfp_mask=0x201da, order=0",
    "Mem-Info:",
    "[ 4242]  1001 4242   500000    40000 20 0 100 ruby",
    "Out of memory: Killed process 4242 (ruby) total-vm:9kB",
]


def without_hosts(texts):
    records = [Record(text) for text in texts]
    for record in records:
        record.tagless = True
    take_hosts_off(records)
    return [record.text for record in records]


@pytest.mark.parametrize("host", ["web1", "2001:db8::1", "WEB", "Out", "1984", "web1.example.com"])
def test_a_host_in_front_of_every_message(host):
    assert without_hosts([f"{host} {text}" for text in MESSAGES]) == MESSAGES


@pytest.mark.parametrize(
    "texts",
    [
        MESSAGES,
        ["Out of memory: Killed process 1 (a)", "Out of memory: Killed process 2 (b)"],
        ["Memory cgroup out of memory: Killed process 1 (a)"] * 3,
        ["Killed process 1 (a) total-vm:9kB", "Killed process 2 (b) total-vm:9kB"],
        ["[ 4242]  1001 4242 500000 ruby", "[ 4243]  1001 4243 500000 ruby"],
        ["ruby invoked oom-killer: gfp_mask=0x0", "ruby invoked oom-killer: gfp_mask=0x0"],
        ["CPU: 0 PID: 7 Comm: x", "CPU: 1 PID: 8 Comm: x"],
        ["eth0: link up", "eth0: link down"],
        ["ruby cpuset=/ mems_allowed=0"],
        [],
    ],
)
def test_messages_that_begin_alike_keep_their_first_word(texts):
    assert without_hosts(texts) == texts


def test_other_records_keep_their_text():
    records = [Record("web1 Mem-Info:"), Record("web1 Mem-Info:")]
    records[0].tagless = True
    take_hosts_off(records)
    assert [record.text for record in records] == ["Mem-Info:", "web1 Mem-Info:"]
