# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connecting, limits, and causes of errors, with stand-ins for the drivers. tests/servers queries real servers."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._database import database
from ansible_collections.lifeline.fleet.plugins.module_utils._database.database import Database, some
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure

OPTIONS = {
    "engine": "mysql",
    "host": "db.example.com",
    "port": None,
    "socket": None,
    "username": "lifeline",
    "password": "s\u00e9same",
    "database": "crawl",
    "tls": None,
    "ca_path": None,
    "validate_certs": True,
}


class Driver:
    """A driver whose cursors answer with `rows` by the start of the query; `queries` are those that ran."""

    def __init__(self, error=None, rows=None):
        self.error, self.rows = error, {"SELECT VERSION()": [("8.0.40",)], **(rows or {})}
        self.queries, self.given, self.closed = [], None, False

    def connect(self, **given):
        self.given = given
        if self.error:
            raise self.error
        return self

    def cursor(self):
        return self

    def execute(self, query, values=None):
        self.queries.append((query, values))
        self.answer = next((rows for start, rows in self.rows.items() if query.startswith(start)), None)
        if isinstance(self.answer, Exception):
            raise self.answer

    @property
    def description(self):
        return None if self.answer is None else ["column"]

    def fetchall(self):
        return self.answer

    def close(self):
        self.closed = True


@pytest.fixture
def driven(monkeypatch):
    """Return a function that makes a Database from a driver and options."""

    def make(driver, **options):
        given = {**OPTIONS, **options}
        monkeypatch.setattr(database, "pymysql" if given["engine"] == "mysql" else "postgres", driver)
        return Database(given, 10)

    return make


def test_mysql_is_limited_and_read_only(driven):
    driver = Driver()
    with driven(driver):
        statements = [query for query, _values in driver.queries]
    assert statements[0] == "SET SESSION time_zone = '+00:00'"
    assert statements[2].startswith("SET SESSION max_execution_time = ")
    assert 1 <= int(statements[2].rpartition(" ")[2]) <= 9000
    assert statements[3] == "START TRANSACTION READ ONLY"
    assert (driver.given["host"], driver.given["port"]) == ("db.example.com", 3306)
    assert driver.given["password"] == "s\u00e9same".encode()
    assert driver.closed


def test_mariadb_has_a_limit_of_its_own(driven):
    driver = Driver(rows={"SELECT VERSION()": [("11.8.3-MariaDB",)]})
    with driven(driver, socket="/run/mysqld/mysqld.sock"):
        assert driver.queries[2][0].startswith("SET SESSION max_statement_time = ")
    assert driver.given["unix_socket"] == "/run/mysqld/mysqld.sock"
    assert "host" not in driver.given


def test_mysql_without_tls_is_refused_when_tls_is_demanded(driven):
    driver = Driver()
    driver._sock = None
    with pytest.raises(ServerFailure, match="the server has no TLS") as caught, driven(
        driver, tls=True, validate_certs=False
    ):
        pass
    assert caught.value.cause == "tls"
    assert driver.closed


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ({}, {"host": "db.example.com", "port": 5432}),
        ({"socket": "/run/postgresql/.s.PGSQL.5433"}, {"host": "/run/postgresql", "port": 5433}),
        ({"socket": "/run/postgresql"}, {"host": "/run/postgresql", "port": 5432}),
        ({"tls": False}, {"sslmode": "disable"}),
        ({"tls": True, "validate_certs": False}, {"sslmode": "require"}),
        ({"tls": True, "ca_path": "/ca.pem"}, {"sslmode": "verify-full", "sslrootcert": "/ca.pem"}),
    ],
)
def test_postgresql_gets_its_options_and_limits(options, given, driven):
    driver = Driver()
    with driven(driver, engine="postgresql", **options):
        statements = [query for query, _values in driver.queries]
    assert {key: driver.given[key] for key in given} == given
    assert ("sslmode" in driver.given) == ("tls" in options)
    assert statements[0] == "BEGIN READ ONLY"
    assert statements[1].startswith("SET LOCAL statement_timeout = ")
    assert statements[2] == "SET LOCAL TIME ZONE 'UTC'"


@pytest.mark.parametrize(
    ("engine", "schema", "owner", "values"),
    [
        ("mysql", None, "table_schema = DATABASE()", ["pages"]),
        ("mysql", "app", "table_schema = %s", ["pages", "app"]),
        ("postgresql", None, "table_schema = ANY(current_schemas(false))", ["pages"]),
    ],
)
def test_columns(engine, schema, owner, values, driven):
    driver = Driver(rows={"SELECT column_name": [("id", "bigint"), ("at", "datetime")]})
    with driven(driver, engine=engine) as opened:
        assert opened.columns(schema, "pages") == {"id": "bigint", "at": "datetime"}
    query, bound = driver.queries[-1]
    assert f"table_name = %s AND {owner} ORDER BY" in query
    assert bound == values


@pytest.mark.parametrize(
    ("tables", "others", "cause", "words"),
    [
        ([(1,)], [], "refused", "user lifeline may not read the columns of table pages; grant SELECT on it"),
        ([], [("a",), ("b",)], "schema", "no table pages that user lifeline may read (tables: a, b)"),
        ([], [], "schema", "no table pages that user lifeline may read (there are no tables)"),
    ],
)
def test_columns_of_no_table_are_a_failure(tables, others, cause, words, driven):
    driver = Driver(rows={"SELECT column_name": [], "SELECT 1": tables, "SELECT table_name": others})
    with driven(driver) as opened, pytest.raises(ServerFailure) as caught:
        opened.columns(None, "pages")
    assert caught.value.cause == cause
    assert str(caught.value) == f"MySQL/MariaDB at db.example.com:3306, database crawl: {words}"


def test_now(driven):
    with driven(Driver(rows={"SELECT UNIX_TIMESTAMP": [("1795257600.5",)]})) as opened:
        assert opened.now() == 1795257600.5


@pytest.mark.parametrize(
    ("error", "cause", "words"),
    [
        (OSError(2003, "Can't connect"), "unreachable", "cannot connect: Can't connect"),
        (Exception(1045, "Access denied"), "login", "user lifeline is rejected or lacks a permission: Access denied"),
        (Exception(1146, "No such\n table"), "schema", "not found: No such table"),
        (Exception(2026, "SSL is required"), "tls", "TLS failed: SSL is required"),
        (Exception(3024, "interrupted"), "timeout", "no answer within 10 s: interrupted"),
        (OSError(2003, "timed out"), "timeout", "no answer within 10 s: timed out"),
        (TimeoutError(), "timeout", "no answer within 10 s"),
        (RuntimeError("cryptography is required"), "login", "lacks a permission: cryptography is required"),
        (Exception(), "refused", "the server refused: Exception"),
    ],
)
def test_causes_of_mysql(error, cause, words, driven):
    with pytest.raises(ServerFailure) as caught, driven(Driver(error)):
        pass
    assert caught.value.cause == cause
    assert str(caught.value).endswith(words)


class CodeError(Exception):
    """An error of PostgreSQL's drivers."""

    def __init__(self, code, words):
        super().__init__(words)
        self.sqlstate = code


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (CodeError("28P01", "password authentication failed"), "login"),
        (CodeError("42P01", "relation does not exist"), "schema"),
        (CodeError("57014", "canceling statement"), "timeout"),
        (CodeError("25006", "cannot execute INSERT in a read-only transaction"), "refused"),
        (CodeError(None, 'database "crowl" does not exist'), "schema"),
        (CodeError(None, "connection refused"), "unreachable"),
        (CodeError(None, "timeout expired"), "timeout"),
        (CodeError(None, "certificate verify failed"), "tls"),
        (CodeError(None, "something else"), "refused"),
    ],
)
def test_causes_of_postgresql(error, cause, driven):
    with pytest.raises(ServerFailure) as caught, driven(Driver(error), engine="postgresql"):
        pass
    assert caught.value.cause == cause


def test_an_error_of_a_query_is_a_failure(driven):
    driver = Driver(rows={"SELECT pages": Exception(1054, "Unknown column")})
    with driven(driver) as opened, pytest.raises(ServerFailure, match="not found: Unknown column"):
        opened.ask("SELECT pages")


def test_a_wrong_option_stays_a_value_error(driven):
    with pytest.raises(ValueError, match="/no/such/ca.pem"), driven(Driver(), tls=True, ca_path="/no/such/ca.pem"):
        pass


def test_some():
    assert some(["a", "b"]) == "a, b"
    assert some(["a", "b", "c"], most=2) == "a, b, and more"
