# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Query a database without changing it or keeping it busy: one connection, one read-only transaction, limits on waits.

The drivers are PyMySQL for MySQL and MariaDB, and psycopg 3 or psycopg2 for PostgreSQL. Their exceptions, which differ,
become a ServerFailure with a cause.
"""

from __future__ import annotations

import importlib
import re
import ssl
import time
import traceback
from typing import Any, Dict, List, Optional, Sequence, Tuple, TypedDict, Union

from ansible_collections.lifeline.fleet.plugins.module_utils import _tls
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure


def _driver(*names: str) -> Tuple[Any, Optional[str]]:
    """Return the first driver that can be imported and None, or None and the traceback of the last import."""
    problem = None
    for name in names:
        try:
            return importlib.import_module(name), None
        except ImportError:
            problem = traceback.format_exc()
    return None, problem


# The traceback of the import, for each engine whose driver is missing.
MISSING: Dict[str, Optional[str]] = {}
pymysql, MISSING["mysql"] = _driver("pymysql")
postgres, MISSING["postgresql"] = _driver("psycopg", "psycopg2")

LIBRARIES = {"mysql": "PyMySQL", "postgresql": "psycopg (or psycopg2)"}
PORTS = {"mysql": 3306, "postgresql": 5432}
_LABELS = {"mysql": "MySQL/MariaDB", "postgresql": "PostgreSQL"}

# The server's limit ends a little before ours: no query outlives the task, and the server's message says what was slow.
_SERVER_SHARE = 0.9

_MYSQL = {
    "login": (1044, 1045, 1130, 1142, 1143, 1227, 1251, 1698, 1820, 4151),
    "schema": (1046, 1049, 1054, 1146),
    "timeout": (1205, 1317, 1969, 3024),
}
_POSTGRES = {
    "login": ("28", "42501"),
    "schema": ("3D", "3F", "42P01", "42703"),
    "timeout": ("57014", "55P03"),
}
# Before there is a connection, PostgreSQL's library gives no code, only a text.
_POSTGRES_WORDS = (
    (r"timeout expired|timed out|timeout", "timeout"),
    (r"database \S+ does not exist", "schema"),
    (r"authentication|password|pg_hba|role .* (does not exist|is not permitted)", "login"),
    (r"SSL|certificate", "tls"),
    (r"refused|resolve|could not|connection|No such file|server closed", "unreachable"),
)
_MESSAGES = {
    "unreachable": "cannot connect",
    "login": "user {user} is rejected or lacks a permission",
    "schema": "not found",
    "tls": "TLS failed",
    "refused": "the server refused",
}

Value = Union[str, int, float]
Rows = Sequence[Tuple[Any, ...]]


class Options(TypedDict):
    """The options of the module that say which database to query, and how."""

    engine: str
    host: str
    port: Optional[int]
    socket: Optional[str]
    username: str
    password: Optional[str]
    database: str
    tls: Optional[bool]
    ca_path: Optional[str]
    validate_certs: bool


class Database:
    """A database, to be used as a context manager: entering connects, leaving closes the connection."""

    def __init__(self, options: Options, seconds: float) -> None:
        """Start the clock of `seconds`, which everything together may take."""
        self._options = options
        self._engine = options["engine"]
        self._deadline = time.monotonic() + seconds
        self._seconds = seconds
        self._connection: Any = None
        where = options["socket"] or f"{options['host']}:{options['port'] or PORTS[self._engine]}"
        self.name = f"{_LABELS[self._engine]} at {where}, database {options['database']}"

    def __enter__(self) -> Database:
        """Connect and set the limits. Raises ServerFailure and ValueError."""
        try:
            self._connection = self._open_mysql() if self._engine == "mysql" else self._open_postgres()
        except Exception as error:
            raise self.failure(error) from error
        self._limit()
        return self

    def __exit__(self, *_raised: object) -> None:
        """Close the connection."""
        self._connection.close()

    def _left(self):
        return max(self._deadline - time.monotonic(), 0.1)

    def _address(self):
        options = self._options
        return {"host": options["host"], "port": options["port"] or PORTS[self._engine]}

    def _open_mysql(self):
        options, left = self._options, self._left()
        given = {"unix_socket": options["socket"]} if options["socket"] else self._address()
        if options["tls"]:
            given["ssl"] = _tls.context(options)
        # Given a str, the driver encodes the password as Latin-1; servers hold it in UTF-8.
        connection = pymysql.connect(
            user=options["username"],
            password=(options["password"] or "").encode(),
            database=options["database"],
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=left,
            read_timeout=left,
            write_timeout=left,
            **given,
        )
        if options["tls"] and not isinstance(connection._sock, ssl.SSLSocket):
            # Older releases of the driver continue without TLS if the server has none.
            connection.close()
            raise ServerFailure("tls", f"{self.name}: the server has no TLS; enable it there, or set tls to false")
        return connection

    def _open_postgres(self):
        options = self._options
        given = _socket(options["socket"]) if options["socket"] else self._address()
        if options["tls"] is not None:
            given["sslmode"] = (
                "disable" if not options["tls"] else "verify-full" if options["validate_certs"] else "require"
            )
        if options["tls"] and options["validate_certs"]:
            given["sslrootcert"] = options["ca_path"] or ssl.get_default_verify_paths().cafile
        connection = postgres.connect(
            dbname=options["database"],
            user=options["username"],
            password=options["password"] or None,
            # The library takes whole seconds, at least 2; the module's own limit applies as well.
            connect_timeout=max(int(self._left()), 2),
            application_name="lifeline.fleet",
            **given,
        )
        connection.autocommit = True
        return connection

    def _limit(self):
        """Make the transaction read-only, set the session's time zone to UTC, and limit the time of each statement."""
        seconds = self._left() * _SERVER_SHARE
        if self._engine == "postgresql":
            self.ask("BEGIN READ ONLY")
            self.ask(f"SET LOCAL statement_timeout = {int(max(seconds * 1000, 1))}")
            self.ask("SET LOCAL TIME ZONE 'UTC'")
            return
        self.ask("SET SESSION time_zone = '+00:00'")
        ((version,),) = self.ask("SELECT VERSION()")
        if "mariadb" in version.lower():
            self.ask(f"SET SESSION max_statement_time = {seconds:.3f}")
        else:
            self.ask(f"SET SESSION max_execution_time = {int(max(seconds * 1000, 1))}")
        self.ask("START TRANSACTION READ ONLY")

    def ask(self, query: str, values: Optional[Sequence[Value]] = None) -> Rows:
        """Return the rows of a query. Raises ServerFailure."""
        try:
            cursor = self._connection.cursor()
            # Without values, a driver leaves percent signs alone.
            if values:
                cursor.execute(query, values)
            else:
                cursor.execute(query)
            return cursor.fetchall() if cursor.description else ()
        except Exception as error:
            raise self.failure(error) from error

    def now(self) -> float:
        """Return the server's time in seconds since the epoch, by which rows are most often stamped."""
        ((now,),) = self.ask(
            "SELECT UNIX_TIMESTAMP(NOW(6))" if self._engine == "mysql" else "SELECT EXTRACT(EPOCH FROM now())"
        )
        return float(now)

    def columns(self, schema: Optional[str], table: str) -> Dict[str, str]:
        """Return the types of a table's columns by name. Raises ServerFailure if there is no such table."""
        values: List[Value] = []
        if schema is not None:
            owner, values = "table_schema = %s", [schema]
        elif self._engine == "mysql":
            owner = "table_schema = DATABASE()"
        else:
            owner = "table_schema = ANY(current_schemas(false))"
        found = self.ask(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s AND "
            f"{owner} ORDER BY ordinal_position",
            [table, *values],
        )
        if not found:
            raise self._no_columns(schema, table, owner, values)
        return {row[0]: row[1] for row in found}

    def _no_columns(self, schema, table, owner, values):
        """Return the ServerFailure for a table whose columns the server does not list."""
        user = self._options["username"]
        tables = "information_schema.tables WHERE"
        if self.ask(f"SELECT 1 FROM {tables} table_name = %s AND {owner}", [table, *values]):
            return ServerFailure(
                "refused",
                f"{self.name}: user {user} may not read the columns of table {table}; grant SELECT on it",
            )
        others = self.ask(f"SELECT table_name FROM {tables} {owner} ORDER BY table_name LIMIT 11", values)
        there = f"tables: {some([row[0] for row in others])}" if others else "there are no tables"
        name = f"{schema}.{table}" if schema else table
        return ServerFailure("schema", f"{self.name}: no table {name} that user {user} may read ({there})")

    def failure(self, error: Exception) -> Exception:
        """Return the ServerFailure for what a driver raised. ServerFailure and ValueError are returned as they are."""
        if isinstance(error, (ServerFailure, ValueError)):
            return error
        if isinstance(error, TimeoutError):
            return self.timeout()
        text = error.args[-1] if self._engine == "mysql" and error.args else error
        words = " ".join(str(text).split()) or type(error).__name__
        cause = _cause_mysql(error, words) if self._engine == "mysql" else _cause_postgres(error, words)
        if cause == "timeout":
            return self.timeout(": " + words)
        return ServerFailure(cause, f"{self.name}: {_MESSAGES[cause].format(user=self._options['username'])}: {words}")

    def timeout(self, words: str = "") -> ServerFailure:
        """Return the ServerFailure for a database that took too long. `words` are appended."""
        return ServerFailure("timeout", f"{self.name}: no answer within {self._seconds:g} s{words}")


def _cause_mysql(error, words):
    code = error.args[0] if error.args else None
    for cause, codes in _MYSQL.items():
        if code in codes:
            return cause
    if "timed out" in words:
        return "timeout"
    if isinstance(error, ssl.SSLError) or "SSL" in words or "TLS" in words:
        return "tls"
    if code in (2002, 2003, 2005, 2006, 2013) or isinstance(error, OSError):
        return "unreachable"
    # The driver raises RuntimeError if the password method of newer servers needs a library that is not installed.
    return "login" if isinstance(error, RuntimeError) else "refused"


def _cause_postgres(error, words):
    code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""
    for cause, codes in _POSTGRES.items():
        if code.startswith(codes):
            return cause
    if code:
        return "refused"
    return next((cause for pattern, cause in _POSTGRES_WORDS if re.search(pattern, words)), "refused")


def _socket(path):
    """Return folder and port of PostgreSQL's socket /run/postgresql/.s.PGSQL.5432, or the path as the folder."""
    found = re.search(r"^(.*)/\.s\.PGSQL\.([0-9]+)$", path)
    if found:
        return {"host": found.group(1), "port": int(found.group(2))}
    return {"host": path, "port": PORTS["postgresql"]}


def some(names: Sequence[str], most: int = 10) -> str:
    """Return the first names, separated by commas, and whether there are more."""
    return ", ".join(names[:most]) + (", and more" if len(names) > most else "")
