# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.redis import (
    address,
    asked,
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
def test_urls(url, said):
    found = from_url(url)
    assert {key: found[key] for key in said} == said


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
def test_what_is_no_url(url):
    with pytest.raises(ValueError, match="^url"):
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
def test_addresses(text, found):
    assert address(text) == found


@pytest.mark.parametrize("text", ["", "::1", "a:b", "a:0", "a:65536", "[::1"])
def test_what_is_no_address(text):
    with pytest.raises(ValueError, match="no address"):
        address(text)


def test_options_come_before_the_url():
    found = target({"url": "redis://u:one@localhost/3", "password": "two"})
    assert (found["username"], found["password"], found["database"], found["host"]) == ("u", "two", 3, "localhost")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "127.0.0.1:6379/0"),
        ({"url": "rediss://u:secret@r/2", "prefix": "banks:"}, "r:6379/2 banks:"),
        ({"socket": "/run/r.sock", "database": 1}, "/run/r.sock/1"),
        ({"sentinels": ["a", "b"], "sentinel_master": "crawl", "password": "secret"}, "crawl/0"),
    ],
)
def test_what_is_asked_in_words(options, words):
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
def test_what_redis_refuses(words, cause):
    failure = refused(Connection("Redis at nowhere", 1), Refusal(words))
    assert failure.cause == cause
    assert words in str(failure)
