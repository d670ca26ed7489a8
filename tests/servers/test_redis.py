# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test all ways to connect to a real Redis, and the messages of all errors."""

from __future__ import annotations

import contextlib
import socket
import time
from urllib.parse import quote

import pytest
from servers import serving

PASSWORD = serving.PASSWORD
# The module finds a Sidekiq that has once processed a job.
FED = ("SET", "stat:processed", "7")


@pytest.fixture(scope="module")
def plain(redis):
    redis.cli(*FED, database=5)
    return redis


@pytest.fixture(scope="module")
def closed(folder):
    """Run a Redis with a password and a user with the permissions from the documentation."""
    server = serving.Redis(
        folder,
        "closed",
        f"""requirepass "{PASSWORD}"
user lifeline on "#{_sha256(PASSWORD)}" ~* resetchannels +get +zcard +scard +sscan +llen +lindex +sismember \
+hmget +hgetall
user useless on nopass +ping
""",
    )
    server.cli(*FED, env={"REDISCLI_AUTH": PASSWORD, "PATH": "/usr/bin"})
    yield server
    server.stop()


def _sha256(text):
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def by_tls(folder, tls):
    server = serving.Redis(
        folder,
        "by-tls",
        f"tls-cert-file {tls.cert}\ntls-key-file {tls.key}\ntls-ca-cert-file {tls.ca}\ntls-auth-clients optional\n",
        plain=False,
    )
    serving.run("redis-cli", "-p", str(server.port), "--tls", "--cacert", str(tls.ca), *FED)
    yield server
    server.stop()


def processed(result):
    assert not result.get("failed"), result["msg"]
    return result["sidekiq"]["processed"]


def failure(result, cause, *words):
    assert result.get("failed"), result
    assert result.get("cause") == cause, result["msg"]
    for word in words:
        assert word in result["msg"]


def test_by_port_and_url(module, plain):
    assert processed(module("sidekiq_info", port=plain.port, database=5)) == 7
    assert processed(module("sidekiq_info", url=f"redis://localhost:{plain.port}/5")) == 7


def test_by_socket(module, plain, folder):
    assert processed(module("sidekiq_info", socket=folder + "/redis/sock", database=5)) == 7
    assert processed(module("sidekiq_info", url=f"unix://{folder}/redis/sock?db=5")) == 7


def test_by_password(module, closed):
    assert processed(module("sidekiq_info", port=closed.port, password=PASSWORD)) == 7
    assert processed(module("sidekiq_info", url=f"redis://:{quote(PASSWORD)}@127.0.0.1:{closed.port}")) == 7


def test_by_a_user_with_only_the_documented_permissions(module, closed):
    assert processed(module("sidekiq_info", port=closed.port, username="lifeline", password=PASSWORD)) == 7
    assert processed(module("sidekiq_info", url=f"redis://lifeline:{quote(PASSWORD)}@localhost:{closed.port}/0")) == 7


def test_by_tls(module, by_tls, tls):
    assert processed(module("sidekiq_info", port=by_tls.port, tls=True, ca_path=str(tls.ca))) == 7
    assert processed(module("sidekiq_info", url=f"rediss://localhost:{by_tls.port}/0", ca_path=str(tls.ca))) == 7
    assert processed(module("sidekiq_info", port=by_tls.port, tls=True, validate_certs=False)) == 7
    assert (
        processed(
            module(
                "sidekiq_info",
                port=by_tls.port,
                tls=True,
                ca_path=str(tls.ca),
                client_cert=str(tls.cert),
                client_key=str(tls.key),
            )
        )
        == 7
    )


def test_nothing_is_written(module, plain):
    before = plain.cli("INFO", "persistence").split("rdb_changes_since_last_save:")[1].split()[0]
    module("sidekiq_info", port=plain.port, database=5)
    assert plain.cli("INFO", "persistence").split("rdb_changes_since_last_save:")[1].split()[0] == before


def test_down(module):
    result = module("sidekiq_info", port=serving.free_port())
    failure(result, "unreachable", "Redis at 127.0.0.1:", "refused")


def test_no_socket(module, folder):
    failure(module("sidekiq_info", socket=folder + "/nowhere.sock"), "unreachable", "/nowhere.sock", "No such file")


def test_no_such_name(module):
    failure(module("sidekiq_info", host="no-such-host.invalid"), "unreachable", "name no-such-host.invalid")


@pytest.mark.parametrize("delay", [10, None])
def test_slow(module, plain, slow, delay):
    result = module("sidekiq_info", port=slow(plain.port, delay), timeout=1)
    failure(result, "timeout", "Redis at 127.0.0.1:", "no answer within 1 s")


def test_slow_by_tls(module, by_tls, tls, slow):
    result = module("sidekiq_info", port=slow(by_tls.port), tls=True, ca_path=str(tls.ca), timeout=1)
    failure(result, "timeout", "no answer within 1 s")


def test_a_slow_answer_in_time_is_no_error(module, plain, slow):
    assert processed(module("sidekiq_info", port=slow(plain.port, 0.1), database=5, timeout=30)) == 7


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"password": "guess"}, ["authentication failed", "check username and password"]),
        ({"username": "lifeline", "password": "guess"}, ["WRONGPASS"]),
        ({"username": "nobody-we-know", "password": PASSWORD}, ["WRONGPASS"]),
        ({}, ["authentication failed", "set password"]),
        ({"username": "useless", "password": "any"}, ["this user may not read Sidekiq's keys", "NOPERM"]),
    ],
)
def test_a_wrong_login(module, closed, options, words):
    failure(module("sidekiq_info", port=closed.port, **options), "login", *words)


def test_an_unneeded_password(module, plain):
    failure(
        module("sidekiq_info", port=plain.port, password=f"x-{time.time()}"), "login", "without any password configured"
    )


def served(port):
    """Open a connection that Redis accepts, which may need a moment to drop the previous one."""
    while True:
        connection = socket.create_connection(("127.0.0.1", port))
        with contextlib.suppress(OSError):
            connection.sendall(b"PING\r\n")
            if connection.recv(100) == b"+PONG\r\n":
                return connection
        connection.close()


def test_a_redis_that_is_full(module, folder):
    server = serving.Redis(folder, "full", "maxclients 1\n")
    try:
        with contextlib.closing(served(server.port)):
            result = module("sidekiq_info", port=server.port)
            # Redis sends an error and closes the connection; the error may or may not arrive first.
            assert result["cause"] in ("refused", "protocol"), result
            assert "max number of clients reached" in result["msg"] or "its number of clients" in result["msg"]
    finally:
        server.stop()


def test_another_database(module, plain):
    failure(module("sidekiq_info", port=plain.port, database=9), "nothing", "no data of Sidekiq", "keys in db5")
    failure(module("sidekiq_info", port=plain.port, database=99), "refused", "out of range")


def test_another_prefix(module, plain):
    failure(module("sidekiq_info", port=plain.port, database=5, prefix="banks:"), "nothing", "'banks:'")


def test_keys_of_another_program(module, plain):
    plain.cli("SET", "processes", "of the town council", database=6)
    failure(module("sidekiq_info", port=plain.port, database=6), "nothing", "WRONGTYPE", "database and prefix")


def test_tls_with_an_untrusted_certificate(module, by_tls, tls):
    failure(module("sidekiq_info", port=by_tls.port, tls=True), "tls", "certificate is not trusted", "self-signed")
    failure(
        module("sidekiq_info", port=by_tls.port, host="127.0.0.2", tls=True, ca_path=str(tls.ca)),
        "unreachable",
        "refused",
    )


def test_tls_with_a_plain_server_and_the_other_way_round(module, plain, by_tls):
    failure(module("sidekiq_info", port=plain.port, tls=True, timeout=2), "timeout", "TLS")
    failure(module("sidekiq_info", port=by_tls.port, timeout=2), "protocol", "expects TLS")


@pytest.mark.parametrize(
    "greeting",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"",
        b"$99999999999\r\n",
        b"*1\r\n" * 50,
        b"+" + b"x" * 100000,
        b":many\r\n",
        b"$-7\r\n",
    ],
)
def test_a_server_that_is_no_redis(module, greeting):
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection = server.accept()[0]
            connection.recv(1000)
            connection.sendall(greeting)
            connection.close()

        threading.Thread(target=serve, daemon=True).start()
        failure(module("sidekiq_info", port=server.getsockname()[1]), "protocol", "check that it is Redis")


@pytest.fixture(scope="module")
def sentinels(folder, closed):
    """Run three Sentinels that know the Redis with the password as crawl."""
    found = [
        serving.Redis(
            folder,
            f"sentinel-{number}",
            f"""sentinel monitor crawl 127.0.0.1 {closed.port} 2
sentinel auth-pass crawl "{PASSWORD}"
requirepass "guards {PASSWORD}"
""",
            as_sentinel=True,
        )
        for number in range(3)
    ]
    yield found
    for sentinel in found:
        sentinel.stop()


def through(sentinels, **options):
    return {
        "sentinels": [f"127.0.0.1:{getattr(each, 'port', each)}" for each in sentinels],
        "sentinel_master": "crawl",
        "sentinel_password": "guards " + PASSWORD,
        "password": PASSWORD,
        **options,
    }


def test_by_sentinels(module, sentinels):
    assert processed(module("sidekiq_info", **through(sentinels))) == 7


def test_a_sentinel_that_is_down_and_one_that_hangs(module, sentinels, slow):
    ways = [serving.free_port(), slow(sentinels[0].port, None), sentinels[1]]
    assert processed(module("sidekiq_info", **through(ways, timeout=16))) == 7


def test_no_working_sentinel(module, sentinels):
    failure(
        module("sidekiq_info", **through([serving.free_port(), serving.free_port()])),
        "unreachable",
        "Sentinel at 127.0.0.1:",
        "; ",
    )
    failure(
        module("sidekiq_info", **through(sentinels, sentinel_master="crowl")),
        "nothing",
        "no master of this name ('crowl')",
    )
    failure(module("sidekiq_info", **through(sentinels, sentinel_password="guess")), "login", "Sentinel at")
    failure(
        module("sidekiq_info", **through(sentinels, password="guess")),
        "login",
        "Redis at",
        "the master that the Sentinel at",
    )


def test_a_former_master(module, folder, closed):
    """Make the master a replica: until the Sentinels notice, they still name it as the master."""
    replica = serving.Redis(folder, "replica", "user default on nopass +@all ~* &*\n")
    sentinel = serving.Redis(
        folder,
        "late",
        f"sentinel monitor crawl 127.0.0.1 {replica.port} 1\nsentinel down-after-milliseconds crawl 600000\n",
        as_sentinel=True,
    )
    try:
        replica.cli("REPLICAOF", "127.0.0.1", closed.port)
        failure(
            module("sidekiq_info", sentinels=[f"127.0.0.1:{sentinel.port}"], sentinel_master="crawl"),
            "refused",
            "is a replica now",
        )
    finally:
        sentinel.stop()
        replica.stop()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "http://localhost"}, ["'http'", "redis://"]),
        ({"url": "redis://localhost/first"}, ["'first'", "not a number"]),
        ({"url": "redis://localhost:port/0"}, ["port", "redis://"]),
        ({"url": "unix://run/redis.sock"}, ["unix:///"]),
        ({"url": "redis://localhost?db=3"}, ["?db=3"]),
        ({"url": "redis://localhost", "host": "localhost"}, ["mutually exclusive"]),
        ({"port": 0}, ["port: out of range (0)"]),
        ({"database": -1}, ["database: out of range (-1)"]),
        ({"username": "lifeline"}, ["'lifeline'", "without a password"]),
        ({"timeout": 0}, ["timeout: out of range (0)"]),
        ({"interval": 1}, ["interval: out of range (1); use 10"]),
        ({"sentinels": [], "sentinel_master": "crawl"}, ["sentinels: empty list"]),
        ({"sentinels": ["::1:26379"], "sentinel_master": "crawl"}, ["'::1:26379'", "[2001:db8::1]:port"]),
        ({"sentinels": ["localhost"]}, ["sentinel_master"]),
        ({"tls": True, "ca_path": "/nowhere.pem"}, ["/nowhere.pem", "No such file"]),
        ({"since": {"time": 1}}, ["processed"]),
    ],
)
def test_wrong_options(module, options, words):
    result = module("sidekiq_info", **options)
    assert result["failed"]
    assert "cause" not in result
    for word in words:
        assert word in result["msg"]
