# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Insert a reading into the tables of a history."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Finding
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import states
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Kill, Reading, Sample

# Two logs may give one kill times that differ a little, and the kernel does not use a PID again that soon.
SAME_KILL_SECONDS = 120

_INSERT_SAMPLE = "INSERT OR REPLACE INTO samples SELECT ?, ?, id, ?, ?, ? FROM series WHERE metric = ? AND subject = ?"
_INSERT_KILL = (
    "INSERT INTO kills (box, reading, killed, pid, name, killer, scope, unit, rss_bytes)"
    " SELECT :box, :reading, :killed, :pid, :name, :killer, :scope, :unit, :rss_bytes"
    " WHERE NOT EXISTS (SELECT 1 FROM kills WHERE box = :box AND pid IS :pid"
    " AND (killed IS :killed OR abs(killed - :killed) <= :same) AND (pid IS NOT NULL OR unit IS :unit))"
)


def insert(connection: sqlite3.Connection, reading: Reading) -> int:
    """Insert a reading and return its number. The caller holds a transaction."""
    taken = round(reading.taken, 3)
    connection.execute("INSERT OR IGNORE INTO boxes (name) VALUES (?)", [reading.box])
    box: int = connection.execute("SELECT id FROM boxes WHERE name = ?", [reading.box]).fetchone()[0]
    number = connection.execute(
        "INSERT INTO readings (box, taken, source, verdict, booted) VALUES (?, ?, ?, ?, ?)",
        [box, taken, reading.source, reading.verdict, reading.booted],
    ).lastrowid
    assert number is not None
    _insert_samples(connection, box, number, list(reading.samples))
    _insert_findings(connection, number, reading.findings)
    _insert_kills(connection, box, number, reading.kills)
    if reading.state or reading.whole:
        states.insert(connection, box, taken, reading)
    return number


def _insert_samples(connection: sqlite3.Connection, box: int, reading: int, samples: list[Sample]) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO series (metric, subject) VALUES (?, ?)",
        [(sample.metric, sample.subject) for sample in samples],
    )
    rows = []
    for sample in samples:
        numbers = (_storable(sample.value), _storable(sample.capacity), sample.started)
        rows.append((box, reading, *numbers, sample.metric, sample.subject))
    connection.executemany(_INSERT_SAMPLE, rows)


def _insert_findings(connection: sqlite3.Connection, reading: int, findings: Iterable[Finding]) -> None:
    rows = [
        (
            reading,
            place,
            finding["check"],
            finding["severity"],
            finding["subject"],
            finding["value"],
            finding["threshold"],
            finding["unit"],
            finding["message"],
        )
        for place, finding in enumerate(findings)
    ]
    connection.executemany("INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _insert_kills(connection: sqlite3.Connection, box: int, reading: int, kills: Iterable[Kill]) -> None:
    """Insert the kills that are not there yet."""
    rows = [{**kill._asdict(), "box": box, "reading": reading, "same": SAME_KILL_SECONDS} for kill in kills]
    connection.executemany(_INSERT_KILL, rows)


def _storable(value: float | None) -> float | None:
    """Return a number that SQLite can store: it has no integers beyond 64 bits, so these are rounded."""
    return float(value) if isinstance(value, int) and not -1 << 63 <= value < 1 << 63 else value
