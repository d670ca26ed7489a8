# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQLite connection of a history: open it, wait for other processes, and replace a damaged file."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import HistoryError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import (
    file as history_file,
    schema as history_schema,
    storable,
)

# Transactions take milliseconds; only a lock held by a hung process makes us wait this long.
WAIT_SECONDS = 30
# SQLite's write-ahead log is folded into the file when it has grown to this size, which is about 20 readings.
LOG_SIZE = 1 << 19

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_NOT_WRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)

Result = TypeVar("Result")


class Database:
    """An open history.

    Every failure raises HistoryError, with one exception: if `create` is set and the file is damaged, it is set aside
    and a new one is begun. `notes` then has a sentence about it.
    """

    def __init__(self, path: str, create: bool, wait: float) -> None:
        self.path = history_file.resolve(path)
        self.notes: list[str] = []
        self._create, self._wait = create, wait
        self._connection: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._hold: ExitStack | None = None
        self._inode: int | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, in autocommit mode. Raises HistoryError if the history is not open."""
        if self._connection is None:
            raise HistoryError(f"the history {self.path} is not open; use it in a `with` statement")
        return self._connection

    def open(self) -> None:
        """Open the file, with new tables if it is empty. Raises HistoryError."""
        try:
            self.safely(self._open)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file. It may be closed already."""
        connections, hold = [self._connection, self._reader], self._hold
        self._connection = self._reader = self._hold = None
        if history_file.log_size(self.path) > LOG_SIZE:
            connections.reverse()
        for connection in connections:
            if connection is not None:
                connection.close()
        if hold is not None:
            hold.close()

    def ask(self, question: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows that a SELECT statement finds. Raises HistoryError."""
        # A name that a host has made up may hold what UTF-8 cannot carry.
        stored = [storable.text(value) if isinstance(value, str) else value for value in values]
        return self.safely(lambda: self.connection.execute(question, stored).fetchall())

    def write(self, action: Callable[[sqlite3.Connection], Result]) -> Result:
        """Call `action` with the connection, within one transaction, and return its result. Raises HistoryError."""

        def whole() -> Result:
            with self.transaction() as connection:
                return action(connection)

        return self.safely(whole)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold a transaction, which is undone if the body raises."""
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            # SQLite itself has undone it after some errors, such as a full disk.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def safely(self, action: Callable[[], Result]) -> Result:
        """Return what `action` returns. Repeat it with a new file if this one is damaged. Raises HistoryError."""
        for _attempt in range(2):
            try:
                return self._patiently(action)
            except sqlite3.Error as error:
                if not self._create or _code(error) not in _DAMAGED:
                    raise HistoryError(_explain(self.path, error)) from error
                self._begin_anew(error)
        try:
            return self._patiently(action)
        except sqlite3.Error as error:
            raise HistoryError(_explain(self.path, error)) from error

    def _patiently(self, action: Callable[[], Result]) -> Result:
        """Repeat `action` while another process is in the way: SQLite itself waits for most locks, but not for all."""
        deadline = time.monotonic() + self._wait
        while True:
            try:
                return action()
            except sqlite3.OperationalError as error:
                if _code(error) not in _BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(0.001, 0.02))

    def _open(self) -> None:
        self._hold = ExitStack()
        self._hold.enter_context(history_file.held(self.path, self._create))
        self._inode = history_file.inode(self.path)
        mode = "rw" if self._create or history_file.may_write(self.path) else "ro"
        self._connection = history_file.connect(self.path, self._wait, mode)
        if self._create:
            self._patiently(self._make_tables)
        else:
            self._connection.execute("PRAGMA query_only = 1")
        self._check(self._version())
        if mode == "rw":
            # The last writer that closes the file folds the log into it and waits for the disk, once per host in a run.
            # A reader cannot do that, so `close` closes this connection last, unless the log has grown.
            self._reader = history_file.connect(self.path, self._wait, "ro")
            self._reader.execute("PRAGMA schema_version").fetchone()

    def _make_tables(self) -> None:
        """Make the tables if the file is empty."""
        connection = self.connection
        connection.execute("PRAGMA synchronous = NORMAL")
        if self._version() != (0, 0) or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return
        # Set before there is a table: afterwards it would need a copy of the whole file.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        with self.transaction():
            if self._version() == (0, 0):
                for statement in (history_schema.TABLES + history_schema.VIEWS).split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {history_schema.APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {history_schema.VERSION}")

    def _version(self) -> tuple[int, int]:
        names = ("application_id", "user_version")
        application, version = (self.connection.execute("PRAGMA " + name).fetchone()[0] for name in names)
        return application, version

    def _check(self, version: tuple[int, int]) -> None:
        if version[0] != history_schema.APPLICATION_ID:
            raise HistoryError(f"{self.path} is a SQLite file, but no history of lifeline.fleet; name another file")
        if version[1] != history_schema.VERSION:
            raise HistoryError(
                f"the history {self.path} has version {version[1]}, but this release of lifeline.fleet reads version"
                f" {history_schema.VERSION}; name another file, or use the release that created it"
            )

    def _begin_anew(self, error: sqlite3.Error) -> None:
        self.close()
        aside = history_file.set_aside(self.path, self._inode)
        if aside is not None:
            self.notes.append(
                f"the history {self.path} was damaged ({error}) and has been renamed to {aside}; a new one has been"
                f" begun. Run `sqlite3 {aside} .recover` to print what can be saved of it"
            )
        self._open()


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, without the bits that distinguish its kinds."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _explain(path: str, error: sqlite3.Error) -> str:
    code = _code(error)
    if code in _DAMAGED:
        return f"the history {path} is damaged ({error}); move it away; `sqlite3 FILE .recover` prints the rest of it"
    if code in _BUSY:
        return f"the history {path} is locked by another program ({error}); end that program, or wait until it is done"
    if code == sqlite3.SQLITE_FULL:
        return f"the history {path} cannot grow because its disk is full; make room, or lower lifeline_history_size"
    if code in _NOT_WRITABLE:
        return (
            f"the history {path} cannot be written ({error}); name a file that you may write, in a folder that you may "
            "write to, because SQLite keeps two more files beside it"
        )
    return f"the history {path} cannot be used: {error}"
