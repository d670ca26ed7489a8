# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill a real MariaDB and a real PostgreSQL with the pages of a box that died, and of others."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import psycopg
import pymysql
from servers import serving

# Pages crawled per hour on the day when the box died.
SEED = (11671, 9219, 8588, 7098, 2779, 481, 271, 135)
FIRST = datetime(2026, 11, 20, 6, tzinfo=timezone.utc)
UNTIL = "2026-11-20T14:30:00Z"
CURRENT = 60
# The hour that occurs twice in New York, with the ones before and after: 04:00, 05:00, 06:00 and 07:00 in UTC.
TWICE = datetime(2026, 11, 1, 4, tzinfo=timezone.utc)
TWICE_ROWS = (40, 50, 70, 80)
YORK = ZoneInfo("America/New_York")


@dataclasses.dataclass
class Served:
    server: serving.Server
    options: dict

    def count(self, module, **options):
        given = {
            "table": "pages",
            "time_column": "at_instant",
            "until": UNTIL,
            "hours": 8,
            "where": {"crawler": "dying"},
            **self.options,
            **options,
        }
        return module("throughput_info", **{key: value for key, value in given.items() if value is not None})


def rows():
    """Return the rows of the table: the crawler and the time of each page."""
    for number, count in enumerate((*SEED, CURRENT)):
        length = 3600 if number < len(SEED) else 1800
        for row in range(count):
            yield "dying", FIRST + timedelta(hours=number, seconds=row * length / count)
    for number in range(8):
        for row in range(100):
            yield 'it\'s "100 %s"; --', FIRST + timedelta(hours=number, seconds=row * 36)
    for number, count in enumerate(TWICE_ROWS):
        for row in range(count):
            yield "york", TWICE + timedelta(hours=number, seconds=row)


def values():
    for crawler, when in rows():
        naive = when.replace(tzinfo=None)
        yield (
            crawler,
            naive,
            naive,
            when.astimezone(YORK).replace(tzinfo=None),
            when.date(),
            int(when.timestamp()),
            int(when.timestamp() * 1000),
        )


COLUMNS = ("crawler", "at_instant", "at_local", "at_york", "at_day", "at_seconds", "at_milliseconds")


def in_mariadb(mariadb):
    mariadb.sql(
        "CREATE DATABASE crawl",
        "CREATE DATABASE other",
        "CREATE TABLE crawl.pages (crawler VARCHAR(60), at_instant TIMESTAMP(6) NULL, at_local DATETIME(6), "
        "at_york DATETIME, at_day DATE, at_seconds INT UNSIGNED, at_milliseconds BIGINT UNSIGNED, title TEXT, "
        "`select` DATETIME, KEY (at_instant))",
        "CREATE VIEW crawl.dragging AS SELECT * FROM crawl.pages WHERE SLEEP(10) = 0",
        "CREATE TABLE crawl.secret (at_instant TIMESTAMP)",
        f"CREATE USER lifeline@'127.0.0.1' IDENTIFIED BY '{serving.PASSWORD}'",
        f"CREATE USER lifeline@localhost IDENTIFIED BY '{serving.PASSWORD}'",
        *(
            f"GRANT SELECT ON crawl.{table} TO lifeline@{host}"
            for table in ("pages", "dragging")
            for host in ("'127.0.0.1'", "localhost")
        ),
    )
    connection = pymysql.connect(
        unix_socket=str(mariadb.socket), user="root", database="crawl", init_command="SET time_zone = '+00:00'"
    )
    with connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO pages (%s) VALUES (%%s, %%s, %%s, %%s, %%s, %%s, %%s)" % ", ".join(COLUMNS), list(values())
        )
        connection.commit()
    return Served(
        mariadb,
        {
            "engine": "mysql",
            "port": mariadb.port,
            "username": "lifeline",
            "password": serving.PASSWORD,
            "database": "crawl",
        },
    )


def in_postgresql(postgresql):
    postgresql.sql("CREATE DATABASE crawl", f"CREATE ROLE lifeline LOGIN PASSWORD '{serving.PASSWORD}'")
    postgresql.sql(
        "CREATE SCHEMA app",
        "CREATE TABLE app.pages (at_instant timestamptz)",
        "CREATE TABLE pages (crawler text, at_instant timestamptz, at_local timestamp, at_york timestamp, at_day date, "
        'at_seconds integer, at_milliseconds bigint, title text, "select" timestamp)',
        "CREATE VIEW dragging AS SELECT * FROM pages WHERE pg_sleep(10) IS NOT NULL",
        "CREATE TABLE secret (at_instant timestamptz)",
        "CREATE INDEX ON pages (at_instant)",
        "GRANT SELECT ON pages, dragging TO lifeline",
        database="crawl",
    )
    connection = psycopg.connect(
        host="127.0.0.1",
        port=postgresql.port,
        user="postgres",
        password=serving.PASSWORD,
        dbname="crawl",
        options="-c timezone=UTC",
    )
    with connection, connection.cursor().copy(f"COPY pages ({', '.join(COLUMNS)}) FROM STDIN") as copy:
        for row in values():
            copy.write_row(row)
    return Served(
        postgresql,
        {
            "engine": "postgresql",
            "port": postgresql.port,
            "username": "lifeline",
            "password": serving.PASSWORD,
            "database": "crawl",
        },
    )
