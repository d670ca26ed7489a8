# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the rows per hour of a real MariaDB and a real PostgreSQL, and the messages of all errors."""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from servers import serving
from servers.crawl import CURRENT, FIRST, SEED, TWICE_ROWS


@pytest.fixture(params=["mysql", "postgres"])
def served(request):
    return request.getfixturevalue(request.param)


def succeeded(result):
    assert not result.get("failed"), result["msg"]
    return result


def failure(result, cause, *words):
    assert result.get("failed"), result
    assert result.get("cause") == cause, result["msg"]
    for word in words:
        assert word in result["msg"], result["msg"]


def test_the_day_when_the_box_died(module, served):
    result = succeeded(served.count(module))
    assert [hour["rows"] for hour in result["hours"]] == list(SEED)
    assert (result["hours"][0]["start"], result["hours"][-1]["start"]) == (
        "2026-11-20T06:00:00Z",
        "2026-11-20T13:00:00Z",
    )
    assert result["current"] == {
        "start": "2026-11-20T14:00:00Z",
        "seconds": 1800,
        "rows": CURRENT,
        "rows_per_hour": 120,
    }
    assert result["verdict"] == "degrading"
    assert result["msg"].startswith("degrading, 80 times slower than its best hour: 135 rows")
    assert (result["times_slower"], result["slope"]) == (86.45, -1765.17)
    assert [(finding["severity"], finding["subject"]) for finding in result["findings"]] == [("critical", "pages")]


@pytest.mark.parametrize(
    ("column", "options"),
    [
        ("at_local", {}),
        ("at_local", {"time_zone": "+00:00"}),
        ("at_york", {"time_zone": "America/New_York"}),
        ("at_york", {"time_zone": "-05:00"}),
        ("at_seconds", {}),
        ("at_milliseconds", {"time_unit": "milliseconds"}),
    ],
)
def test_every_kind_of_time(module, served, column, options):
    result = succeeded(served.count(module, time_column=column, **options))
    assert [hour["rows"] for hour in result["hours"]] == list(SEED)
    assert result["current"]["rows"] == CURRENT


def test_another_zone_moves_the_hours(module, served):
    result = succeeded(served.count(module, time_column="at_york", time_zone="-06:00"))
    assert [hour["rows"] for hour in result["hours"]] == [0, *SEED[:-1]]


def test_an_hour_that_occurs_twice_is_shared(module, served):
    result = succeeded(
        served.count(
            module,
            time_column="at_york",
            time_zone="America/New_York",
            where={"crawler": "york"},
            hours=5,
            until="2026-11-01T08:00:00Z",
        )
    )
    assert [hour["rows"] for hour in result["hours"]] == [0, 40, 60, 60, 80]
    exact = succeeded(served.count(module, where={"crawler": "york"}, hours=5, until="2026-11-01T08:00:00Z"))
    assert [hour["rows"] for hour in exact["hours"]] == [0, *TWICE_ROWS]


def test_days(module, served):
    result = succeeded(served.count(module, time_column="at_day", where={}, hours=20))
    assert result["resolution"] == "day"
    assert {hour["start"]: hour["rows"] for hour in result["hours"] if hour["rows"]} == {
        "2026-11-01T00:00:00Z": sum(TWICE_ROWS)
    }
    assert result["current"] == {
        "start": "2026-11-20T00:00:00Z",
        "seconds": 52200,
        "rows": sum(SEED) + CURRENT + 800,
        "rows_per_hour": round((sum(SEED) + CURRENT + 800) * 3600 / 52200, 2),
    }
    assert result["hours"][1]["rows_per_hour"] == 10 and result["hours"][1]["start"] == "2026-11-01T00:00:00Z"


def test_values_are_never_part_of_the_query(module, served):
    result = succeeded(served.count(module, where={"crawler": 'it\'s "100 %s"; --'}))
    assert {hour["rows"] for hour in result["hours"]} == {100}
    result = succeeded(served.count(module, where={"crawler": "' OR '1'='1"}))
    assert result["verdict"] == "no rows"
    result = succeeded(
        served.count(module, where={"title": None, "at_day": "2026-11-20", "at_seconds": int(FIRST.timestamp())})
    )
    assert result["hours"][0]["rows"] == 4 + 1


def test_names_may_be_reserved_words(module, served):
    assert succeeded(served.count(module, time_column="select"))["verdict"] == "no rows"


def test_the_servers_clock_is_the_default_end(module, served):
    before = time.time()
    current = succeeded(served.count(module, until=None, hours=1))["current"]
    end = datetime.fromisoformat(current["start"].replace("Z", "+00:00")).timestamp() + current["seconds"]
    # The times are rounded to the second.
    assert before - 1 <= end <= time.time() + 1


def test_by_socket(module, served):
    result = succeeded(served.count(module, port=None, socket=str(served.server.socket)))
    assert result["verdict"] == "degrading"


def test_by_tls(module, served, tls):
    assert succeeded(served.count(module, tls=True, ca_path=str(tls.ca)))["verdict"] == "degrading"
    assert succeeded(served.count(module, tls=True, validate_certs=False))["verdict"] == "degrading"
    failure(served.count(module, tls=True), "tls", "certificate verify failed")
    assert "/nowhere.pem" in served.count(module, tls=True, ca_path="/nowhere.pem")["msg"]


def test_another_schema(module, served):
    own = "crawl.pages" if served.options["engine"] == "mysql" else "public.pages"
    assert succeeded(served.count(module, table=own))["verdict"] == "degrading"


def test_nothing_can_be_written(module, postgres, mysql):
    """Read a view that writes when it is read: it is refused."""
    postgres.server.sql(
        "CREATE TABLE looks (at timestamptz)",
        "GRANT INSERT ON looks TO lifeline",
        "CREATE FUNCTION look() RETURNS boolean LANGUAGE sql VOLATILE "
        "AS 'INSERT INTO looks VALUES (now()) RETURNING true'",
        "CREATE VIEW noted AS SELECT * FROM pages WHERE look()",
        "GRANT SELECT ON noted TO lifeline",
        database="crawl",
    )
    failure(postgres.count(module, table="noted"), "refused", "read-only transaction")
    assert postgres.server.sql("SELECT count(*) FROM looks", database="crawl") == [(0,)]
    mysql.server.sql(
        "CREATE TABLE crawl.looks (at DATETIME)",
        "GRANT EXECUTE ON crawl.* TO lifeline@'127.0.0.1'",
        "CREATE FUNCTION crawl.look() RETURNS INT BEGIN INSERT INTO crawl.looks VALUES (NOW()); RETURN 1; END",
        "CREATE VIEW crawl.noted AS SELECT * FROM crawl.pages WHERE crawl.look() = 1",
        "GRANT SELECT ON crawl.noted TO lifeline@'127.0.0.1'",
    )
    # MariaDB reads the columns through the view and fails there.
    failure(mysql.count(module, table="noted"), "refused", "table noted")
    assert mysql.server.sql("SELECT COUNT(*) FROM crawl.looks") == ((0,),)


def test_down(module, served):
    result = served.count(module, port=serving.free_port())
    failure(result, "unreachable", "127.0.0.1:", "database crawl", "refused")


def test_no_such_name(module, served):
    failure(served.count(module, host="no-such-host.invalid"), "unreachable", "no-such-host.invalid")


def test_no_socket(module, served, folder):
    failure(served.count(module, port=None, socket=folder + "/nowhere.sock"), "unreachable", "nowhere.sock")


@pytest.mark.parametrize("delay", [10, None])
def test_slow(module, served, slow, delay):
    result = served.count(module, port=slow(served.server.port, delay), timeout=2)
    failure(result, "timeout", "127.0.0.1:", "no answer within 2 s")


def test_a_slow_query_is_ended_on_the_server(module, served):
    result = served.count(module, table="dragging", timeout=2)
    failure(result, "timeout", "no answer within 2 s")
    deadline = time.monotonic() + 60
    while served.server.busy():
        assert time.monotonic() < deadline, "the query still runs"
        time.sleep(0.1)


def test_a_slow_answer_in_time_is_no_error(module, served, slow):
    assert succeeded(served.count(module, port=slow(served.server.port, 0.1), timeout=60))["verdict"] == "degrading"


def test_a_wrong_password_and_a_wrong_user(module, served):
    failure(served.count(module, password="guess"), "login", "user lifeline")
    failure(served.count(module, password=None), "login", "user lifeline")
    failure(served.count(module, username="somebody"), "login", "user somebody")


def test_a_wrong_database(module, served):
    failure(
        served.count(module, database="crowl"), "login" if served.options["engine"] == "mysql" else "schema", "crowl"
    )


def test_a_wrong_schema(module, served):
    failure(
        served.count(module, table="page"),
        "schema",
        "no table page that user lifeline may read",
        "tables: dragging",
        "pages",
    )
    failure(served.count(module, table="app.page"), "schema", "no table app.page")
    failure(
        served.count(module, time_column="at"), "schema", "table pages has no column at", "columns: crawler, at_instant"
    )
    failure(served.count(module, where={"box": 1}), "schema", "no column box")
    failure(served.count(module, table="secret"), "schema", "no table secret that user lifeline may read")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"table": "pages; DROP TABLE pages"}, ["table: not an identifier ('pages; DROP TABLE pages')"]),
        ({"table": "a.b.c"}, ["'a.b.c'", "schema.name"]),
        ({"table": "pages`"}, ["'pages`'"]),
        ({"time_column": 'at"'}, ["time_column: not an identifier ('at\"')"]),
        ({"time_column": "1=1"}, ["time_column: not an identifier ('1=1')"]),
        ({"where": {"a b": 1}}, ["where: not an identifier ('a b')"]),
        ({"where": {"crawler": [1]}}, ["column crawler has more than one value ([1])"]),
        ({"time_column": "title"}, ["column title has no time (its type is text); choose a timestamp"]),
        ({"time_zone": "Mars/Olympus"}, ["'Mars/Olympus'", "+02:00"]),
        ({"time_zone": "+25:00"}, ["'+25:00'"]),
        ({"until": "yesterday"}, ["'yesterday'", "2026-11-20T14:00:00Z"]),
        ({"until": "2026-11-20T14:00:00"}, ["not a time with a zone"]),
        ({"hours": 0}, ["hours: out of range (0); use 1 to 744"]),
        ({"warning": 20}, ["warning: out of range (20, with critical 10)"]),
        ({"timeout": -1}, ["timeout: out of range (-1)"]),
    ],
)
def test_wrong_options(module, served, options, words):
    result = served.count(module, **options)
    assert result["failed"], result
    assert "cause" not in result, result["msg"]
    for word in words:
        assert word in result["msg"], result["msg"]
