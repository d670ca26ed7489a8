# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a history, for those who ask it in SQL: docs/history.md explains them.

Times are seconds since 1970 in UTC, by the controller's clock where C(taken) is the name; the views have them as RFC 3339 as well.
"""

from __future__ import annotations

# "LLFH": how a history is told from any other SQLite file.
APPLICATION_ID = 0x4C4C4648
VERSION = 1

TABLES = """
CREATE TABLE boxes (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE               -- as the inventory calls it
);
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    metric TEXT NOT NULL,                   -- what is measured, with its unit: memory_used_bytes
    subject TEXT NOT NULL DEFAULT '',       -- of what: a mount point, a worker; '' is the box itself
    UNIQUE (metric, subject)
);
CREATE TABLE readings (
    id INTEGER PRIMARY KEY,
    box INTEGER NOT NULL REFERENCES boxes (id),
    taken REAL NOT NULL,                    -- when
    source TEXT NOT NULL,                   -- what took it: health, memory_facts
    verdict TEXT,                           -- ok, warning, critical; NULL where the source gives none
    booted REAL                             -- when the box had booted, by its own clock
);
CREATE INDEX readings_by_box ON readings (box, taken);
CREATE TABLE samples (
    box INTEGER NOT NULL REFERENCES boxes (id),
    reading INTEGER NOT NULL REFERENCES readings (id),
    series INTEGER NOT NULL REFERENCES series (id),
    value NUMERIC NOT NULL,
    capacity NUMERIC,                       -- the most that the value can become; NULL where there is no such limit
    started REAL,                           -- since when it has counted: the start of the worker; NULL means since boot
    PRIMARY KEY (box, reading, series)
) WITHOUT ROWID;
CREATE TABLE findings (
    reading INTEGER NOT NULL REFERENCES readings (id),
    number INTEGER NOT NULL,                -- the worst is 0
    check_name TEXT NOT NULL,
    severity TEXT NOT NULL,
    subject TEXT,
    value NUMERIC,
    threshold NUMERIC,
    unit TEXT,
    message TEXT NOT NULL,
    PRIMARY KEY (reading, number)
) WITHOUT ROWID;
CREATE TABLE kills (
    id INTEGER PRIMARY KEY,
    box INTEGER NOT NULL REFERENCES boxes (id),
    reading INTEGER NOT NULL,               -- the first that told of it
    killed REAL,                            -- when; NULL where the log doesn't tell
    pid INTEGER,
    name TEXT,
    killer TEXT,                            -- kernel, systemd-oomd, earlyoom
    scope TEXT,                             -- what had run out: system, memcg
    unit TEXT,
    rss_bytes INTEGER
);
CREATE INDEX kills_by_box ON kills (box, pid, killed);
CREATE TABLE states (
    box INTEGER NOT NULL REFERENCES boxes (id),
    name TEXT NOT NULL,                     -- kernel, package:openssl, sysctl:vm.swappiness
    taken REAL NOT NULL,                    -- when it was first seen so
    value TEXT,                             -- as JSON; NULL when it has gone
    PRIMARY KEY (box, name, taken)
) WITHOUT ROWID;
CREATE TABLE upkeep (
    task TEXT PRIMARY KEY,
    done REAL NOT NULL
) WITHOUT ROWID;
"""

VIEWS = """
CREATE VIEW reading_list AS
    SELECT readings.id AS reading, boxes.name AS box, strftime('%Y-%m-%dT%H:%M:%SZ', taken, 'unixepoch') AS time, taken,
           source, verdict, booted
    FROM readings JOIN boxes ON boxes.id = readings.box;
CREATE VIEW sample_list AS
    SELECT boxes.name AS box, strftime('%Y-%m-%dT%H:%M:%SZ', taken, 'unixepoch') AS time, taken, metric, subject, value, capacity,
           coalesce(started, booted) AS started, samples.reading AS reading
    FROM samples JOIN boxes ON boxes.id = samples.box JOIN readings ON readings.id = samples.reading
    JOIN series ON series.id = samples.series;
CREATE VIEW finding_list AS
    SELECT boxes.name AS box, strftime('%Y-%m-%dT%H:%M:%SZ', taken, 'unixepoch') AS time, taken, check_name, severity, subject,
           value, threshold, unit, message, reading
    FROM findings JOIN readings ON readings.id = findings.reading JOIN boxes ON boxes.id = readings.box;
CREATE VIEW kill_list AS
    SELECT boxes.name AS box, strftime('%Y-%m-%dT%H:%M:%SZ', killed, 'unixepoch') AS time, killed, pid, kills.name AS name, killer,
           scope, unit, rss_bytes
    FROM kills JOIN boxes ON boxes.id = kills.box;
CREATE VIEW state_list AS
    SELECT boxes.name AS box, strftime('%Y-%m-%dT%H:%M:%SZ', taken, 'unixepoch') AS time, taken, states.name AS name, value
    FROM states JOIN boxes ON boxes.id = states.box;
"""
