# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test which process is connected to which, in tables as the kernel prints them."""

from __future__ import annotations

import os
import socket

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import connections
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.connections import Connection

HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
REST = "00000000:00000000 00:00000000 00000000   999        0"
# Redis listens on 6379 of the loopback; Ruby (pid 200) and another host (192.0.2.9) are connected; it also follows a
# master on 192.0.2.1:6380.
TCP = HEADING + "".join(
    f"   {number}: {row} {REST} {inode} 1 0000000000000000 100 0 0 10 0\n"
    for number, (row, inode) in enumerate(
        [
            ("0100007F:18EB 00000000:0000 0A", 10),
            ("0100007F:18EB 0100007F:C001 01", 11),
            ("0100007F:C001 0100007F:18EB 01", 20),
            ("0A0200C0:18EB 090200C0:C002 01", 12),
            ("0A0200C0:C003 010200C0:18EC 01", 13),
        ]
    )
)
UNIX = (
    "Num       RefCount Protocol Flags    Type St Inode Path\n"
    "0000000000000000: 00000002 00000000 00010000 0001 01 14 /run/redis/redis.sock\n"
    "0000000000000000: 00000003 00000000 00000000 0001 03 15 /run/redis/redis.sock\n"
    "0000000000000000: 00000003 00000000 00000000 0001 03 16\n"
)
LINKS = {
    100: ["socket:[10]", "socket:[11]", "socket:[12]", "socket:[13]", "socket:[14]", "socket:[15]", "/dev/null"],
    200: ["socket:[20]", "pipe:[3]"],
}


def test_clients_of_a_server_on_this_host_on_another_and_over_a_file():
    assert connections.parse({"/proc/net/tcp": TCP, "/proc/net/unix": UNIX}, LINKS) == [
        Connection(100, 200, "tcp/6379 from 127.0.0.1"),
        Connection(100, None, "tcp/6379 from 192.0.2.9"),
        Connection(100, None, "/run/redis/redis.sock"),
    ]


def test_both_ends_may_have_the_address_in_another_form():
    rows = TCP.splitlines(keepends=True)
    six = rows[2].replace("0100007F", "0000000000000000FFFF00000100007F")
    found = connections.parse({"/proc/net/tcp": "".join(rows[:2] + rows[3:4]), "/proc/net/tcp6": HEADING + six}, LINKS)
    assert found == [Connection(100, 200, "tcp/6379 from 127.0.0.1")]


@pytest.mark.parametrize("sources", [{}, {"/proc/net/tcp": "garbage\n 1: x"}, {"/proc/net/unix": HEADING}])
def test_tables_that_are_missing_or_damaged_have_no_connections(sources):
    assert connections.parse(sources, LINKS) == []


def test_a_real_connection_is_found():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _address = server.accept()
        with accepted:
            sources, links = connections.read()
            place = f"tcp/{server.getsockname()[1]} from 127.0.0.1"
            assert Connection(os.getpid(), os.getpid(), place) in connections.parse(sources, links)
            assert client.fileno() > 0
