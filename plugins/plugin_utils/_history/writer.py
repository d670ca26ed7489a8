# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Insert a reading into the tables of a history."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Finding
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import states, storable
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
    taken, name = round(reading.taken, 3), storable.text(reading.box)
    connection.execute("INSERT OR IGNORE INTO boxes (name) VALUES (?)", [name])
    box: int = connection.execute("SELECT id FROM boxes WHERE name = ?", [name]).fetchone()[0]
    number = connection.execute(
        "INSERT INTO readings (box, taken, source, verdict, booted) VALUES (?, ?, ?, ?, ?)",
        [box, taken, reading.source, reading.verdict, storable.number(reading.booted)],
    ).lastrowid
    if number is None:
        raise AssertionError("SQLite gave the reading no number")
    _insert_samples(connection, box, number, list(reading.samples))
    _insert_findings(connection, number, reading.findings)
    _insert_kills(connection, box, number, reading.kills)
    if reading.state or reading.whole:
        states.insert(connection, box, taken, reading)
    return number


def _insert_samples(connection: sqlite3.Connection, box: int, reading: int, samples: list[Sample]) -> None:
    rows = []
    for sample in samples:
        value, capacity, started = (storable.number(one) for one in (sample.value, sample.capacity, sample.started))
        if value is not None:
            key = (storable.text(sample.metric), storable.text(sample.subject))
            rows.append((box, reading, value, capacity, started, *key))
    connection.executemany("INSERT OR IGNORE INTO series (metric, subject) VALUES (?, ?)", [row[-2:] for row in rows])
    connection.executemany(_INSERT_SAMPLE, rows)


def _insert_findings(connection: sqlite3.Connection, reading: int, findings: Iterable[Finding]) -> None:
    rows = [
        (
            reading,
            place,
            storable.text(finding["check"]),
            storable.text(finding["severity"]),
            storable.text_or_none(finding["subject"]),
            storable.number(finding["value"]),
            storable.number(finding["threshold"]),
            storable.text_or_none(finding["unit"]),
            storable.text(finding["message"]),
        )
        for place, finding in enumerate(findings)
    ]
    connection.executemany("INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _insert_kills(connection: sqlite3.Connection, box: int, reading: int, kills: Iterable[Kill]) -> None:
    """Insert the kills that are not there yet."""
    rows = [
        {
            "box": box,
            "reading": reading,
            "same": SAME_KILL_SECONDS,
            "killed": storable.number(kill.killed),
            "pid": storable.integer(kill.pid),
            "name": storable.text_or_none(kill.name),
            "killer": storable.text(kill.killer),
            "scope": storable.text_or_none(kill.scope),
            "unit": storable.text_or_none(kill.unit),
            "rss_bytes": storable.number(kill.rss_bytes),
        }
        for kill in kills
    ]
    connection.executemany(_INSERT_KILL, rows)
