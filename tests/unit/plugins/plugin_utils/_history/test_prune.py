# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A history stays within its bounds, by age and by size."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import prune
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Kill, Reading, Sample
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History
from histories import DAY, FINDING, ask, fold_in, record, value


def test_old_readings_are_removed_and_states_that_still_hold_are_kept(path, monkeypatch):
    now = time.time()
    kill = Kill(now - 40 * DAY, 1, "ruby")
    with History(path, create=True) as history:
        for number in range(600):
            history.record(
                Reading("web1", "health", now - 40 * DAY + number, samples=value(number), findings=[FINDING])
            )
        state = {"kernel": 1, "cpus": 2, "gone:a": 1}
        history.record(Reading("web1", "health", now - 40 * DAY, kills=[kill], state=state, whole=("gone:",)))
        history.record(Reading("web1", "health", now - 39 * DAY, state={"kernel": 2}, whole=("gone:",)))
        later = kill._replace(killed=now - 9)
        history.record(Reading("web1", "health", now - 5, samples=value(1), state={"kernel": 3}, kills=[later]))
        assert len(history.readings()) > 1
    monkeypatch.setattr(prune, "_EVERY_SECONDS", 0)
    record(path, taken=now, samples=value(2))
    with History(path) as history:
        assert [reading.taken for reading in history.readings()] == [round(now - 5, 3), round(now, 3)]
        assert len(history.findings()) == 0
        assert [kill.killed for _box, kill in history.kills()] == [now - 9]
        assert history.state("web1") == {"kernel": 3, "cpus": 2}
        assert history.changes("web1", now - 30 * DAY) == [(round(now - 5, 3), "kernel", 2, 3)]
    assert ask(path, "SELECT count(*) FROM samples") == [(2,)]
    assert ask(path, "SELECT count(*) FROM states WHERE value IS NULL") == [(0,)]


def test_old_readings_are_removed_once_an_hour(path):
    now = time.time()
    record(path, taken=now)
    record(path, taken=now - 40 * DAY)
    with History(path) as history:
        assert len(history.readings()) == 2


def test_without_bounds_nothing_is_removed(path, monkeypatch):
    monkeypatch.setattr(prune, "_EVERY_SECONDS", 0)
    with History(path, days=None, size=None, create=True) as history:
        for taken in (1, 2, 3):
            history.record(Reading("web1", "health", taken))
        assert len(history.readings()) == 3


def test_a_history_stays_below_its_size_and_keeps_the_newest(path):
    size = 1 << 19
    with History(path, size=size, create=True) as history:
        for number in range(1500):
            samples = [Sample(f"m{metric}", "", 1 << 40, number) for metric in range(20)]
            history.record(Reading(f"web{number % 7}", "health", samples=samples))
            assert prune.used_bytes(history.database.connection) <= size
        readings = [reading.reading for reading in history.readings()]
    assert 400 < len(readings) < 1000
    assert readings == list(range(1501 - len(readings), 1501))
    fold_in(path)
    assert os.path.getsize(path) < 1.5 * size


def test_a_history_shrinks_when_its_size_is_lowered(path):
    with History(path, create=True) as history:
        for number in range(700):
            samples = [Sample(f"m{metric}", "", 1 << 40, number) for metric in range(20)]
            history.record(Reading(f"web{number % 7}", "health", samples=samples))
    fold_in(path)
    size = os.path.getsize(path) // 4
    with History(path, size=size, create=True) as history:
        history.record(Reading("web1", "health"))
        assert len(history.readings()) > 40
    fold_in(path)
    assert os.path.getsize(path) < 2 * size
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.fixture
def clock(monkeypatch):
    """Return a function that sets the controller's clock ahead of the real one, or back."""
    real = time.time

    def set_ahead(seconds):
        monkeypatch.setattr(time, "time", lambda: real() + seconds)

    return set_ahead


def test_a_clock_that_was_ahead_once_does_not_stop_the_pruning(path, clock):
    clock(300 * DAY)
    record(path, samples=value(1))
    clock(0)
    record(path, taken=time.time() - 40 * DAY)
    record(path, samples=value(2))
    with History(path) as history:
        assert [point.value for point in history.series("web1", "memory_used_bytes")] == [2]
        assert len(history.readings()) == 1
    assert ask(path, "SELECT done <= strftime('%s', 'now') + 60 FROM upkeep") == [(1,)]


def test_readings_of_the_future_do_not_keep_older_ones(path, clock, monkeypatch):
    """They are the oldest by their number, and there are more of them than a transaction removes."""
    monkeypatch.setattr(prune, "_BATCH", 10)
    clock(300 * DAY)
    with History(path, days=None, create=True) as history:
        for number in range(25):
            history.record(Reading("web1", "health", time.time(), samples=value(number)))
    clock(0)
    with History(path, days=None, create=True) as history:
        for number in range(25):
            history.record(Reading("web1", "health", time.time() - 40 * DAY + number, samples=value(number)))
    record(path, samples=value(7))
    assert ask(path, "SELECT count(*) FROM readings") == ask(path, "SELECT count(*) FROM samples") == [(1,)]


def test_readings_of_the_future_are_kept_as_long_as_their_neighbours(path, clock):
    record(path, samples=value(1))
    clock(300 * DAY)
    with History(path, days=None, create=True) as history:
        history.record(Reading("web1", "health", time.time()))
    clock(0)
    record(path, samples=value(2))
    assert ask(path, "SELECT count(*) FROM readings") == [(3,)]
    with History(path) as history:
        assert (len(history.readings()), history.ahead()) == (2, 1)


def test_a_clock_that_is_ahead_for_one_run_removes_nothing(path, clock):
    record(path, samples=value(1))
    clock(300 * DAY)
    record(path, samples=value(2))
    clock(0)
    record(path, samples=value(3))
    with History(path) as history:
        assert [point.value for point in history.series("web1", "memory_used_bytes")] == [1, 3]


def test_after_a_long_pause_old_readings_are_removed_the_second_time(path, clock):
    record(path, samples=value(1))
    clock(40 * DAY)
    record(path, samples=value(2))
    assert ask(path, "SELECT count(*) FROM readings") == [(2,)]
    clock(40 * DAY + 3601)
    record(path, samples=value(3))
    assert ask(path, "SELECT count(*) FROM readings") == [(2,)]


def test_a_clock_that_is_behind_removes_nothing(path, clock, monkeypatch):
    monkeypatch.setattr(prune, "_EVERY_SECONDS", 0)
    for number in range(3):
        record(path, samples=value(number))
    clock(-300 * DAY)
    record(path, samples=value(3))
    assert ask(path, "SELECT count(*) FROM readings") == [(4,)]


@pytest.mark.parametrize("killed", [None, "future"])
def test_kills_whose_time_says_nothing_go_with_their_readings(path, killed):
    """The time of a kill comes from the host's clock, so it may be in the year 2100, or missing."""
    now = time.time()
    killed = killed and now + 99 * 366 * DAY
    with History(path, days=None, create=True) as history:
        history.record(Reading("web1", "health", now - 40 * DAY, kills=[Kill(killed, 1, "old")]))
        history.record(Reading("web1", "health", now - 5, kills=[Kill(killed, 2, "new")]))
    record(path, taken=now)
    assert ask(path, "SELECT name FROM kills") == [("new",)]


def test_kills_do_not_fill_a_history(path):
    """A host can name any number of them; the size bounds them as it bounds the readings."""
    size = 1 << 19
    with History(path, days=None, size=size, create=True) as history:
        for number in range(60):
            kills = [Kill(None, 1000 * number + pid, "x" * 100) for pid in range(100)]
            history.record(Reading("web1", "health", kills=kills))
            assert prune.used_bytes(history.database.connection) <= size
        assert history.readings()
