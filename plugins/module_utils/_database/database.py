# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that is asked, and can't be changed or kept busy: one connection, one transaction that only reads, limits on all waits.

The drivers are PyMySQL for MySQL and MariaDB, and psycopg 3 or psycopg2 for PostgreSQL. What they raise, and each in its own way, comes out
as a ServerFailure with a cause.
"""

from __future__ import annotations

import re
import ssl
import time
import traceback

from ansible_collections.lifeline.fleet.plugins.module_utils import _tls
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure

MISSING = {"mysql": None, "postgresql": None}
try:
    import pymysql
except ImportError:
    pymysql, MISSING["mysql"] = None, traceback.format_exc()
try:
    import psycopg as postgres
except ImportError:
    try:
        import psycopg2 as postgres
    except ImportError:
        postgres, MISSING["postgresql"] = None, traceback.format_exc()

LIBRARIES = {"mysql": "PyMySQL", "postgresql": "psycopg (or psycopg2)"}
PORTS = {"mysql": 3306, "postgresql": 5432}
_LABELS = {"mysql": "MySQL/MariaDB", "postgresql": "PostgreSQL"}

# The server gives up a little before the box does, so that no query outlives the task, and says itself what was slow.
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
# Before there is a connection, the library has no codes but only words.
_POSTGRES_WORDS = (
    (r"timeout expired|timed out|timeout", "timeout"),
    (r"database \S+ does not exist", "schema"),
    (r"authentication|password|pg_hba|role .* (does not exist|is not permitted)", "login"),
    (r"SSL|certificate", "tls"),
    (r"refused|resolve|could not|connection|No such file|server closed", "unreachable"),
)


class Database:
    """V(options) are those of the module."""

    def __init__(self, options, seconds):
        self._options = options
        self._engine = options["engine"]
        self._deadline = time.monotonic() + seconds
        self._seconds = seconds
        self._connection = None
        where = options["socket"] or f"{options['host']}:{options['port'] or PORTS[self._engine]}"
        self.name = f"{_LABELS[self._engine]} at {where}, database {options['database']}"

    def __enter__(self):
        try:
            self._connection = self._open_mysql() if self._engine == "mysql" else self._open_postgres()
        except Exception as error:
            raise self.failure(error) from error
        self._limit()
        return self

    def __exit__(self, *_raised):
        self._connection.close()

    def _left(self):
        return max(self._deadline - time.monotonic(), 0.1)

    def _open_mysql(self):
        options, left = self._options, self._left()
        given = (
            {"unix_socket": options["socket"]}
            if options["socket"]
            else {"host": options["host"], "port": options["port"] or PORTS["mysql"]}
        )
        if options["tls"]:
            given["ssl"] = _tls.context(options)
        # Text the driver would send as Latin-1, and no server takes that for the password that it was given in UTF-8.
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
            # Older releases of the driver go on without it.
            connection.close()
            raise ServerFailure("tls", f"{self.name} has no TLS")
        return connection

    def _open_postgres(self):
        options = self._options
        given = (
            _socket(options["socket"])
            if options["socket"]
            else {"host": options["host"], "port": options["port"] or PORTS["postgresql"]}
        )
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
            # The library takes whole seconds, and no fewer than two; the module's own limit holds all the same.
            connect_timeout=max(int(self._left()), 2),
            application_name="lifeline.fleet",
            **given,
        )
        connection.autocommit = True
        return connection

    def _limit(self):
        """Let nothing be written, UTC be the session's zone, and no statement run for longer than there is time."""
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

    def ask(self, query, values=None):
        """The rows of the answer. Raises ServerFailure."""
        try:
            cursor = self._connection.cursor()
            # Without values, a driver does not look for their marks.
            cursor.execute(query, values) if values else cursor.execute(query)
            return cursor.fetchall() if cursor.description else ()
        except Exception as error:
            raise self.failure(error) from error

    def now(self):
        """What the server's clock says, in seconds since the epoch. Rows are stamped by it, or by one that agrees with it."""
        ((now,),) = self.ask(
            "SELECT UNIX_TIMESTAMP(NOW(6))" if self._engine == "mysql" else "SELECT EXTRACT(EPOCH FROM now())"
        )
        return float(now)

    def columns(self, schema, table):
        """Names and types of a table's columns. Raises ServerFailure where there is no such table."""
        if schema is not None:
            owner, values = "table_schema = %s", [schema]
        elif self._engine == "mysql":
            owner, values = "table_schema = DATABASE()", []
        else:
            owner, values = "table_schema = ANY(current_schemas(false))", []
        found = self.ask(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s AND "
            + owner
            + " ORDER BY ordinal_position",
            [table, *values],
        )
        if not found:
            if self.ask("SELECT 1 FROM information_schema.tables WHERE table_name = %s AND " + owner, [table, *values]):
                raise ServerFailure(
                    "refused",
                    f"{self.name} does not tell user {self._options['username']} the columns of table {table}, and would not let it be read",
                )
            others = self.ask(
                "SELECT table_name FROM information_schema.tables WHERE " + owner + " ORDER BY table_name LIMIT 11",
                values,
            )
            raise ServerFailure(
                "schema",
                f"{self.name} has no table {schema + '.' if schema else ''}{table} that user {self._options['username']} may read: {'it has ' + some([row[0] for row in others]) if others else 'it has none at all'}",
            )
        return dict(found)

    def failure(self, error):
        """What a driver has raised, with its cause."""
        if isinstance(error, (ServerFailure, ValueError)):
            return error
        words = (
            " ".join(str(error.args[-1] if self._engine == "mysql" and error.args else error).split())
            or type(error).__name__
        )
        if isinstance(error, TimeoutError):
            return self.timeout()
        cause = (self._cause_mysql if self._engine == "mysql" else self._cause_postgres)(error, words)
        if cause == "timeout":
            return self.timeout(": " + words)
        told = {
            "unreachable": "can't be reached",
            "login": f"does not let user {self._options['username']} in, or not that far",
            "schema": "has not what was asked for",
            "tls": "TLS fails",
            "refused": "refuses",
        }[cause]
        return ServerFailure(cause, f"{self.name} {told}: {words}")

    def timeout(self, words=""):
        return ServerFailure("timeout", f"{self.name} has not answered within {self._seconds:g} s{words}")

    @staticmethod
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
        # The driver wants another library for the ways in which newer servers take passwords.
        return "login" if isinstance(error, RuntimeError) else "refused"

    @staticmethod
    def _cause_postgres(error, words):
        code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""
        for cause, codes in _POSTGRES.items():
            if code.startswith(codes):
                return cause
        return (
            "refused"
            if code
            else next((cause for pattern, cause in _POSTGRES_WORDS if re.search(pattern, words)), "refused")
        )


def _socket(path):
    """PostgreSQL's socket by its folder and number, from its path: /run/postgresql/.s.PGSQL.5432."""
    found = re.search(r"^(.*)/\.s\.PGSQL\.(\d+)$", path)
    return (
        {"host": found.group(1), "port": int(found.group(2))} if found else {"host": path, "port": PORTS["postgresql"]}
    )


def some(names, most=10):
    return ", ".join(names[:most]) + (", and more" if len(names) > most else "")
