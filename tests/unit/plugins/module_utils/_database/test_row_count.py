# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The query, and the hours of its answer. tests/servers queries real servers."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._database.row_count import (
    Count,
    kind,
    moment,
    name,
    table,
    zone,
)

UNTIL = datetime(2026, 11, 20, 14, 30, tzinfo=timezone.utc)


def count(engine="mysql", kind="instant", **options):
    return Count(engine, (None, "pages"), "at", kind, **{"hours": 2, "until": UNTIL, **options})


def test_query_quotes_names_and_binds_values():
    query, values = count(equals={"box": "x' OR 1=1", "gone": None, "well": True}).query()
    assert query == (
        "SELECT TIMESTAMPDIFF(HOUR, %s, `at`) AS bucket, COUNT(*) FROM `pages` "
        "WHERE `at` >= %s AND `at` < %s AND `box` = %s AND `gone` IS NULL AND `well` = %s GROUP BY 1"
    )
    assert values == ["2026-11-20 12:00:00.000000"] * 2 + ["2026-11-20 14:30:00.000000", "x' OR 1=1", "1"]
    query, values = count("postgresql", equals={"well": True}).query()
    assert 'FROM "pages" WHERE "at" >= CAST(%s AS timestamptz)' in query
    assert values == ["2026-11-20 12:00:00.000000+00"] * 2 + ["2026-11-20 14:30:00.000000+00", "True"]


def test_query_quotes_the_schema():
    assert "FROM `app`.`pages` " in Count("mysql", ("app", "pages"), "at", "instant", hours=1, until=UNTIL).query()[0]


@pytest.mark.parametrize(
    ("of", "options", "values"),
    [
        (
            "local",
            {"time_zone": timezone(timedelta(hours=2))},
            ["2026-11-20 14:00:00.000000", "2026-11-20 16:30:00.000000"],
        ),
        ("number", {}, [1795176000, 1795185000]),
        ("number", {"unit": 1000}, [1795176000000, 1795185000000]),
        ("number", {"until": UNTIL.replace(microsecond=1)}, [1795176000, 1795185001]),
        ("day", {}, ["2026-11-18", "2026-11-21"]),
        ("day", {"time_zone": timezone(timedelta(hours=12))}, ["2026-11-19", "2026-11-22"]),
    ],
)
def test_query_binds_times_as_the_column_stores_them(of, options, values):
    assert count(kind=of, **options).query()[1][1:] == values


def test_hours_without_rows_are_hours():
    whole, current = count().hours([(1, 7), (2, 3)])
    assert whole == [
        {"start": "2026-11-20T12:00:00Z", "rows": 0, "rows_per_hour": 0.0},
        {"start": "2026-11-20T13:00:00Z", "rows": 7, "rows_per_hour": 7.0},
    ]
    assert current == {"start": "2026-11-20T14:00:00Z", "rows": 3, "rows_per_hour": 6.0, "seconds": 1800.0}


def test_an_hour_that_has_just_begun_has_no_rate():
    assert count(until=UNTIL.replace(minute=0)).hours([])[1]["rows_per_hour"] is None


def test_a_zone_whose_hours_begin_at_half_past():
    whole, _current = count(kind="local", time_zone=timezone(timedelta(hours=5, minutes=30))).hours([(0, 4), (1, 5)])
    assert [hour["rows"] for hour in whole] == [4, 5]


@pytest.mark.skipif(sys.version_info < (3, 9), reason="Python 3.8 has no time zones")
def test_clocks_that_are_put_forward_leave_an_hour_out():
    """New York skipped 02:00 to 03:00 on 8 March 2026: 06:00 UTC was 01:00, and 07:00 UTC was 03:00."""
    until = datetime(2026, 3, 8, 9, tzinfo=timezone.utc)
    whole, _current = count(kind="local", hours=4, until=until, time_zone=zone("America/New_York")).hours(
        [(0, 1), (1, 2), (3, 3), (4, 4)]
    )
    assert [hour["rows"] for hour in whole] == [1, 2, 3, 4]


@pytest.mark.parametrize("value", ["", "1st", "a b", "a;", "a`", 'a"', "a.b", "a" * 64, "s\u00e9ance", "a\n"])
def test_name_refuses_what_is_no_identifier(value):
    with pytest.raises(ValueError, match="^where: not an identifier "):
        name(value, "where")


def test_table():
    assert table("pages") == (None, "pages")
    assert table("app.pages") == ("app", "pages")
    for wrong in ("a.b.c", "a.", ".a", "a-b"):
        with pytest.raises(ValueError, match="^table: "):
            table(wrong)


@pytest.mark.parametrize(
    ("engine", "of", "expected"),
    [
        ("mysql", "TIMESTAMP", "instant"),
        ("mysql", "datetime", "local"),
        ("mysql", "date", "day"),
        ("mysql", "bigint", "number"),
        ("postgresql", "timestamp with time zone", "instant"),
        ("postgresql", "timestamp without time zone", "local"),
        ("postgresql", "numeric", "number"),
    ],
)
def test_kind(engine, of, expected):
    assert kind(engine, of, "at") == expected


def test_kind_refuses_types_without_a_time():
    for engine, wrong in (("mysql", "varchar"), ("postgresql", "time without time zone")):
        with pytest.raises(ValueError, match=f"column at has no time .its type is {wrong}.; choose "):
            kind(engine, wrong, "at")


def test_moment_and_zone():
    assert moment("2026-11-20T15:30:00+01:00") == moment("2026-11-20T14:30:00Z") == UNTIL
    assert zone("utc") == timezone.utc
    assert zone("-03:30") == timezone(-timedelta(hours=3, minutes=30))
    for wrong in ("", "now", "2026-11-20"):
        with pytest.raises(ValueError, match="^until: not a time with a zone "):
            moment(wrong)
    for wrong in ("Mars", "+99:00", "../etc/passwd", ""):
        with pytest.raises(ValueError, match="^time_zone: unknown zone "):
            zone(wrong)
