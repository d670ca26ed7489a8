# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queries of a history."""

from __future__ import annotations

import time

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Kill, Sample
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import PLACES, History
from histories import DAY, FINDING, NOW, record, value, values


def test_a_reading_comes_back_as_it_was(path):
    taken = round(time.time(), 3)
    sample = Sample("worker_rss_bytes", "sidekiq", 5, 10, 7.5)
    kill = Kill(taken - 60, 25910, "ruby", "kernel", "system", None, 1 << 30)
    record(
        path,
        taken=taken,
        verdict="critical",
        booted=1000.0,
        samples=[*value(3), sample],
        findings=[FINDING],
        kills=[kill],
    )
    with History(path) as history:
        assert history.boxes() == ["web1"]
        latest = history.latest()["web1"]
        assert latest[1:] == ("web1", taken, "health", "critical", 1000.0)
        assert history.readings("web1", since=taken, source="health") == [latest]
        assert history.samples(latest.reading) == [value(3)[0], sample]
        assert history.series("web1", "worker_rss_bytes", "sidekiq") == [(taken, 5, 10, 7.5)]
        # A sample without a start of its own counts from the boot.
        assert history.recent("web1", ["memory_used_bytes"]) == {("memory_used_bytes", ""): [(taken, 3, 1000, 1000.0)]}
        findings = [dict(FINDING, box="web1", taken=taken)]
        assert history.findings("web1") == history.findings(reading=latest.reading) == findings
        assert history.kills(since=taken - 61) == [("web1", kill)]


def test_what_is_not_there_is_empty(path):
    record(path, taken=NOW, findings=[FINDING], kills=[Kill(NOW, 1, "ruby")], samples=value(1))
    with History(path) as history:
        assert history.kills(since=NOW + 1) == history.findings(since=NOW + 1) == history.readings("web2") == []
        assert history.series("web2", "memory_used_bytes") == history.series("web1", "nothing") == []
        assert history.recent("web1", []) == history.buckets("web1", ["nothing"], 0, 60) == {}
        assert history.samples(99) == []
        assert history.state("web2") == {}
        assert history.latest("state_info") == {}


def test_series_are_oldest_first_and_as_long_as_asked(path):
    for number in range(20):
        record(path, taken=NOW + number, samples=value(number))
        record(path, "web2", NOW + number, samples=value(100))
    assert values(path) == list(range(20))
    with History(path) as history:
        assert [point.value for point in history.series("web1", "memory_used_bytes", last=3)] == [17, 18, 19]
        assert [point.value for point in history.series("web1", "memory_used_bytes", since=NOW + 17)] == [17, 18, 19]


def test_recent_points_are_further_apart_the_older_they_are(path):
    for number in range(20):
        record(path, taken=NOW + number, samples=value(number))
    with History(path) as history:
        found = history.recent("web1", ["memory_used_bytes"])
    wanted = [20 - place for place in reversed(PLACES) if place <= 20]
    assert {key: [point.value for point in points] for key, points in found.items()} == {
        ("memory_used_bytes", ""): wanted
    }


def test_buckets_have_the_lowest_and_the_highest_value(path):
    for number, memory in enumerate([5, 9, 7, 1]):
        record(path, taken=NOW + 10 * number, samples=value(memory), booted=100 + number)
    record(path, taken=NOW - 1, samples=value(1000))
    with History(path) as history:
        found = history.buckets("web1", ["memory_used_bytes"], NOW, 30)
        assert history.metrics() == ["memory_used_bytes"]
    assert found == {
        ("memory_used_bytes", ""): [(0, 5, 9, NOW + 20, 1000, 102), (1, 1, 1, NOW + 30, 1000, 103)],
    }


def test_latest_is_the_last_reading_of_each_host(path):
    for box, taken in (("web1", 5), ("web1", 9), ("web2", 7)):
        record(path, box, NOW + taken)
    with History(path) as history:
        assert {box: reading.taken for box, reading in history.latest().items()} == {"web1": NOW + 9, "web2": NOW + 7}


def test_whether_a_history_exists(path):
    assert not History(path).exists()
    record(path)
    assert History(path).exists()


@pytest.mark.parametrize("create", [False, True])
def test_a_history_is_closed_after_an_error(path, create):
    record(path)
    with pytest.raises(ZeroDivisionError), History(path, create=create) as history:
        raise ZeroDivisionError
    assert history.database._connection is None


def test_names_that_utf_8_cannot_carry_are_found_again(path):
    record(path, taken=NOW, samples=value(5, "a\udc80"))
    with History(path) as history:
        assert [point.value for point in history.series("web1", "memory_used_bytes", "a\udc80")] == [5]
        assert history.series("\udc80", "\udc80", "\udc80") == history.readings("\udc80") == []
        assert history.recent("\udc80", ["\udc80"]) == {}


def test_readings_of_the_future_are_ignored(path, monkeypatch):
    record(path, taken=NOW, samples=value(1), state={"kernel": 1}, findings=[FINDING])
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 10 * DAY)
    record(path, samples=value(2), state={"kernel": 2}, findings=[FINDING])
    with History(path) as history:
        assert len(history.readings()) == 2
    monkeypatch.undo()
    with History(path) as history:
        assert history.ahead() == 1
        assert [reading.taken for reading in history.readings()] == [NOW]
        assert history.latest()["web1"].taken == NOW
        key = ("memory_used_bytes", "")
        assert [point.value for point in history.series("web1", *key)] == [1]
        assert [point.value for point in history.recent("web1", key[:1])[key]] == [1]
        assert [bucket.high for bucket in history.buckets("web1", key[:1], NOW, 60)[key]] == [1]
        assert len(history.findings("web1")) == 1
        assert history.state("web1") == {"kernel": 1}
        assert history.changes("web1", NOW) == []


def test_a_state_of_the_future_is_not_believed_when_its_time_comes(path, monkeypatch):
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + DAY)
    record(path, taken=real() + DAY, state={"kernel": "ahead", "gone": 1})
    monkeypatch.undo()
    record(path, taken=NOW, state={"kernel": "right"})
    monkeypatch.setattr(time, "time", lambda: real() + 2 * DAY)
    with History(path) as history:
        assert history.state("web1") == {"kernel": "right"}
        assert history.changes("web1", 0) == []
