# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs per hour between two readings, and the state in one line."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.rate import rate, reading, summary

NOW = 1795257600.0
STATE = {
    "processed": 421337,
    "failed": 12,
    "retries": 3,
    "dead": 1,
    "enqueued": 0,
    "latency_seconds": 0.0,
    "processes": [{"quiet": False}],
    "busy": 25,
    "concurrency": 50,
    "heartbeat_seconds": 3.2,
    "vanished": [],
}


def counts(seconds, processed, failed=0):
    return {"time": NOW + seconds, "processed": processed, "failed": failed}


def test_the_rate():
    found, missing = rate(counts(0, 100, 1), counts(60, 160, 2))
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
        (None, counts(0, 1), "there is no earlier reading"),
        (counts(0, 1), counts(5, 2), "the earlier reading is 5.0 s old; a rate needs 10 s or more"),
        (counts(60, 1), counts(0, 2), "the earlier reading is -60.0 s old; a rate needs 10 s or more"),
        (counts(0, 9), counts(60, 2), "the count processed fell from 9 to 2: it was reset, or Redis lost it"),
        (counts(0, 1, 5), counts(60, 2, 4), "the count failed fell from 5 to 4: it was reset, or Redis lost it"),
    ],
)
def test_no_rate_has_its_reason(before, after, words):
    found, missing = rate(before, after)
    assert found is None
    assert missing == words


def test_reading_is_the_counts_at_a_time():
    assert reading(NOW, STATE) == {"time": NOW, "processed": 421337, "failed": 12}


def test_summary_of_a_busy_process():
    found, _missing = rate(counts(0, 0), counts(3600, 11500))
    assert summary(STATE, found) == (
        "421337 processed (11500 an hour), 12 failed, 3 to retry, 1 dead, 0 enqueued, 25 of 50 busy, last beat 3 s ago"
    )


def test_summary_of_what_waits_stops_and_vanished():
    state = dict(STATE, enqueued=7, latency_seconds=120, processes=[{"quiet": True}, {"quiet": False}], vanished=["a"])
    assert summary(dict(state, heartbeat_seconds=None), None) == (
        "421337 processed, 12 failed, 3 to retry, 1 dead, 7 enqueued, the oldest for 2 min, 25 of 50 busy, "
        "last beat 0 s ago, 1 of 2 processes quiet, 1 vanished"
    )


def test_summary_without_a_process():
    assert summary(dict(STATE, processes=[]), None).endswith("0 enqueued, no process")
