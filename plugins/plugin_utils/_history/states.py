# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the state of each host over time in the table `states`, which has a row for each change."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import storable
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import (
    AHEAD_SECONDS,
    Change,
    Reading,
    StateValue,
)

# A name with this end says that from this time on all names which begin with it are known.
_WHOLE = ":"


def known(connection: sqlite3.Connection, box: str, at: float) -> dict[str, str | None]:
    """Return the last value of each name up to a time, as JSON text; None is a name that has gone."""
    rows = connection.execute(
        "SELECT name, value, max(taken) FROM states"
        " WHERE box = (SELECT id FROM boxes WHERE name = ?) AND taken <= ? GROUP BY name",
        [storable.text(box), at],
    )
    return {name: value for name, value, _taken in rows}


def values(stored: dict[str, str | None]) -> dict[str, StateValue]:
    """Return the values of what `known` returned, without the names that have gone."""
    return {
        name: json.loads(value) for name, value in stored.items() if value is not None and not name.endswith(_WHOLE)
    }


def insert(connection: sqlite3.Connection, box: int, taken: float, reading: Reading) -> None:
    """Store the values of a reading that have changed. `box` is the number of the host.

    Values of the future are removed: they were read while the controller's clock was ahead, and would be believed again
    when their time comes.
    """
    connection.execute("DELETE FROM states WHERE box = ? AND taken > ?", [box, max(time.time(), taken) + AHEAD_SECONDS])
    before = known(connection, reading.box, taken)
    state: dict[str, str | None] = {
        storable.text(name): json.dumps(value, sort_keys=True) for name, value in reading.state.items()
    }
    for prefix in reading.whole:
        # All names with this prefix are known from here on, so one more of them is a change.
        state[prefix] = "true"
        state.update((name, None) for name in before if name.startswith(prefix) and name not in state)
    connection.executemany(
        "INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?)",
        [(box, name, taken, value) for name, value in state.items() if name not in before or before[name] != value],
    )


def changes(before: dict[str, str | None], since: float, rows: Iterable[tuple[float, str, str | None]]) -> list[Change]:
    """Return what has changed. `before` is what was known at the time `since`; `rows` are the later rows, oldest first.

    A name that is new is no change if nothing had looked for it before.
    """
    now = dict(before)
    whole_since = {name: since for name in before if name.endswith(_WHOLE)}
    found = []
    for taken, name, value in rows:
        if name.endswith(_WHOLE):
            whole_since.setdefault(name, taken)
        elif name in now or any(name.startswith(prefix) and first < taken for prefix, first in whole_since.items()):
            found.append(Change(taken, name, _value(now.get(name)), _value(value)))
        now[name] = value
    return found


def _value(text: str | None) -> StateValue:
    return None if text is None else json.loads(text)
