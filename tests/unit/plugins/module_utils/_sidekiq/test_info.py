# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the checks and results of sidekiq_info with a simulated Redis; tests/servers uses real ones."""

from __future__ import annotations

import socket
import threading

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import info

OPTIONS = {"timeout": 30.0, "prefix": ""}
REPLIES = {
    b"SCARD": b":0\r\n",
    b"ZCARD": b":0\r\n",
    b"SSCAN": b"*2\r\n$1\r\n0\r\n*0\r\n",
    b"INFO": b"$10\r\n# Keyspace\r\n",
}


@pytest.fixture
def server():
    """Start a server that answers each GET with the next of `counts`, and with REPLIES; return the module's options."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(counts):
        def answer():
            while True:
                try:
                    connection, _address = listener.accept()
                except OSError:
                    return
                with connection, connection.makefile("rb") as lines:
                    while True:
                        line = lines.readline()
                        if not line:
                            break
                        words = [lines.read(int(lines.readline()[1:]) + 2)[:-2] for _word in range(int(line[1:]))]
                        connection.sendall(next(counts) if words[0] == b"GET" else REPLIES[words[0]])

        threading.Thread(target=answer, daemon=True).start()
        return {**OPTIONS, "port": listener.getsockname()[1]}

    yield serve
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def counts(*numbers):
    return iter(b"$%d\r\n%d\r\n" % (len(str(number)), number) for number in numbers)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": 0}, "timeout: out of range (0); use more than 0 and at most 300 seconds"),
        ({"timeout": 301}, "timeout: out of range (301); use more than 0 and at most 300 seconds"),
        ({"interval": 9}, "interval: out of range (9); use 10 to 600 seconds"),
        ({"interval": 601}, "interval: out of range (601); use 10 to 600 seconds"),
        ({"sentinels": []}, "sentinels: empty list; give one address or more"),
        ({"port": 0}, "port: out of range (0); use 1 to 65535"),
    ],
)
def test_check_refuses_what_cannot_work(options, words):
    with pytest.raises(ValueError) as caught:
        info.check({**OPTIONS, **options})
    assert str(caught.value) == words


def test_check_accepts_the_defaults():
    info.check(OPTIONS)


def test_secrets_are_the_url_s_password_as_written_and_as_meant():
    assert info.secrets({"url": "redis://:p%40ss@localhost"}) == ["p@ss", "p%40ss"]
    assert info.secrets({"url": "redis://localhost"}) == info.secrets({}) == []


def test_result_with_an_earlier_reading(server):
    options = server(counts(160, 2))
    found = info.result({**options, "since": {"time": 0.0, "processed": 100, "failed": 1}})
    assert found["asked"] == f"127.0.0.1:{options['port']}/0"
    assert (found["sidekiq"]["processed"], found["sidekiq"]["failed"]) == (160, 2)
    assert (found["rate"]["processed"], found["rate"]["failed"], found["rate_missing"]) == (60, 1, None)
    assert (found["reading"]["processed"], found["reading"]["failed"]) == (160, 2)
    assert found["msg"].startswith("160 processed (")


def test_result_without_an_earlier_reading_has_no_rate(server):
    found = info.result(server(counts(7, 0)))
    assert (found["rate"], found["rate_missing"]) == (None, "there is no earlier reading")


def test_an_interval_reads_twice(server):
    slept = []
    found = info.result({**server(counts(7, 0, 9, 0)), "interval": 10.0}, slept.append)
    assert slept == [10.0]
    assert found["sidekiq"]["processed"] == 9
    assert found["rate"] is None and found["rate_missing"].startswith("the earlier reading is ")


def test_a_database_without_sidekiq_is_a_failure(server):
    with pytest.raises(ServerFailure, match="no data of Sidekiq in this database") as caught:
        info.result(server(iter([b"$-1\r\n", b"$-1\r\n"])))
    assert caught.value.cause == "nothing"


def test_an_error_of_redis_is_a_failure(server):
    with pytest.raises(ServerFailure, match="authentication failed") as caught:
        info.result(server(iter([b"-NOAUTH Authentication required.\r\n"] * 2)))
    assert caught.value.cause == "login"
