# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare memory_facts with free and podman."""

from __future__ import annotations

import json
import subprocess

import pytest

testinfra_hosts = ["ansible://facts_plain"]

MIB = 1 << 20


@pytest.fixture
def free_meanwhile(host, told):
    """Return a function that runs an action and returns its result and all values of free in the meantime.

    The module itself takes memory on the box and on the controller, so values of `free` before and after it are not
    enough.
    """

    def watch(action):
        # A single free with an interval reads the kernel's figures only once per second.
        repeated = "while free -b --wide; do sleep 0.05; done"
        pid = host.check_output(f"LC_ALL=C sh -c '{repeated}' > /run/free-meanwhile 2>&1 < /dev/null & echo $!")
        try:
            host.check_output("until grep -q Swap: /run/free-meanwhile; do sleep 0.05; done")
            result = action()
            host.check_output(
                "seen=$(grep -c Swap: /run/free-meanwhile);"
                " until test $(grep -c Swap: /run/free-meanwhile) -gt $seen; do sleep 0.05; done"
            )
        finally:
            host.check_output(f"kill {pid}")
        lines = told("grep : /run/free-meanwhile")
        columns = zip(*([int(word) for word in line[1:]] for line in lines if line[0] == "Mem:"), strict=True)
        swap = zip(*([int(word) for word in line[1:]] for line in lines if line[0] == "Swap:"), strict=True)
        names = (
            "total",
            "used",
            "free",
            "shared",
            "buffers",
            "cache",
            "available",
            "swap_total",
            "swap_used",
            "swap_free",
        )
        return result, dict(zip(names, [*columns, *swap], strict=True))

    return watch


def test_memory_is_what_free_shows(facts, free_meanwhile, way, between):
    memory, free = free_meanwhile(lambda: facts("memory", way))
    assert {memory["total_bytes"]} == set(free["total"])
    for key in ("total", "used", "free"):
        assert memory["swap"][key + "_bytes"] in free["swap_" + key]
    assert memory["available_estimated"] is False
    for column, value in (
        ("free", memory["free_bytes"]),
        ("available", memory["available_bytes"]),
        ("shared", memory["shared_bytes"]),
        ("buffers", memory["buffers_bytes"]),
        ("cache", memory["cached_bytes"] + memory["slab_reclaimable_bytes"]),
    ):
        assert between(value, min(free[column]), max(free[column]), 32 * MIB), column
    assert memory["used_bytes"] == memory["total_bytes"] - memory["available_bytes"]


def test_the_limit_is_the_one_that_podman_has_set(host, facts, way):
    container = host.ansible.get_variables()["lab_container"]
    inspected = subprocess.run(["podman", "inspect", container], stdout=subprocess.PIPE, check=True)
    limit = json.loads(inspected.stdout)[0]["HostConfig"]["Memory"]
    memory = facts("memory", way)
    assert memory["cgroup"]["limit_bytes"] == limit
    assert memory["limit_bytes"] == limit
    assert 0 < memory["cgroup"]["used_bytes"] <= memory["cgroup"]["usage_bytes"] < limit
    assert memory["limit_available_bytes"] == limit - memory["cgroup"]["used_bytes"]
