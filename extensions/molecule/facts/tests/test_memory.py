# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""memory_facts against free and podman."""

from __future__ import annotations

import json
import subprocess

testinfra_hosts = ["ansible://facts_plain"]

MIB = 1 << 20


def test_memory_is_what_free_says(facts, told, way, between):
    def free():
        lines = {line[0]: [int(word) for word in line[1:]] for line in told("free -b --wide") if line[0] in ("Mem:", "Swap:")}
        columns = dict(zip(("total", "used", "free", "shared", "buffers", "cache", "available"), lines["Mem:"], strict=True))
        return {**columns, "swap": lines["Swap:"]}

    before, memory, after = free(), facts("memory", way), free()
    assert memory["total_bytes"] == before["total"]
    assert [memory["swap"][key] for key in ("total_bytes", "used_bytes", "free_bytes")] == before["swap"]
    assert memory["available_estimated"] is False
    for column, value in (
            ("free", memory["free_bytes"]),
            ("available", memory["available_bytes"]),
            ("shared", memory["shared_bytes"]),
            ("buffers", memory["buffers_bytes"]),
            ("cache", memory["cached_bytes"] + memory["slab_reclaimable_bytes"])):
        assert between(value, before[column], after[column], 48 * MIB), column
    assert memory["used_bytes"] == memory["total_bytes"] - memory["available_bytes"]


def test_the_ceiling_is_the_one_that_podman_has_set(host, facts, way):
    container = host.ansible.get_variables()["lab_container"]
    inspected = subprocess.run(["podman", "inspect", container], stdout=subprocess.PIPE, check=True)
    limit = json.loads(inspected.stdout)[0]["HostConfig"]["Memory"]
    memory = facts("memory", way)
    assert memory["cgroup"]["limit_bytes"] == limit
    assert memory["limit_bytes"] == limit
    assert 0 < memory["cgroup"]["used_bytes"] <= memory["cgroup"]["usage_bytes"] < limit
    assert memory["limit_available_bytes"] == limit - memory["cgroup"]["used_bytes"]
