# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets by protocol and state."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import sockets

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
SOCKSTAT = (
    "sockets: used 237\nTCP: inuse 10 orphan 2 tw 5 alloc 12 mem 3\nUDP: inuse 4 mem 1\nRAW: inuse 0\nFRAG: inuse 0\n"
)


def row(number, state, v6=False):
    address = "0" * 32 if v6 else "0100007F"
    return f"   {number}: {address}:1F90 {address}:0000 {state} 00000000:00000000 00:00000000 00000000 0 0 5 1\n"


def test_states_of_both_families_are_added_up():
    sources = {
        "/proc/net/tcp": HEAD + row(0, "0A") + row(1, "01") + row(2, "0C"),
        "/proc/net/tcp6": HEAD + row(0, "0A", v6=True) + row(1, "FF", v6=True) + row(2, "00", v6=True),
        "/proc/net/udp": HEAD + row(0, "07"),
        "/proc/net/unix": "Num RefCount Protocol\n0000000000000000: 00000002 0\nffff8800: 0002 @/x\n",
    }
    found = sockets.parse(sources, 4096)
    assert found["tcp"]["listen"] == 2
    assert (found["tcp"]["established"], found["tcp"]["new_syn_recv"], sum(found["tcp"].values())) == (1, 1, 4)
    assert (found["udp"], found["unix"]) == (1, 2)


def test_counters_and_limits():
    sources = {
        "/proc/net/sockstat": SOCKSTAT,
        "/proc/net/sockstat6": "TCP6: inuse 7\nUDP6: inuse 3\n",
        "/proc/sys/net/ipv4/tcp_mem": "18999 25334 37998\n",
        "/proc/sys/net/ipv4/tcp_max_orphans": "8192\n",
    }
    assert sockets.parse(sources, 4096) == {
        "used": 237,
        "tcp": None,
        "tcp_in_use": 17,
        "tcp_orphaned": 2,
        "tcp_max_orphaned": 8192,
        "tcp_time_wait": 5,
        "tcp_memory_bytes": 12288,
        "tcp_max_memory_bytes": 37998 * 4096,
        "udp": None,
        "unix": None,
    }


def test_without_sources_everything_is_unknown():
    assert set(sockets.parse({}, 4096).values()) == {None}


@pytest.mark.parametrize("text", ["1 2", "1 2 x", "1 2 3 4", "1 2 " + "9" * 20])
def test_a_broken_limit_is_unknown(text):
    assert sockets.parse({"/proc/sys/net/ipv4/tcp_mem": text}, 4096)["tcp_max_memory_bytes"] is None


def test_this_host():
    found = sockets.parse(_reader.read_files(sockets.SOURCES), 4096)
    assert found["used"] > 0 and found["unix"] is not None


@given(st.text() | st.text(alphabet="0123456789ABCDEF: \nTCPusedinmem", max_size=200))
def test_no_text_makes_it_raise(text):
    sockets.parse(dict.fromkeys(sockets.SOURCES, text), 4096)
