# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a history stays within its bounds: what is too old goes once an hour, the oldest of what is too much as soon as it is too much.

Whoever records when it is due does it, after its own reading is safe, and a bit at a time, so that nobody else waits long.
"""

from __future__ import annotations

import time

_EVERY_SECONDS = 3600
# Readings of one transaction.
_BATCH = 500
# Of a history that is too large, this share goes at once, so that it isn't too large again with the next reading.
_SHARE = 0.1


def prune(database, transaction, days, size):
    """Forget what is older than V(days) and the oldest of what is more than V(size) bytes; no more where a bound is None."""
    if size is not None and _used(database) > size:
        _shrink(database, transaction, size)
    if days is not None and _is_due(database, transaction):
        _forget(database, transaction, time.time() - days * 86400)


def _used(database):
    pages, free, page = (
        database.execute("PRAGMA " + name).fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * page


def _is_due(database, transaction):
    """Whether it is time, and nobody else has begun."""
    now = time.time()
    question = "SELECT 1 FROM upkeep WHERE task = 'prune' AND done > ?"
    if database.execute(question, [now - _EVERY_SECONDS]).fetchone():
        return False
    with transaction():
        if database.execute(question, [now - _EVERY_SECONDS]).fetchone():
            return False
        database.execute("INSERT OR REPLACE INTO upkeep VALUES ('prune', ?)", [now])
    return True


def _shrink(database, transaction, size):
    """Forget the oldest readings until what is left has its place, and give the space back."""
    batch = min(_BATCH, 1 + database.execute("SELECT count(*) FROM readings").fetchone()[0] // 20)
    while True:
        with transaction():
            # Others may have begun with it as well.
            if _used(database) <= size * (1 - _SHARE) or not _forget_oldest(database, batch):
                break
    _give_back(database)


def _forget(database, transaction, before):
    """Forget the readings and kills from before a time, and what was so before it and is so no more."""
    while True:
        with transaction():
            if not _forget_oldest(database, _BATCH, before):
                break
    with transaction():
        database.execute("DELETE FROM kills WHERE killed < ?", [before])
        database.execute(
            "DELETE FROM states WHERE taken < (SELECT max(later.taken) FROM states AS later WHERE later.box = states.box"
            " AND later.name = states.name AND later.taken <= ?)",
            [before],
        )
        database.execute(
            "DELETE FROM states WHERE value IS NULL AND taken < ? AND NOT EXISTS (SELECT 1 FROM states AS later"
            " WHERE later.box = states.box AND later.name = states.name AND later.taken > states.taken)",
            [before],
        )
    _give_back(database)


def _forget_oldest(database, batch, before=None):
    """Delete up to so many readings, of those from before a time if there is one; how many there were."""
    oldest = database.execute("SELECT id, box, taken FROM readings ORDER BY id LIMIT ?", [batch]).fetchall()
    chosen = [(reading, box) for reading, box, taken in oldest if before is None or taken < before]
    for table in ("findings WHERE reading = ?", "readings WHERE id = ?"):
        database.executemany("DELETE FROM " + table, [(reading,) for reading, _box in chosen])
    database.executemany(
        "DELETE FROM samples WHERE box = ? AND reading = ?", [(box, reading) for reading, box in chosen]
    )
    return len(chosen)


def _give_back(database):
    if (
        database.execute("PRAGMA freelist_count").fetchone()[0] * 4
        > database.execute("PRAGMA page_count").fetchone()[0]
    ):
        # One page at a step, and only a script is stepped through.
        database.executescript("PRAGMA incremental_vacuum")
