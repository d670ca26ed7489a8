# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was read of the boxes, kept in one SQLite file on the controller: written by many forks of many runs at once, read by anything.

C(History) is a context manager. Whatever goes wrong with the file raises HistoryError, except that a damaged one is set aside and a new
one begun when something is recorded: C(notes) then says so.
"""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections.abc import Iterable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import HistoryError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import (
    file as history_file,
    prune,
    schema as history_schema,
)

DAYS = 30
SIZE = 1 << 30
# Another's transaction takes milliseconds; so long waits only who waits for a dead one's.
WAIT_SECONDS = 30

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# Two logs may tell the time of one kill a little differently, and no number is given to a new process that soon.
SAME_KILL_SECONDS = 120
# A log of so many bytes is folded in: 20 readings, or so.
_LOG_SIZE = 1 << 19
# How many readings back anybody looks for a trend, and which of them give a first idea, the last being 1.
FURTHEST = 1000
PLACES = (1, 4, 8, 16, 32, 64, 125, 250, 500, 1000)
# What a prefix of names ends with whose names are all known.
_WHOLE = ":"


class Sample(NamedTuple):
    """One number. V(subject) is what it is of, V('') for the box itself; V(started) since when it has counted, if not since boot."""

    metric: str
    subject: str
    value: float
    capacity: float | None = None
    started: float | None = None


class Kill(NamedTuple):
    killed: float | None
    pid: int | None
    name: str | None
    killer: str = "kernel"
    scope: str | None = None
    unit: str | None = None
    rss_bytes: int | None = None


@dataclass(frozen=True)
class Reading:
    """All that one look at a box gave, to be recorded.

    V(findings) are dictionaries as health returns them. V(state) maps names to values that JSON can hold, and is kept only where it has
    changed; of the names that begin with one of V(whole), prefixes that end in a colon, those that aren't in V(state) are noted as gone.
    """

    box: str
    source: str
    taken: float = field(default_factory=time.time)
    verdict: str | None = None
    booted: float | None = None
    samples: Iterable[Sample] = ()
    findings: Iterable[dict] = ()
    kills: Iterable[Kill] = ()
    state: dict = field(default_factory=dict)
    whole: tuple[str, ...] = ()


class Point(NamedTuple):
    """One value of a series."""

    taken: float
    value: float
    capacity: float | None = None
    started: float | None = None


class Bucket(NamedTuple):
    """What a series was in one stretch of time: V(taken) is its last reading, V(capacity) and V(started) are the greatest of it."""

    number: int
    low: float
    high: float
    taken: float
    capacity: float | None = None
    started: float | None = None


class Taken(NamedTuple):
    """A reading that was recorded, without what it read."""

    reading: int
    box: str
    taken: float
    source: str
    verdict: str | None
    booted: float | None


class History:
    """The history in V(path); without V(create) it must be there, and it is not written to.

    V(days) and V(size), in bytes, bound it: what is older, or the oldest of what is too much, is forgotten now and then.
    """

    def __init__(self, path, days=DAYS, size=SIZE, create=False, wait=WAIT_SECONDS):
        self.path = history_file.resolve(path)
        self.notes = []
        self._days, self._size, self._create, self._wait = days, size, create, wait
        self._stack = self._database = self._reader = self._inode = None

    def __enter__(self):
        try:
            self._safely(self._open)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_error):
        self._close()

    def exists(self):
        return history_file.inode(self.path) is not None

    # Writing

    def record(self, reading):
        """Keep a reading; its number. It is there as a whole or not at all."""
        number = self._safely(lambda: self._in_transaction(lambda: self._insert(reading)))
        self._safely(lambda: prune.prune(self._database, self._transaction, self._days, self._size))
        return number

    # Reading

    def boxes(self):
        """The names of all boxes with readings."""
        return [
            name
            for (name,) in self._ask(
                "SELECT name FROM boxes WHERE EXISTS (SELECT 1 FROM readings WHERE box = boxes.id) ORDER BY name"
            )
        ]

    def metrics(self):
        """The names of all that was ever measured."""
        return [name for (name,) in self._ask("SELECT DISTINCT metric FROM series ORDER BY metric")]

    def readings(self, box=None, since=None, source=None):
        """The readings of one box or all, oldest first."""
        where, values = _where({"boxes.name =": box, "taken >=": since, "source =": source})
        return [
            Taken(*row)
            for row in self._ask(
                "SELECT readings.id, boxes.name, taken, source, verdict, booted FROM readings JOIN boxes ON boxes.id = readings.box"
                + where
                + " ORDER BY taken, readings.id",
                values,
            )
        ]

    def latest(self, source="health"):
        """The last reading of each box from V(source), by the box's name."""
        return {
            row[1]: Taken(*row)
            for row in self._ask(
                "SELECT readings.id, boxes.name, max(taken), source, verdict, booted FROM readings JOIN boxes ON boxes.id = readings.box"
                " WHERE source = ? GROUP BY boxes.id ORDER BY boxes.name",
                [source],
            )
        }

    def series(self, box, metric, subject="", since=None, last=None):
        """The points of one series, oldest first: all, those taken V(since), or the V(last) so many."""
        where, values = _where({"boxes.name =": box, "metric =": metric, "subject =": subject, "taken >=": since})
        rows = self._ask(
            "SELECT taken, value, capacity, coalesce(started, booted) FROM boxes CROSS JOIN readings ON readings.box = boxes.id"
            " CROSS JOIN series JOIN samples ON samples.box = boxes.id AND reading = readings.id AND series = series.id"
            + where
            + " ORDER BY taken DESC, reading DESC"
            + ("" if last is None else f" LIMIT {last}"),
            values,
        )
        return [Point(*row) for row in reversed(rows)]

    def recent(self, box, metrics, since=0):
        """A few points of each of V(metrics), ever further apart the longer ago: lists, oldest first, by metric and subject."""
        numbers = self._ask(
            f"SELECT id FROM readings WHERE box = (SELECT id FROM boxes WHERE name = ?) AND taken >= ? ORDER BY taken DESC LIMIT {FURTHEST}",
            [box, since],
        )
        readings = [numbers[place - 1][0] for place in PLACES if place <= len(numbers)]
        found = {}
        for metric, subject, *point in self._ask(
            f"SELECT metric, subject, taken, value, capacity, coalesce(started, booted) FROM readings CROSS JOIN samples ON samples.box = readings.box AND reading = readings.id CROSS JOIN series ON series.id = series WHERE readings.id IN ({', '.join(map(str, readings))}) AND metric IN ({', '.join('?' * len(metrics))}) ORDER BY taken, reading",
            metrics,
        ):
            found.setdefault((metric, subject), []).append(Point(*point))
        return found

    def samples(self, reading):
        """All numbers of one reading."""
        return [
            Sample(*row)
            for row in self._ask(
                "SELECT metric, subject, value, capacity, started FROM samples JOIN series ON series.id = series"
                " WHERE box = (SELECT box FROM readings WHERE id = ?) AND reading = ? ORDER BY metric, subject",
                [reading, reading],
            )
        ]

    def buckets(self, box, metrics, since, width):
        """The least and the most of each V(width) seconds since a time: lists of Bucket, oldest first, by metric and subject."""
        found = {}
        for metric, subject, *bucket in self._ask(
            f"SELECT metric, subject, CAST((taken - ?) / ? AS INTEGER) AS bucket, min(value), max(value), max(taken), max(capacity), max(coalesce(started, booted)) FROM boxes CROSS JOIN readings ON readings.box = boxes.id CROSS JOIN samples ON samples.box = readings.box AND reading = readings.id CROSS JOIN series ON series.id = series WHERE boxes.name = ? AND taken >= ? AND metric IN ({', '.join('?' * len(metrics))}) GROUP BY series.id, bucket ORDER BY metric, subject, bucket",
            [since, width, box, since, *metrics],
        ):
            found.setdefault((metric, subject), []).append(Bucket(*bucket))
        return found

    def findings(self, box=None, since=None, reading=None):
        """Findings as health returned them, each with C(box) and C(taken) besides, oldest first and the worst of a reading first."""
        where, values = _where({"boxes.name =": box, "taken >=": since, "reading =": reading})
        keys = ("box", "taken", "check", "severity", "subject", "value", "threshold", "unit", "message")
        return [
            dict(zip(keys, row))
            for row in self._ask(
                "SELECT boxes.name, taken, check_name, severity, subject, value, threshold, unit, message FROM findings"
                " JOIN readings ON readings.id = reading JOIN boxes ON boxes.id = readings.box"
                + where
                + " ORDER BY taken, reading, number",
                values,
            )
        ]

    def kills(self, box=None, since=None):
        """Pairs of a box's name and a Kill, oldest first; each kill once, however often it was read."""
        where, values = _where({"boxes.name =": box, "killed >=": since})
        return [
            (name, Kill(*kill))
            for name, *kill in self._ask(
                "SELECT boxes.name, killed, pid, kills.name, killer, scope, unit, rss_bytes FROM kills JOIN boxes ON boxes.id = kills.box"
                + where
                + " ORDER BY killed, kills.id",
                values,
            )
        ]

    def state(self, box, at=None):
        """What was known of the box at a time, by default now: values by name."""
        known = self._safely(lambda: self._state(box, at))
        return {
            name: json.loads(value) for name, value in known.items() if value is not None and not name.endswith(_WHOLE)
        }

    def changes(self, box, since):
        """What has changed on a box since a time: tuples of when, name, value before and value after; None is what wasn't there.

        What is new because nobody had looked before is no change.
        """
        before, changed = self._safely(lambda: self._state(box, since)), []
        looked_for = {name: since for name in before if name.endswith(_WHOLE)}
        for taken, name, value in self._ask(
            "SELECT taken, name, value FROM states WHERE box = (SELECT id FROM boxes WHERE name = ?) AND taken > ?"
            " ORDER BY taken, name",
            [box, since],
        ):
            if name.endswith(_WHOLE):
                looked_for.setdefault(name, taken)
            elif name in before or any(
                name.startswith(prefix) and since < taken for prefix, since in looked_for.items()
            ):
                changed.append(
                    (taken, name, *(None if one is None else json.loads(one) for one in (before.get(name), value)))
                )
            before[name] = value
        return changed

    # Within

    def _open(self):
        self._stack = ExitStack()
        self._stack.enter_context(history_file.held(self.path, self._create))
        self._inode = history_file.inode(self.path)
        mode = "rw" if self._create or history_file.may_write(self.path) else "ro"
        self._database = history_file.connect(self.path, self._wait, mode)
        if self._create:
            self._patiently(self._begin)
        else:
            self._database.execute("PRAGMA query_only = 1")
        self._check(self._version())
        if mode == "rw":
            # Who is the last to close the file folds its log into it, and waits for the disk: as many times as there are boxes in a run.
            # One that may not write can't, so such a connection is closed last, but when the log has grown.
            self._reader = history_file.connect(self.path, self._wait, "ro")
            self._reader.execute("PRAGMA schema_version").fetchone()

    def _close(self):
        connections, stack = [self._database, self._reader], self._stack
        self._database = self._reader = self._stack = None
        if history_file.log_size(self.path) > _LOG_SIZE:
            connections.reverse()
        for connection in connections:
            if connection is not None:
                connection.close()
        if stack is not None:
            stack.close()

    def _begin(self):
        """Make the tables where there is nothing yet."""
        self._database.execute("PRAGMA synchronous = NORMAL")
        if self._version() != (0, 0) or self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return
        # Before there is a table: afterwards it would take a copy of the whole file.
        self._database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._database.execute("PRAGMA journal_mode = WAL")
        with self._transaction():
            if self._version() == (0, 0):
                for statement in (history_schema.TABLES + history_schema.VIEWS).split(";\n"):
                    self._database.execute(statement)
                self._database.execute(f"PRAGMA application_id = {history_schema.APPLICATION_ID}")
                self._database.execute(f"PRAGMA user_version = {history_schema.VERSION}")

    def _version(self):
        return tuple(
            self._database.execute("PRAGMA " + name).fetchone()[0] for name in ("application_id", "user_version")
        )

    def _check(self, version):
        if version[0] != history_schema.APPLICATION_ID:
            raise HistoryError(f"{self.path} is a SQLite file, and no history of lifeline.fleet: name another file")
        if version[1] != history_schema.VERSION:
            raise HistoryError(
                f"the history {self.path} has version {version[1]}, and this release of lifeline.fleet knows version {history_schema.VERSION}: name another file, or use the release that has begun it"
            )

    @contextmanager
    def _transaction(self):
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            # SQLite has already undone it where the disk is full, for one.
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def _in_transaction(self, action):
        with self._transaction():
            return action()

    def _patiently(self, action):
        """Do it again while others are in the way: SQLite waits by itself, but not for everything."""
        deadline = time.monotonic() + self._wait
        while True:
            try:
                return action()
            except sqlite3.OperationalError as error:
                if _code(error) not in _BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(0.001, 0.02))

    def _safely(self, action):
        """Do it, with a new file if this one is damaged; turn what SQLite says into what a user can do."""
        for last in (False, False, True):
            try:
                return self._patiently(action)
            except sqlite3.Error as error:
                if last or not self._create or _code(error) not in _DAMAGED:
                    raise HistoryError(_explain(self.path, error)) from error
                self._begin_anew(error)
        return None

    def _begin_anew(self, error):
        self._close()
        aside = history_file.set_aside(self.path, self._inode)
        if aside is not None:
            self.notes.append(
                f"the history {self.path} was damaged ({error}): it is now {aside}, and a new one has been begun. What can be saved of it, 'sqlite3 {aside} .recover' prints"
            )
        self._open()

    def _ask(self, question, values=()):
        return self._safely(lambda: self._database.execute(question, values).fetchall())

    def _insert(self, reading):
        execute = self._database.execute
        execute("INSERT OR IGNORE INTO boxes (name) VALUES (?)", [reading.box])
        box = execute("SELECT id FROM boxes WHERE name = ?", [reading.box]).fetchone()[0]
        number = execute(
            "INSERT INTO readings (box, taken, source, verdict, booted) VALUES (?, ?, ?, ?, ?)",
            [box, round(reading.taken, 3), reading.source, reading.verdict, reading.booted],
        ).lastrowid
        samples = list(reading.samples)
        self._database.executemany(
            "INSERT OR IGNORE INTO series (metric, subject) VALUES (?, ?)",
            [(sample.metric, sample.subject) for sample in samples],
        )
        self._database.executemany(
            "INSERT OR REPLACE INTO samples SELECT ?, ?, id, ?, ?, ? FROM series WHERE metric = ? AND subject = ?",
            [
                (
                    box,
                    number,
                    _storable(sample.value),
                    _storable(sample.capacity),
                    sample.started,
                    sample.metric,
                    sample.subject,
                )
                for sample in samples
            ],
        )
        self._database.executemany(
            "INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    number,
                    place,
                    *(
                        finding[key]
                        for key in ("check", "severity", "subject", "value", "threshold", "unit", "message")
                    ),
                )
                for place, finding in enumerate(reading.findings)
            ],
        )
        for kill in reading.kills:
            execute(
                "INSERT INTO kills (box, reading, killed, pid, name, killer, scope, unit, rss_bytes) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?"
                " WHERE NOT EXISTS (SELECT 1 FROM kills WHERE box = ? AND pid IS ? AND (killed IS ? OR abs(killed - ?) <= ?)"
                " AND (pid IS NOT NULL OR unit IS ?))",
                [
                    box,
                    number,
                    kill.killed,
                    kill.pid,
                    kill.name,
                    kill.killer,
                    kill.scope,
                    kill.unit,
                    kill.rss_bytes,
                    box,
                    kill.pid,
                    kill.killed,
                    kill.killed,
                    SAME_KILL_SECONDS,
                    kill.unit,
                ],
            )
        if reading.state or reading.whole:
            self._note_state(reading.box, box, round(reading.taken, 3), reading)
        return number

    def _note_state(self, name, box, taken, reading):
        known = self._state(name, taken)
        state = {key: json.dumps(value, sort_keys=True) for key, value in reading.state.items()}
        for prefix in reading.whole:
            # That all of these were looked at is known from here on, so that one more of them is a change.
            state[prefix] = "true"
            state.update((key, None) for key in known if key.startswith(prefix) and key not in state)
        self._database.executemany(
            "INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?)",
            [(box, key, taken, value) for key, value in state.items() if key not in known or known[key] != value],
        )

    def _state(self, box, at):
        """The last value of each name as text, None for what has gone."""
        return {
            name: value
            for name, value, _taken in self._database.execute(
                "SELECT name, value, max(taken) FROM states WHERE box = (SELECT id FROM boxes WHERE name = ?) AND taken <= ? GROUP BY name",
                [box, time.time() + 1 if at is None else at],
            )
        }


def _where(conditions):
    """The clause for those conditions that have a value, and the values."""
    kept = {left: value for left, value in conditions.items() if value is not None}
    return (" WHERE " + " AND ".join(left + " ?" for left in kept) if kept else ""), list(kept.values())


def _storable(value):
    """What SQLite has a number for; integers beyond it are rounded."""
    return float(value) if isinstance(value, int) and not -1 << 63 <= value < 1 << 63 else value


def _code(error):
    """SQLite's own code, without what further distinguishes it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _explain(path, error):
    code = _code(error)
    if code in _DAMAGED:
        return (
            f"the history {path} is damaged ({error}): move it away; 'sqlite3 FILE .recover' prints what can be saved"
        )
    if code in _BUSY:
        return f"the history {path} is locked by another program ({error}): end that one, or let it finish"
    if code == sqlite3.SQLITE_FULL:
        return f"the history {path} can't grow, for its disk is full: make room, or lower lifeline_history_size"
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return f"the history {path} can't be written ({error}): name a file that you may write, in a folder that you may write to, for SQLite keeps two more beside it"
    return f"the history {path} can't be used: {error}"
