# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Sidekiq has in Redis, in the forms that its releases have given it. The real ones are asked in tests/servers."""

from __future__ import annotations

import json

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.state import is_there, parse, rate, summary

NOW = 1795257600.0
FIELDS = ("info", "concurrency", "busy", "beat", "quiet", "rss", "rtt_us")


TOTALS = {"processed": "7", "failed": None, "scheduled": 1, "retries": 2, "dead": 3, "processes": 1, "queues": 1}


def raw(queues=None, processes=None, totals=None):
    return {"totals": {**TOTALS, **(totals or {})}, "queues": queues or {}, "processes": processes or {}}


def process(info, jobs=(), key="work", **fields):
    works = [text for job in jobs for text in ("thread", json.dumps(job))]
    values = [None if info is None else json.dumps(info), *(fields.get(name) for name in FIELDS[1:])]
    return [values, works if key == "work" else [], works if key == "workers" else []]


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
    beaten = process(info, [job], "workers", busy="1", beat=str(NOW - 2), quiet="false")
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


def test_who_does_not_sign_off_has_vanished():
    state = parse(raw(processes={"box:9:f": process(None)}), NOW)
    assert (state["processes"], state["vanished"], state["busy"], state["heartbeat_seconds"]) == (
        [],
        ["box:9:f"],
        None,
        None,
    )
    assert summary(state, None) == "7 processed, 0 failed, 2 to retry, 3 dead, 0 enqueued, no process, 1 vanished"


def test_arguments_of_jobs_stay_where_they_are():
    job = {"queue": "crawl", "run_at": NOW, "payload": json.dumps({"class": "CrawlJob", "args": ["token"]})}
    waiting = json.dumps({"class": "CrawlJob", "args": ["token"], "enqueued_at": NOW})
    state = parse(raw(queues={"crawl": [1, waiting, 0]}, processes={"box:9:f": process({}, [job])}), NOW)
    assert "token" not in json.dumps(state)


def test_whether_there_is_anything():
    assert is_there(raw())
    assert is_there(raw(totals={"processed": None}))
    assert not is_there(raw(totals={"processed": None, "processes": 0, "queues": 0}))


def reading(seconds, processed, failed=0):
    return {"time": NOW + seconds, "processed": processed, "failed": failed}


def test_the_rate():
    found, missing = rate(reading(0, 100, 1), reading(60, 160, 2))
    assert missing is None
    assert found == {
        "seconds": 60.0,
        "processed": 60,
        "processed_per_hour": 3600.0,
        "failed": 1,
        "failed_per_hour": 60.0,
    }


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (None, reading(0, 1), "no earlier reading"),
        (reading(0, 1), reading(5, 2), "5.0 s older"),
        (reading(60, 1), reading(0, 2), "-60.0 s older"),
        (reading(0, 9), reading(60, 2), "fell from 9 to 2"),
        (reading(0, 1, 5), reading(60, 2, 4), "failed fell from 5 to 4"),
    ],
)
def test_no_rate_and_why(before, after, words):
    found, missing = rate(before, after)
    assert found is None
    assert words in missing
