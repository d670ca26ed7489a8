# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of sidekiq_info and throughput_info, and the counts that a rate begins with."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import throughput
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Sample
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History
from histories import NOW, record

REDIS = "redis://127.0.0.1:6379/0"
STATE = {
    "processed": 100,
    "failed": 3,
    "enqueued": 7,
    "retries": 0,
    "scheduled": 0,
    "dead": 0,
    "latency_seconds": 1.5,
    "heartbeat_seconds": None,
    "rss_bytes": None,
    "busy": 2,
    "concurrency": 5,
}


def test_sidekiqs_numbers_are_kept_as_far_as_they_are_known():
    found = throughput.sidekiq_samples({"sidekiq": STATE, "asked": REDIS, "rate": {"processed_per_hour": 60}})
    by_metric = {sample.metric: sample for sample in found}
    assert by_metric["sidekiq_busy"] == Sample("sidekiq_busy", REDIS, 2, 5)
    assert by_metric["sidekiq_processed_per_hour"] == Sample("sidekiq_processed_per_hour", REDIS, 60)
    assert "sidekiq_rss_bytes" not in by_metric and "sidekiq_failed_per_hour" not in by_metric
    idle = throughput.sidekiq_samples({"sidekiq": {**STATE, "busy": None}, "asked": REDIS, "rate": None})
    assert "sidekiq_busy" not in {sample.metric for sample in idle}


def test_the_rate_of_the_latest_hour_is_kept_with_the_best_as_its_capacity():
    result = {"latest": {"rows_per_hour": 50}, "best": {"rows_per_hour": 80}}
    assert throughput.throughput_samples(result, "pages") == [Sample("rows_per_hour", "pages", 50, 80)]
    assert throughput.throughput_samples({"latest": None, "best": None}, "pages") == []


@pytest.mark.parametrize(
    ("seconds", "found"),
    [
        # The last reading is too young for a rate, and the one before has one of the two counts only.
        (35, {"processed": 10, "failed": 1, "time": NOW}),
        (200, {"processed": 30, "failed": 3, "time": NOW + 30}),
        (5, None),
    ],
)
def test_the_last_counts_that_are_old_enough_for_a_rate(path, seconds, found):
    def counts(processed, failed=None):
        samples = [Sample("sidekiq_processed", REDIS, processed)]
        return samples if failed is None else [*samples, Sample("sidekiq_failed", REDIS, failed)]

    record(path, taken=NOW, samples=counts(10, 1))
    record(path, taken=NOW + 20, samples=counts(20))
    record(path, taken=NOW + 30, samples=counts(30, 3))
    with History(path) as history:
        assert throughput.before(history, "web1", REDIS, NOW + seconds) == found
        assert throughput.before(history, "web1", "redis://elsewhere", NOW + seconds) is None


def test_a_delegated_task_is_recorded_for_its_own_host():
    task = SimpleNamespace(delegate_to="localhost", check_mode=False)
    assert throughput.recorder(task, None, {"inventory_hostname": "web1"}).box == "web1"
