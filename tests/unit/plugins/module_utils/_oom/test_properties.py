# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parser raises no exception, whatever bytes a log has."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import events as oom_events, facts as oom_facts
from paths import BOXES

LOGS = str(BOXES / "oomlogs")


def recorded():
    found = []
    for folder, _folders, names in os.walk(LOGS):
        for name in sorted(names):
            if name.endswith(".log"):
                with open(os.path.join(folder, name), "rb") as stream:
                    found.append(stream.read(24000))
    return sorted(found)


RECORDED = recorded()
PIECES = [
    b"Out of memory: ", b"Memory cgroup out of memory: ", b"Killed process 1 (", b"Kill process 2 (",
    b") total-vm:3kB, ", b"anon-rss:4kB", b" invoked oom-killer: ", b"oom-kill:constraint=CONSTRAINT_MEMCG,",
    b",task=x,pid=5,uid=6", b",oom_memcg=/a", b"[ 1.000001] ", b"Oct  3 22:19:59 host kernel: ",
    b"2026-01-01T00:00:00Z ", b"{\"", b"\"MESSAGE\": ", b"\"msg\": \"", b"}", b"\\x0a", b"3,4,5,-;", b"<3>", b"\n",
    b"\n        ", b"(", b")", b"\xff", b"[ 1] 2 3 4 5 6", b"[ pid ] uid tgid name", b"Task in /x ",
    b"killed as a result of limit of /y", b"memory: usage 1kB, limit 2kB", b"sending SIGTERM to process 1 \"",
    b"score 5 or", b"memory.oom.group set are going to be killed", b"is already exiting", b"OOM victim 1 (", b"> ",
    b"| ", b"\x1b[1m", b"#012",
]  # fmt: skip


def check(data):
    facts = oom_facts.parse({"log": _reader.decode(data)}, logs=["log"], now=1795000000)
    assert facts["kills_in_log"] >= len(facts["events"])
    for event in facts["events"]:
        assert tuple(event) == oom_events.KEYS
        assert isinstance(event["pid"], int)
        assert event["constraint"] in ("system", "memcg", "cpuset", "mempolicy", "unknown")


@given(st.binary(max_size=2000))
def test_any_bytes(data):
    check(data)


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=6)), max_size=60))
@settings(max_examples=300, deadline=None)
def test_pieces_of_messages_in_any_order(pieces):
    check(b"".join(pieces))


@given(st.sampled_from(RECORDED), st.integers(0, 24000), st.integers(0, 24000), st.binary(max_size=8))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_recorded_logs_cut_and_damaged_anywhere(data, start, end, damage):
    check(data[start:end] + damage + data[:start])


def test_a_megabyte_in_one_line():
    for piece in PIECES:
        check(piece * ((1 << 20) // len(piece)))
