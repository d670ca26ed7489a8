# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep a history within its bounds: by age once an hour, by size as soon as it is too large.

The process that records when it is due does it, after its own reading is stored, and in small transactions, so no other
process waits for long.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.database import Database
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import AHEAD_SECONDS

_EVERY_SECONDS = 3600
# Readings per transaction.
_BATCH = 500
# A history that is too large shrinks by this share, so it is not too large again with the next reading.
_SHARE = 0.1


def prune(database: Database, days: float | None, size: int | None) -> None:
    """Remove records older than `days`, then the oldest until `size` bytes are left. None means no limit."""
    if size is not None and used_bytes(database.connection) > size:
        _shrink(database, size)
    if days is not None and _is_due(database, days):
        now = time.time()
        _forget(database, now - days * 86400, now + AHEAD_SECONDS)


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return the size of the pages in use."""
    pages, free, page = (_pragma(connection, name) for name in ("page_count", "freelist_count", "page_size"))
    return (pages - free) * page


def _is_due(database: Database, days: float) -> bool:
    """Return whether pruning is due and no other process has begun it, and note that this one has.

    A note of the future is from a clock that was ahead, and does not count. If the last note is half of `days` old, the
    clock may be ahead now, which would remove all readings: the next time, an hour later, believes it.
    """
    now = time.time()
    question = "SELECT done FROM upkeep WHERE task = 'prune'"
    if not _is_over(database.connection.execute(question).fetchone(), now):
        return False
    with database.transaction() as connection:
        row = connection.execute(question).fetchone()
        if not _is_over(row, now):
            return False
        connection.execute("INSERT OR REPLACE INTO upkeep VALUES ('prune', ?)", [now])
    return row is None or now - row[0] < days * 86400 / 2


def _is_over(row: tuple[float] | None, now: float) -> bool:
    """Return whether the last time is an hour ago, or there was none."""
    return row is None or not now - _EVERY_SECONDS < row[0] <= now + AHEAD_SECONDS


def _shrink(database: Database, size: int) -> None:
    """Remove the oldest readings until the rest is well below `size`, and give the space back."""
    readings: int = database.connection.execute("SELECT count(*) FROM readings").fetchone()[0]
    batch = min(_BATCH, 1 + readings // 20)
    while True:
        with database.transaction() as connection:
            # Another process may have removed some as well.
            if used_bytes(connection) <= size * (1 - _SHARE) or not _forget_readings(connection, batch):
                break
            _forget_kills(connection)
    _give_back(database.connection)


def _forget(database: Database, before: float, ahead: float) -> None:
    """Remove the readings and kills before a time, and the states that had ended by then.

    A reading beyond `ahead` is from a clock that was ahead. It is as old as the readings that were recorded next to it.
    """
    last = database.connection.execute("SELECT max(id) FROM readings WHERE taken < ?", [before]).fetchone()[0]
    while last is not None:
        with database.transaction() as connection:
            if not _forget_readings(connection, _BATCH, "id <= ? AND (taken < ? OR taken > ?)", [last, before, ahead]):
                break
    with database.transaction() as connection:
        connection.execute("DELETE FROM kills WHERE killed < ?", [before])
        _forget_kills(connection)
        connection.execute(
            "DELETE FROM states WHERE taken < (SELECT max(later.taken) FROM states AS later"
            " WHERE later.box = states.box AND later.name = states.name AND later.taken <= ?)",
            [before],
        )
        connection.execute(
            "DELETE FROM states WHERE value IS NULL AND taken < ? AND NOT EXISTS (SELECT 1 FROM states AS later"
            " WHERE later.box = states.box AND later.name = states.name AND later.taken > states.taken)",
            [before],
        )
    _give_back(database.connection)


def _forget_readings(
    connection: sqlite3.Connection, batch: int, condition: str = "TRUE", values: Sequence[float] = ()
) -> int:
    """Delete up to `batch` of the oldest readings that meet a condition. Return how many there were."""
    chosen = connection.execute(
        f"SELECT id, box FROM readings WHERE {condition} ORDER BY id LIMIT ?", [*values, batch]
    ).fetchall()
    for table in ("findings WHERE reading = ?", "readings WHERE id = ?"):
        connection.executemany("DELETE FROM " + table, [(reading,) for reading, _box in chosen])
    connection.executemany(
        "DELETE FROM samples WHERE box = ? AND reading = ?", [(box, reading) for reading, box in chosen]
    )
    return len(chosen)


def _forget_kills(connection: sqlite3.Connection) -> None:
    """Delete the kills whose readings are gone, and older than all others: a host may give any time, or none."""
    connection.execute("DELETE FROM kills WHERE reading < (SELECT coalesce(min(id), 0) FROM readings)")


def _give_back(connection: sqlite3.Connection) -> None:
    """Return free pages to the file system if they are more than a quarter of the file."""
    if _pragma(connection, "freelist_count") * 4 > _pragma(connection, "page_count"):
        # The statement frees one page per step, and only a script is stepped to its end.
        connection.executescript("PRAGMA incremental_vacuum")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute("PRAGMA " + name).fetchone()[0]
    return value
