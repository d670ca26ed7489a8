# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsing of Sidekiq's keys in the forms of its releases, and of crafted ones. tests/servers reads real ones."""

from __future__ import annotations

import json

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.resp import Connection, Refusal
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.state import (
    MOST,
    Raw,
    RawProcess,
    RawQueue,
    is_there,
    nothing,
    parse,
    read,
)

NOW = 1795257600.0
FIELDS = ("info", "concurrency", "busy", "beat", "quiet", "rss", "rtt_us")

TOTALS = Raw("7", None, 1, 2, 3, 1, 1, {}, {})


def raw(queues=None, processes=None, **totals):
    queues = {name: RawQueue(size, last, bool(paused)) for name, (size, last, paused) in (queues or {}).items()}
    return TOTALS._replace(queues=queues, processes=processes or {}, **totals)


def process(info, jobs=(), **fields):
    works = {f"thread {number}": json.dumps(job) for number, job in enumerate(jobs)}
    return RawProcess([None if info is None else json.dumps(info), *(fields.get(name) for name in FIELDS[1:])], works)


def latency(**job):
    (queue,) = parse(raw(queues={"crawl": [1, json.dumps(job), 0]}), NOW)["queues"]
    return queue["latency_seconds"]


def test_times_of_jobs_are_seconds_before_sidekiq_8_and_milliseconds_since():
    assert latency(enqueued_at=NOW - 12.5) == 12.5
    assert latency(enqueued_at=int((NOW - 12.5) * 1000)) == 12.5
    assert latency(created_at=NOW - 3.0) == 3
    assert latency(enqueued_at=NOW + 5.0) == 0
    assert latency() == latency(enqueued_at="soon") == latency(enqueued_at=True) == 0


@pytest.mark.parametrize("job", [None, "", "no json", "[]", "7"])
def test_a_job_that_cannot_be_read_has_no_age(job):
    state = parse(raw(queues={"crawl": [3, job, 1]}), NOW)
    assert state["queues"] == [{"name": "crawl", "size": 3, "latency_seconds": 0.0, "paused": True}]
    assert state["enqueued"] == 3


def test_a_process_of_sidekiq_6_0():
    info = {
        "hostname": "box",
        "pid": 9,
        "tag": "",
        "concurrency": 5,
        "queues": ["crawl"],
        "labels": [],
        "started_at": NOW - 60,
    }
    job = {"queue": "crawl", "run_at": int(NOW) - 4, "payload": {"class": "CrawlJob", "jid": "abc", "args": ["secret"]}}
    beaten = process(info, [job], busy="1", beat=str(NOW - 2), quiet="false")
    (found,) = parse(raw(processes={"box:9:f": beaten}), NOW)["processes"]
    assert found["jobs"] == [{"class": "CrawlJob", "jid": "abc", "queue": "crawl", "seconds": 4.0}]
    assert (
        found["concurrency"],
        found["busy"],
        found["rss_bytes"],
        found["redis_rtt_us"],
        found["version"],
        found["tag"],
    ) == (5, 1, None, None, None, None)
    assert found["started"] == "2026-11-21T10:39:00Z"


def test_a_process_of_sidekiq_8_1_has_its_concurrency_in_a_field():
    info = {
        "hostname": "box",
        "pid": 9,
        "version": "8.1.7",
        "capsules": {"default": {"concurrency": 10, "weights": {"crawl": 1, "mail": 0}}},
    }
    job = {
        "queue": "crawl",
        "run_at": int(NOW) - 4,
        "payload": json.dumps({"class": "Wrapper", "wrapped": "MailJob", "jid": "abc"}),
    }
    state = parse(
        raw(
            processes={
                "box:9:f": process(
                    info, [job], concurrency="10", busy="1", beat=str(NOW - 2), quiet="true", rss="2048", rtt_us="150"
                )
            }
        ),
        NOW,
    )
    (found,) = state["processes"]
    assert (found["concurrency"], found["queues"], found["quiet"], found["rss_bytes"], found["redis_rtt_us"]) == (
        10,
        ["crawl", "mail"],
        True,
        2048 * 1024,
        150,
    )
    assert found["jobs"][0]["class"] == "MailJob"
    assert (state["busy"], state["concurrency"], state["busy_percent"], state["rss_bytes"]) == (
        1,
        10,
        10.0,
        2048 * 1024,
    )


def test_a_process_that_did_not_sign_off_has_vanished():
    state = parse(raw(processes={"box:9:f": process(None)}), NOW)
    assert (state["processes"], state["vanished"], state["busy"], state["heartbeat_seconds"]) == (
        [],
        ["box:9:f"],
        None,
        None,
    )


def test_arguments_of_jobs_are_not_returned():
    job = {"queue": "crawl", "run_at": NOW, "payload": json.dumps({"class": "CrawlJob", "args": ["token"]})}
    waiting = json.dumps({"class": "CrawlJob", "args": ["token"], "enqueued_at": NOW})
    state = parse(raw(queues={"crawl": [1, waiting, 0]}, processes={"box:9:f": process({}, [job])}), NOW)
    assert "token" not in json.dumps(state)


def test_is_there():
    assert is_there(raw())
    assert is_there(raw(processed=None))
    assert not is_there(raw(processed=None, processes_total=0, queues_total=0))


CRAFTED = [
    {"class": ["list"], "jid": {"a": 1}, "queue": 7},
    {"payload": 5, "run_at": "nan", "queue": None},
    {"payload": {"class": {"deep": []}, "jid": []}, "run_at": [1]},
    {"payload": "[" * 5000, "run_at": 1e308},
    {"payload": {"class": True}, "run_at": 10**400},
    [1],
    "text",
]


@pytest.mark.parametrize("work", CRAFTED)
def test_crafted_jobs_in_progress_are_parsed(work):
    state = parse(raw(processes={"box:9:f": process({}, [work], beat="1")}), NOW)
    (job,) = state["processes"][0]["jobs"]
    assert set(job) == {"class", "jid", "queue", "seconds"}
    assert all(value is None or isinstance(value, str) for key, value in job.items() if key != "seconds")
    json.dumps(state, allow_nan=False)


@pytest.mark.parametrize("text", ["[" * 100000, '{"enqueued_at": 1e999}', '{"enqueued_at": -1e999}', '{"a": ' * 3000])
def test_crafted_jobs_in_a_queue_have_no_age(text):
    (queue,) = parse(raw(queues={"crawl": (1, text, False)}), NOW)["queues"]
    assert queue["latency_seconds"] == 0.0


@pytest.mark.parametrize(
    "info",
    [
        {"capsules": {"default": 7}},
        {"capsules": [1]},
        {"hostname": ["x"], "pid": "1e999", "queues": {"a": 1}, "labels": [None, ["x"]]},
        {"started_at": 1e300, "tag": 7, "version": [1]},
    ],
)
def test_a_crafted_process_is_parsed(info):
    fields = {"concurrency": "9" * 400, "busy": "inf", "beat": "-1e308", "rss": str(2**62), "rtt_us": "nan"}
    state = parse(raw(processes={"box:9:f": process(info, **fields)}), NOW)
    (found,) = state["processes"]
    assert (found["concurrency"], found["busy"], found["rss_bytes"], found["redis_rtt_us"]) == (None, 0, None, None)
    assert found["started"] is None
    json.dumps(state, allow_nan=False)


def test_counts_fit_into_a_history():
    huge = str(2**80)
    state = parse(raw(queues={"crawl": (2**63 - 1, None, False)}, processed=huge, failed=huge), NOW)
    assert (state["processed"], state["failed"]) == (0, 0)
    assert state["enqueued"] < 2**63 / 1000


class Fake(Connection):
    """A Connection that answers from a dictionary of replies by command."""

    def __init__(self, replies):
        super().__init__("Redis at nowhere", 30)
        self.replies = replies

    def ask_all(self, commands):
        return [self.replies.get(" ".join(map(str, command)), self.replies[command[0]]) for command in commands]


EMPTY = {"GET": None, "ZCARD": 0, "SCARD": 0, "SSCAN": ["0", []], "LLEN": 0, "LINDEX": None, "SISMEMBER": 0}
EMPTY.update(HMGET=[None] * 7, HGETALL=[])


def test_read_asks_for_every_key_below_the_prefix():
    replies = dict(EMPTY)
    replies.update(
        {
            "GET b:stat:processed": "9",
            "SSCAN b:queues 0 COUNT 1000": ["5", ["mail"]],
            "SSCAN b:queues 5 COUNT 1000": ["0", ["crawl", "mail"]],
            "LLEN b:queue:crawl": 4,
            "SISMEMBER b:paused mail": 1,
            "SSCAN b:processes 0 COUNT 1000": ["0", ["box:1:f"]],
            "HMGET b:box:1:f info concurrency busy beat quiet rss rtt_us": ["{}", *[None] * 6],
            "HGETALL b:box:1:f:work": ["t1", "new"],
            "HGETALL b:box:1:f:workers": ["t1", "old", "t2", "older"],
        }
    )
    found = read(Fake(replies), "b:")
    assert found.processed == "9"
    assert found.queues == {"crawl": RawQueue(4, None, False), "mail": RawQueue(0, None, True)}
    assert found.processes == {"box:1:f": RawProcess(["{}", *[None] * 6], {"t1": "new", "t2": "older"})}


def test_read_stops_at_the_most_queues():
    names = [f"q{number:05d}" for number in range(MOST + 1)]
    found = read(Fake({**EMPTY, "SSCAN queues 0 COUNT 1000": ["7", names]}))
    assert list(found.queues) == names[:MOST]


@pytest.mark.parametrize(
    "replies",
    [
        {"GET": 7},
        {"ZCARD": "many"},
        {"SSCAN": "0"},
        {"SSCAN": ["0"]},
        {"SSCAN": [0, []]},
        {"SSCAN": ["0", [["nested"]]]},
        {"SSCAN": ["0", ["name"]], "LLEN": None},
        {"SSCAN": ["0", ["name"]], "HMGET": None},
        {"SSCAN": ["0", ["name"]], "HGETALL": "text"},
    ],
)
def test_a_reply_of_another_type_is_a_failure(replies):
    with pytest.raises(ServerFailure, match="not the Redis protocol") as caught:
        read(Fake({**EMPTY, **replies}))
    assert caught.value.cause == "protocol"


def test_read_raises_the_refusal():
    with pytest.raises(Refusal, match="WRONGTYPE"):
        read(Fake({**EMPTY, "ZCARD": Refusal("WRONGTYPE it is a list")}))


@pytest.mark.parametrize(
    ("keyspace", "words"),
    [
        ("# Keyspace\r\ndb0:keys=1\r\ndb3:keys=2", "it has keys in db0, db3"),
        ("# Keyspace", "it has no keys at all"),
        (Refusal("NOPERM no INFO"), "it does not say which databases have keys"),
    ],
)
def test_nothing_names_the_databases_with_keys(keyspace, words):
    failure = nothing(Fake({"INFO": keyspace}), "banks:")
    assert failure.cause == "nothing"
    assert str(failure) == (
        f"Redis at nowhere: no data of Sidekiq in this database under the prefix 'banks:' ({words}); "
        "check database and prefix, and that a worker has run"
    )


def test_names_and_texts_are_safe_to_print():
    info = {"hostname": "box\x1b[2J", "tag": "a\nb", "labels": ["\ud800"], "queues": ["\x07"], "version": "\u202e7"}
    job = {"queue": "\x9b", "payload": {"class": "Crawl\rJob", "jid": "\x00"}}
    state = parse(
        raw(
            queues={"crawl\udcff\x1b": (1, None, False)},
            processes={"box:1:\n": process(info, [job]), "gone\x1b": process(None)},
        ),
        NOW,
    )
    (found,) = state["processes"]
    assert state["queues"][0]["name"] == r"crawl\udcff\x1b"
    assert state["vanished"] == [r"gone\x1b"]
    assert (found["identity"], found["hostname"], found["tag"]) == (r"box:1:\x0a", r"box\x1b[2J", r"a\x0ab")
    assert (found["labels"], found["queues"], found["version"]) == ([r"\ud800"], [r"\x07"], r"\u202e7")
    assert found["jobs"][0] == {"class": r"Crawl\x0dJob", "jid": r"\x00", "queue": r"\x9b", "seconds": None}
