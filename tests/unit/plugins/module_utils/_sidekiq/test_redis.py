# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs, addresses and options of Redis, and the errors that a Redis or a Sentinel answers with."""

from __future__ import annotations

import socket
import threading

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.redis import (
    address,
    asked,
    connect,
    from_url,
    refused,
    target,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.resp import Connection, Refusal


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "redis://localhost",
            {"host": "localhost", "port": 6379, "database": 0, "tls": False, "username": None, "password": None},
        ),
        ("redis://", {"host": "127.0.0.1", "port": 6379}),
        (
            "rediss://u:p%40ss%20%C3%B6@r.example.com:6380/12",
            {
                "host": "r.example.com",
                "port": 6380,
                "database": 12,
                "tls": True,
                "username": "u",
                "password": "p@ss \u00f6",
            },
        ),
        ("redis://:p@[2001:db8::1]:7/", {"host": "2001:db8::1", "port": 7, "username": None, "password": "p"}),
        ("unix:///run/redis.sock?db=2", {"socket": "/run/redis.sock", "database": 2}),
        ("unix://:p@/run/redis.sock", {"socket": "/run/redis.sock", "database": 0, "password": "p"}),
    ],
)
def test_from_url(url, said):
    found = from_url(url)
    assert {key: getattr(found, key) for key in said} == said


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "http://localhost",
        "redis://localhost/crawl",
        "redis://localhost:99999",
        "unix://run/redis",
        "unix:///run/redis?db=x",
        "redis://localhost?ssl=true",
    ],
)
def test_from_url_refuses_what_is_no_url_of_redis(url):
    with pytest.raises(ValueError, match="^url: .*; write "):
        from_url(url)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("sentinel1", ("sentinel1", 26379)),
        ("192.0.2.1:7", ("192.0.2.1", 7)),
        ("[2001:db8::1]", ("2001:db8::1", 26379)),
        (" [::1]:5 ", ("::1", 5)),
    ],
)
def test_address(text, found):
    assert address(text) == found


@pytest.mark.parametrize("text", ["", "::1", "a:b", "a:0", "a:65536", "[::1"])
def test_address_refuses_what_is_none(text):
    with pytest.raises(ValueError, match="^sentinels: not an address "):
        address(text)


def test_options_override_the_url():
    found = target({"url": "redis://u:one@localhost/3", "password": "two"})
    assert (found.username, found.password, found.database, found.host) == ("u", "two", 3, "localhost")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "127.0.0.1:6379/0"),
        ({"url": "rediss://u:secret@r/2", "prefix": "banks:"}, "r:6379/2 banks:"),
        ({"socket": "/run/r.sock", "database": 1}, "/run/r.sock/1"),
        ({"sentinels": ["a", "b"], "sentinel_master": "crawl", "password": "secret"}, "crawl/0"),
    ],
)
def test_asked_has_no_secret(options, words):
    assert asked(options) == words


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("NOAUTH Authentication required.", "login"),
        ("WRONGPASS invalid username-password pair or user is disabled.", "login"),
        ("ERR invalid password", "login"),
        ("ERR AUTH <password> called without any password configured", "login"),
        ("ERR Client sent AUTH, but no password is set", "login"),
        ("NOPERM this user has no permissions", "login"),
        ("WRONGTYPE Operation against a key", "nothing"),
        ("LOADING Redis is loading the dataset in memory", "refused"),
        ("MASTERDOWN Link with MASTER is down", "refused"),
    ],
)
def test_an_error_of_redis_has_a_cause(words, cause):
    failure = refused(Connection("Redis at nowhere", 1), Refusal(words))
    assert failure.cause == cause
    assert words in str(failure)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"port": 65536}, "port: out of range (65536); use 1 to 65535"),
        ({"database": -1}, "database: out of range (-1); use 0 or more"),
        ({"username": "u"}, "username: given without a password ('u'); set password as well"),
    ],
)
def test_target_refuses_what_cannot_work(options, words):
    with pytest.raises(ValueError) as caught:
        target(options)
    assert str(caught.value) == words


@pytest.fixture
def server():
    """Return a function that serves one reply per read, on any number of connections, and returns the port."""
    opened = []

    def start(*replies):
        listener = socket.create_server(("127.0.0.1", 0))
        opened.append(listener)
        waiting = list(replies)

        def serve():
            while True:
                try:
                    connection, _address = listener.accept()
                except OSError:
                    return
                with connection:
                    while connection.recv(65536) and waiting:
                        connection.sendall(waiting.pop(0))

        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1]

    yield start
    for listener in opened:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def sentinels(*ports):
    return {"sentinels": [f"127.0.0.1:{port}" for port in ports], "sentinel_master": "crawl", "database": 2}


def named(port):
    text = str(port).encode()
    return b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n" % (len(text), text)


MASTER = b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"
REPLICA = b"*2\r\n$5\r\nslave\r\n$1\r\nx\r\n"


def test_connect_logs_in_and_selects_the_database(server):
    port = server(b"+OK\r\n", b"+OK\r\n", b"+PONG\r\n")
    connection = connect({"port": port, "username": "u", "password": "p", "database": 3}, 30)
    assert connection.ask("PING") == "PONG"
    connection.close()


def test_connect_reports_a_wrong_password(server):
    port = server(b"-WRONGPASS invalid username-password pair\r\n")
    with pytest.raises(ServerFailure) as caught:
        connect({"port": port, "password": "p"}, 30)
    assert str(caught.value) == (
        f"Redis at 127.0.0.1:{port}: authentication failed (WRONGPASS invalid username-password pair); "
        "check username and password"
    )


def test_the_first_sentinel_that_knows_the_master_is_used(server):
    master = server(b"+OK\r\n", MASTER)
    ignorant, knowing = server(b"$-1\r\n"), server(named(master))
    connection = connect(sentinels(ignorant, knowing), 30)
    connection.close()
    assert connection.name == (
        f"Redis at 127.0.0.1:{master}, the master that the Sentinel at 127.0.0.1:{knowing} names"
    )


def test_a_master_without_permission_for_role_is_used(server):
    master = server(b"+OK\r\n", b"-NOPERM no role\r\n")
    connect(sentinels(server(named(master))), 30).close()


@pytest.mark.parametrize(
    ("answer", "cause", "words"),
    [
        (b"$-1\r\n", "nothing", "no master of this name ('crawl')"),
        (b"-NOAUTH Authentication required.\r\n", "login", "authentication failed"),
        (b"*1\r\n$1\r\na\r\n", "protocol", "not the Redis protocol"),
        (b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", "protocol", "not the Redis protocol"),
        (b":7\r\n", "protocol", "not the Redis protocol"),
    ],
)
def test_a_sentinel_without_a_usable_answer_is_a_failure(answer, cause, words, server):
    with pytest.raises(ServerFailure) as caught:
        connect(sentinels(server(answer)), 30)
    assert caught.value.cause == cause
    assert words in str(caught.value)


def test_a_master_that_became_a_replica_is_not_used(server):
    replica = server(b"+OK\r\n", REPLICA)
    with pytest.raises(ServerFailure, match="is a replica now") as caught:
        connect(sentinels(server(named(replica))), 30)
    assert caught.value.cause == "refused"
