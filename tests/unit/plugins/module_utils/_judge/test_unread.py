# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the list of parts that could not be read."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import facts as probe_facts, thresholds, verdict
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.unread import unread


def test_a_host_that_says_nothing():
    assert unread(probe_facts.parse({}, 60), {}, None) == [
        "memory",
        "processes",
        "file systems",
        "descriptors",
        "OOM kills",
        "load",
        "kernel tables",
    ]


def test_a_host_that_was_read_whole(box):
    sources = box("debian-13")
    facts, table = probe_facts.parse(sources, 60), probe_facts.process_table(sources)
    assert unread(facts, table, 0) == []


def test_a_login_without_root(box):
    sources = box("debian-13")
    kept = {path: text for path, text in sources.items() if not path.startswith("/proc/1/")}
    kept["fds"] = "".join(line + "\n" for line in sources["fds"].splitlines()[2:])
    facts, table = probe_facts.parse(kept, 60), probe_facts.process_table(kept)
    missing = unread(facts, table, 0)
    assert missing[0] == "other users' processes"
    assert missing[1] in ("descriptors of 1 process", "descriptors of 2 processes")
    judged = verdict.judge(facts, table, probe_facts.watchdog(kept), thresholds.merge([]), [], 60)
    assert verdict.summary(judged, facts).endswith(f"not read: {', '.join(judged['unread'])}")


def test_a_mount_that_was_not_asked():
    sources = {
        "/proc/self/mountinfo": "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /var rw - ext4 /dev/sda2 rw\n",
        "statfs": "4096 4096 1000 900 900 1000 900 /\n",
    }
    assert "1 file system" in unread(probe_facts.parse(sources, 60), {}, 0)


LISTENS = "   0: 00000000:{:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 {} 1\n"


@pytest.mark.parametrize(
    ("tables", "holders", "missing"),
    [
        ({}, "", ["listeners"]),
        ({"/proc/net/tcp": LISTENS.format(22, 77) + LISTENS.format(80, 78)}, "", ["processes of 2 listeners"]),
        ({"/proc/net/tcp": LISTENS.format(22, 77) + LISTENS.format(2049, 78)}, "77 812\n", []),
        ({"/proc/net/tcp": ""}, "", []),
    ],
)
def test_listeners_whose_processes_could_not_be_read(box, tables, holders, missing):
    sources = {**box("debian-13"), **tables, "sockets": holders}
    for path in ("/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp", "/proc/net/udp6"):
        if path not in tables:
            sources.pop(path, None)
    facts = probe_facts.parse(sources, 60, expected=())
    assert unread(facts, probe_facts.process_table(sources), 0) == missing


def test_a_process_that_ended_meanwhile_is_not_unread(box):
    sources = box("debian-13")
    table = probe_facts.process_table(sources)
    facts = probe_facts.parse(sources, 60)
    for total, unreadable, said in ((200, 2, False), (200, 3, True), (20, 2, True)):
        facts["lifeline_fds"].update(processes_total=total, unreadable=unreadable)
        assert any("descriptors of" in one for one in unread(facts, table, 0)) is said
