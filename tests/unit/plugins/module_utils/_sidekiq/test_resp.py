# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis' protocol, in whatever pieces it arrives. tests/servers asks a real Redis."""

from __future__ import annotations

import socket
import threading

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.resp import (
    Connection,
    Refusal,
    as_int,
    as_text,
    as_texts,
    encode,
)


def answer(parts, commands=1):
    """Return what a Connection makes of an answer that arrives in `parts`."""
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


def test_bytes_that_are_not_utf_8_survive_the_round_trip():
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
        b":9223372036854775808\r\n",
    ],
)
def test_what_is_no_answer_is_a_failure(data):
    with pytest.raises(ServerFailure, match="check that it is Redis") as caught:
        answer([data])
    assert caught.value.cause == "protocol"


@pytest.mark.parametrize(("convert", "reply"), [(as_int, 7), (as_text, "a"), (as_text, None), (as_texts, ["a", None])])
def test_a_reply_of_the_expected_type_is_returned(convert, reply):
    assert convert(Connection("Redis at nowhere", 1), reply) == reply


@pytest.mark.parametrize(
    ("convert", "reply"),
    [(as_int, "7"), (as_int, None), (as_text, 7), (as_text, []), (as_texts, None), (as_texts, [1])],
)
def test_a_reply_of_another_type_is_a_failure(convert, reply):
    with pytest.raises(ServerFailure, match="not the Redis protocol") as caught:
        convert(Connection("Redis at nowhere", 1), reply)
    assert caught.value.cause == "protocol"


def test_a_refused_port_is_unreachable():
    with socket.socket() as taken:
        # Bound and not listening: nothing else can take the port, and it refuses connections.
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ServerFailure, match="cannot connect: Connection refused") as caught:
            Connection("Redis at nowhere", 30).open_tcp("127.0.0.1", taken.getsockname()[1])
    assert caught.value.cause == "unreachable"


def test_a_missing_socket_is_unreachable(tmp_path):
    with pytest.raises(ServerFailure, match="cannot connect: No such file or directory"):
        Connection("Redis at nowhere", 30).open_unix(str(tmp_path / "sock"))


def test_a_connection_that_was_not_opened_cannot_be_asked():
    with pytest.raises(RuntimeError, match="open_tcp or open_unix must come first"):
        Connection("Redis at nowhere", 30).ask("PING")


@pytest.mark.parametrize("kind", ["stalls", "sends no answer"])
def test_a_silent_server_is_a_timeout(kind):
    here, there = socket.socketpair()
    connection = Connection("Redis at nowhere", 0.01)
    connection._socket = here
    if kind == "stalls":
        there.sendall(b"$5\r\nab")
    with pytest.raises(ServerFailure, match=r"no answer within 0\.01 s \(while asking PING\)") as caught:
        connection.ask("PING")
    assert caught.value.cause == "timeout"
    connection.close()
    there.close()


def test_a_refusal_is_safe_to_print():
    (refusal,) = answer([b"-ERR \x1b[2J\xff\r\n"])
    assert str(refusal) == r"ERR \x1b[2J\udcff"
