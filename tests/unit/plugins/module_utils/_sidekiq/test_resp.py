# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol of Redis, in whatever pieces it comes. A real Redis is asked in tests/servers."""

from __future__ import annotations

import socket
import threading

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._asking import within
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.resp import Connection, Refusal, encode


def answer(parts, commands=1):
    """What a Connection makes of an answer that comes in V(parts)."""
    here, there = socket.socketpair()
    connection = Connection("Redis at nowhere", 30)
    connection._socket = here

    def serve():
        there.recv(1000)
        for part in parts:
            there.sendall(part)
        there.close()

    sender = threading.Thread(target=serve)
    sender.start()
    try:
        return connection.ask_all([["PING"]] * commands)
    finally:
        sender.join()
        connection.close()


def written(value):
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, list):
        return b"*%d\r\n" % len(value) + b"".join(map(written, value))
    data = value.encode("utf-8", "surrogateescape")
    return b"$%d\r\n%s\r\n" % (len(data), data)


VALUES = st.recursive(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(alphabet=st.characters(blacklist_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.lists(st.integers(1, 40), max_size=8))
def test_any_answer_in_any_pieces(value, cuts):
    data, parts = written(value), []
    for cut in cuts:
        parts.append(data[:cut])
        data = data[cut:]
    assert answer([part for part in [*parts, data] if part]) == [value]


def test_a_refusal_hides_no_other_answer():
    first, second, third = answer([b"+OK\r\n-WRONGTYPE it is a list\r\n:7\r\n"], commands=3)
    assert (first, third) == ("OK", 7)
    assert isinstance(second, Refusal)
    assert (second.code, str(second)) == ("WRONGTYPE", "WRONGTYPE it is a list")


def test_bytes_that_are_no_text_come_back_as_they_were():
    (name,) = answer([b"$3\r\n\xff\x00a\r\n"])
    assert encode(["GET", name]) == b"*2\r\n$3\r\nGET\r\n$3\r\n\xff\x00a\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"+OK",
        b"$5\r\nab",
        b"$x\r\n",
        b"*1\r\n" * 40,
        b"$-2\r\n",
        b"\x15\x03\x01\x00\x02",
        b"*999999999999\r\n",
    ],
)
def test_what_is_no_answer(data):
    with pytest.raises(ServerFailure, match="is it Redis") as caught:
        answer([data])
    assert caught.value.cause == "protocol"


def test_waiting():
    assert within(30, lambda: 5) == 5
    with pytest.raises(KeyError):
        within(30, lambda: {}["nothing"])
    over = threading.Event()
    with pytest.raises(TimeoutError, match=r"within 0\.01 s"):
        within(0.01, over.wait)
    over.set()
