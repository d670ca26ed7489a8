# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history: what was read of the hosts, kept in one SQLite file on the controller.

Many forks of many runs write to it at once, and any program that knows SQLite can read it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import file as history_file, prune, states, writer
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.database import WAIT_SECONDS, Database
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import (
    AHEAD_SECONDS,
    Bucket,
    Change,
    Kill,
    Point,
    Reading,
    RecordedFinding,
    Sample,
    StateValue,
    Taken,
)

DAYS = 30
SIZE = 1 << 30
# How many readings back a trend is looked for, and which of them give a first idea; 1 is the last.
FURTHEST = 1000
PLACES = (1, 4, 8, 16, 32, 64, 125, 250, 500, 1000)

# A series by its metric and subject.
Key = tuple[str, str]

_READINGS = (
    "SELECT readings.id, boxes.name, {taken}, source, verdict, booted"
    " FROM readings JOIN boxes ON boxes.id = readings.box"
)
# CROSS JOIN fixes the order of the loops: the readings of one host first, which have an index.
_OF_ONE_BOX = "boxes CROSS JOIN readings ON readings.box = boxes.id"
_THEIR_SAMPLES = " CROSS JOIN samples ON samples.box = readings.box AND reading = readings.id"
_THEIR_SERIES = " CROSS JOIN series ON series.id = series"


class History:
    """The history in the file `path`, to be used in a `with` statement. Every failure raises HistoryError.

    Without `create` the file must exist, and nothing is written to it. With `create`, a damaged file is set aside and a
    new one is begun; `notes` then has a sentence about it. Readings older than `days`, and the oldest ones beyond
    `size` bytes, are removed now and then. `wait` is how many seconds the lock of another process is waited for.

    A reading whose time is in the future was taken while the controller's clock was ahead. The questions ignore it.
    """

    def __init__(
        self,
        path: str,
        days: float | None = DAYS,
        size: int | None = SIZE,
        create: bool = False,
        wait: float = WAIT_SECONDS,
    ) -> None:
        self.database = Database(path, create, wait)
        self._days, self._size = days, size

    def __enter__(self) -> History:
        self.database.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.database.close()

    @property
    def path(self) -> str:
        """The file itself, without links."""
        return self.database.path

    @property
    def notes(self) -> list[str]:
        """Return the messages for the user, as sentences."""
        return self.database.notes

    def exists(self) -> bool:
        """Return whether the file exists."""
        return history_file.inode(self.path) is not None

    def record(self, reading: Reading) -> int:
        """Store a reading, as a whole or not at all, and return its number."""
        number = self.database.write(lambda connection: writer.insert(connection, reading))
        self.database.safely(lambda: prune.prune(self.database, self._days, self._size))
        return number

    def boxes(self) -> list[str]:
        """Return the names of all hosts that have readings."""
        rows = self.database.ask(
            "SELECT name FROM boxes WHERE EXISTS (SELECT 1 FROM readings WHERE box = boxes.id) ORDER BY name"
        )
        return [name for (name,) in rows]

    def metrics(self) -> list[str]:
        """Return the names of everything that was ever measured."""
        return [name for (name,) in self.database.ask("SELECT DISTINCT metric FROM series ORDER BY metric")]

    def readings(self, box: str | None = None, since: float | None = None, source: str | None = None) -> list[Taken]:
        """Return the readings of one host or of all, oldest first."""
        where, values = _where({"boxes.name =": box, "taken >=": since, "taken <=": _latest(), "source =": source})
        rows = self.database.ask(_READINGS.format(taken="taken") + where + " ORDER BY taken, readings.id", values)
        return [Taken(*row) for row in rows]

    def latest(self, source: str = "health") -> dict[str, Taken]:
        """Return the last reading of each host from one source, by the host's name."""
        question = _READINGS.format(taken="max(taken)") + " WHERE source = ? AND taken <= ?"
        rows = self.database.ask(question + " GROUP BY boxes.id ORDER BY boxes.name", [source, _latest()])
        return {row[1]: Taken(*row) for row in rows}

    def ahead(self) -> int:
        """Return how many readings are ignored because their time is in the future."""
        rows = self.database.ask("SELECT count(*) FROM readings WHERE taken > ?", [_latest()])
        return int(rows[0][0])

    def series(
        self, box: str, metric: str, subject: str = "", since: float | None = None, last: int | None = None
    ) -> list[Point]:
        """Return the points of one series, oldest first: those from `since` on, and at most the `last` so many."""
        where, values = _where(
            {
                "boxes.name =": box,
                "metric =": metric,
                "subject =": subject,
                "taken >=": since,
                "taken <=": _latest(),
            }
        )
        rows = self.database.ask(
            f"SELECT taken, value, capacity, coalesce(started, booted) FROM {_OF_ONE_BOX} CROSS JOIN series"
            " JOIN samples ON samples.box = boxes.id AND reading = readings.id AND series = series.id"
            + where
            + " ORDER BY taken DESC, reading DESC"
            + ("" if last is None else f" LIMIT {last}"),
            values,
        )
        return [Point(*row) for row in reversed(rows)]

    def recent(self, box: str, metrics: Sequence[str], since: float = 0) -> dict[Key, list[Point]]:
        """Return a few points of each series of some metrics, oldest first. Older ones are further apart."""
        numbers = self.database.ask(
            "SELECT id FROM readings WHERE box = (SELECT id FROM boxes WHERE name = ?) AND taken BETWEEN ? AND ?"
            f" ORDER BY taken DESC LIMIT {FURTHEST}",
            [box, since, _latest()],
        )
        readings = [numbers[place - 1][0] for place in PLACES if place <= len(numbers)]
        rows = self.database.ask(
            "SELECT metric, subject, taken, value, capacity, coalesce(started, booted)"
            f" FROM readings{_THEIR_SAMPLES}{_THEIR_SERIES}"
            f" WHERE readings.id IN ({_marks(readings)}) AND metric IN ({_marks(metrics)}) ORDER BY taken, reading",
            [*readings, *metrics],
        )
        found: dict[Key, list[Point]] = {}
        for metric, subject, *point in rows:
            found.setdefault((metric, subject), []).append(Point(*point))
        return found

    def samples(self, reading: int) -> list[Sample]:
        """Return all numbers of one reading."""
        rows = self.database.ask(
            "SELECT metric, subject, value, capacity, started FROM samples JOIN series ON series.id = series"
            " WHERE box = (SELECT box FROM readings WHERE id = ?) AND reading = ? ORDER BY metric, subject",
            [reading, reading],
        )
        return [Sample(*row) for row in rows]

    def buckets(self, box: str, metrics: Sequence[str], since: float, width: float) -> dict[Key, list[Bucket]]:
        """Return the lowest and highest value of each `width` seconds from `since` on, oldest first, by series."""
        rows = self.database.ask(
            "SELECT metric, subject, CAST((taken - ?) / ? AS INTEGER) AS bucket, min(value), max(value), max(taken),"
            f" max(capacity), max(coalesce(started, booted)) FROM {_OF_ONE_BOX}{_THEIR_SAMPLES}{_THEIR_SERIES}"
            f" WHERE boxes.name = ? AND taken BETWEEN ? AND ? AND metric IN ({_marks(metrics)})"
            " GROUP BY series.id, bucket ORDER BY metric, subject, bucket",
            [since, width, box, since, _latest(), *metrics],
        )
        found: dict[Key, list[Bucket]] = {}
        for metric, subject, *bucket in rows:
            found.setdefault((metric, subject), []).append(Bucket(*bucket))
        return found

    def findings(
        self, box: str | None = None, since: float | None = None, reading: int | None = None
    ) -> list[RecordedFinding]:
        """Return findings, oldest first, and the worst of a reading first."""
        where, values = _where({"boxes.name =": box, "taken >=": since, "taken <=": _latest(), "reading =": reading})
        rows = self.database.ask(
            "SELECT boxes.name, taken, check_name, severity, subject, value, threshold, unit, message FROM findings"
            " JOIN readings ON readings.id = reading JOIN boxes ON boxes.id = readings.box"
            + where
            + " ORDER BY taken, reading, number",
            values,
        )
        return [
            RecordedFinding(
                box=name,
                taken=taken,
                check=check,
                severity=severity,
                subject=subject,
                value=value,
                threshold=threshold,
                unit=unit,
                message=message,
            )
            for name, taken, check, severity, subject, value, threshold, unit, message in rows
        ]

    def kills(self, box: str | None = None, since: float | None = None) -> list[tuple[str, Kill]]:
        """Return pairs of a host's name and a kill, oldest first. A kill that was read twice is there once."""
        where, values = _where({"boxes.name =": box, "killed >=": since})
        rows = self.database.ask(
            "SELECT boxes.name, killed, pid, kills.name, killer, scope, unit, rss_bytes"
            " FROM kills JOIN boxes ON boxes.id = kills.box" + where + " ORDER BY killed, kills.id",
            values,
        )
        return [(name, Kill(*kill)) for name, *kill in rows]

    def state(self, box: str, at: float | None = None) -> dict[str, StateValue]:
        """Return what was known of a host at a time, by default now."""
        return states.values(self._known(box, _latest() if at is None else at))

    def changes(self, box: str, since: float) -> list[Change]:
        """Return what has changed on a host since a time, oldest first.

        A name that is new is no change if nothing had looked for it before.
        """
        rows = self.database.ask(
            "SELECT taken, name, value FROM states WHERE box = (SELECT id FROM boxes WHERE name = ?)"
            " AND taken > ? AND taken <= ? ORDER BY taken, name",
            [box, since, _latest()],
        )
        return states.changes(self._known(box, since), since, list(rows))

    def _known(self, box: str, at: float) -> dict[str, str | None]:
        return self.database.safely(lambda: states.known(self.database.connection, box, at))


def _latest() -> float:
    """Return the latest time that a reading can have, in seconds since 1970."""
    return time.time() + AHEAD_SECONDS


def _where(conditions: Mapping[str, str | float | None]) -> tuple[str, list[str | float]]:
    """Return the WHERE clause for the conditions that have a value, and the values."""
    kept = {left: value for left, value in conditions.items() if value is not None}
    return (" WHERE " + " AND ".join(f"{left} ?" for left in kept) if kept else ""), list(kept.values())


def _marks(values: Sequence[object]) -> str:
    """Return as many placeholders as there are values."""
    return ", ".join("?" * len(values))
