# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the checks and results of throughput_info with a stand-in for the database."""

from __future__ import annotations

import threading
from datetime import datetime, timezone

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._database import database, info
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure

OPTIONS = {
    "engine": "mysql",
    "host": "db.example.com",
    "port": None,
    "socket": None,
    "username": "lifeline",
    "database": "crawl",
    "table": "pages",
    "time_column": "at",
    "time_zone": "UTC",
    "time_unit": "seconds",
    "where": {},
    "hours": 3,
    "until": None,
    "warning": 3.0,
    "critical": 10.0,
    "timeout": 30.0,
}
NOW = datetime(2026, 11, 20, 14, 30, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": 0}, "timeout: out of range (0); use more than 0 and at most 300 seconds"),
        ({"hours": 745}, "hours: out of range (745); use 1 to 744"),
        ({"warning": 20}, "warning: out of range (20, with critical 10); use more than 1, and at most critical"),
        ({"warning": 1}, "warning: out of range (1, with critical 10); use more than 1, and at most critical"),
        ({"where": {"box": [1]}}, "where: column box has more than one value ([1]); give a single value"),
        ({"table": "a.b.c"}, "table: too many parts ('a.b.c'); write name or schema.name"),
        ({"until": "now"}, "until: not a time with a zone ('now'); write it as in 2026-11-20T14:00:00Z"),
    ],
)
def test_check_refuses_what_cannot_work(options, words):
    with pytest.raises(ValueError) as caught:
        info.check({**OPTIONS, **options})
    assert str(caught.value) == words


@pytest.mark.parametrize("options", [{"where": {"a b": 1}}, {"time_column": "1=1"}, {"time_zone": "Mars"}])
def test_check_refuses_names_and_zones_that_do_not_exist(options):
    with pytest.raises(ValueError, match=f"^{next(iter(options))}: "):
        info.check({**OPTIONS, **options})


def test_check_returns_what_the_options_mean():
    question = info.check({**OPTIONS, "table": "app.pages", "until": "2026-11-20T15:30:00+01:00"})
    assert question == info.Question(("app", "pages"), timezone.utc, NOW)


class Fake:
    """A database with one table `pages`, whose query answers with `rows`."""

    rows = [(0, 4000), (1, 900), (2, 100), (3, 7)]

    def __init__(self, options, seconds):
        self.name = "the database"

    def __enter__(self):
        return self

    def __exit__(self, *_raised):
        pass

    def columns(self, schema, table):
        return {"at": "datetime", "title": "text"}

    def now(self):
        return NOW.timestamp()

    def ask(self, query, values):
        return self.rows

    def timeout(self):
        return ServerFailure("timeout", "the database: no answer")


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(database, "Database", Fake)


def counted(**options):
    given = {**OPTIONS, **options}
    return info.result(given, info.check(given))


def test_result_counts_until_the_server_s_time(fake):
    found = counted()
    assert [hour["rows"] for hour in found["hours"]] == [4000, 900, 100]
    assert found["current"] == {
        "start": "2026-11-20T14:00:00Z",
        "rows": 7,
        "rows_per_hour": 14.0,
        "seconds": 1800.0,
    }
    assert (found["resolution"], found["verdict"], found["times_slower"]) == ("hour", "steady", 40.0)
    assert found["latest"] == found["hours"][-1]
    assert found["message"].startswith("steady, 100 rows in the latest whole hour")


@pytest.mark.parametrize("options", [{"time_column": "crawled_at"}, {"where": {"crawled_at": 1}}])
def test_a_column_that_is_not_there_is_a_failure(options, fake):
    with pytest.raises(ServerFailure) as caught:
        counted(**options)
    assert caught.value.cause == "schema"
    assert str(caught.value) == "the database: table pages has no column crawled_at (columns: at, title)"


def test_a_column_without_a_time_is_refused(fake):
    with pytest.raises(ValueError, match="^time_column: column title has no time"):
        counted(time_column="title")


def test_a_database_that_hangs_is_a_failure(fake, monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(Fake, "now", lambda self: over.wait() and 0.0)
    with pytest.raises(ServerFailure) as caught:
        counted(timeout=0.01)
    over.set()
    assert caught.value.cause == "timeout"
