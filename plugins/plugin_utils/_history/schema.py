# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a history. docs/history.md explains them to those who query them.

Times are seconds since 1970 in UTC. A time named `taken` is by the controller's clock, every other one by the host's.
The views have times in RFC 3339 as well.
"""

from __future__ import annotations

# "LLFH": distinguishes a history from any other SQLite file.
APPLICATION_ID = 0x4C4C4648
VERSION = 1

TABLES = """
CREATE TABLE boxes (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE               -- the name in the inventory
);
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    metric TEXT NOT NULL,                   -- what is measured, with its unit: memory_used_bytes
    subject TEXT NOT NULL DEFAULT '',       -- of what: a mount point, a worker; '' means the host itself
    UNIQUE (metric, subject)
);
CREATE TABLE readings (
    id INTEGER PRIMARY KEY,
    box INTEGER NOT NULL REFERENCES boxes (id),
    taken REAL NOT NULL,                    -- when it was read
    source TEXT NOT NULL,                   -- which module read it: health, memory_facts
    verdict TEXT,                           -- ok, warning, critical, down, unknown; NULL if the module judges nothing
    booted REAL                             -- when the host was booted
);
CREATE INDEX readings_by_box ON readings (box, taken);
CREATE TABLE samples (
    box INTEGER NOT NULL REFERENCES boxes (id),
    reading INTEGER NOT NULL REFERENCES readings (id),
    series INTEGER NOT NULL REFERENCES series (id),
    value NUMERIC NOT NULL,
    capacity NUMERIC,                       -- the most that the value can become; NULL if it has no limit
    started REAL,                           -- when it began to count: the start of the worker; NULL means at boot
    PRIMARY KEY (box, reading, series)
) WITHOUT ROWID;
CREATE TABLE findings (
    reading INTEGER NOT NULL REFERENCES readings (id),
    number INTEGER NOT NULL,                -- 0 is the worst of its reading
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
    reading INTEGER NOT NULL,               -- the first reading that had it
    killed REAL,                            -- when; NULL if the log has no time
    pid INTEGER,
    name TEXT,
    killer TEXT,                            -- kernel, systemd-oomd, earlyoom
    scope TEXT,                             -- what ran out of memory: system, memcg
    unit TEXT,
    rss_bytes INTEGER
);
CREATE INDEX kills_by_box ON kills (box, pid, killed);
CREATE TABLE states (
    box INTEGER NOT NULL REFERENCES boxes (id),
    name TEXT NOT NULL,                     -- kernel, package:openssl, sysctl:vm.swappiness
    taken REAL NOT NULL,                    -- when it was first read with this value
    value TEXT,                             -- in JSON; NULL means that it has gone
    PRIMARY KEY (box, name, taken)
) WITHOUT ROWID;
CREATE TABLE upkeep (
    task TEXT PRIMARY KEY,
    done REAL NOT NULL                      -- when it was last done
) WITHOUT ROWID;
"""

VIEWS = """
CREATE VIEW reading_list AS
    SELECT readings.id AS reading, boxes.name AS box, strftime('%Y-%m-%dT%H:%M:%SZ', taken, 'unixepoch') AS time, taken,
           source, verdict, booted
    FROM readings JOIN boxes ON boxes.id = readings.box;
CREATE VIEW sample_list AS
    SELECT boxes.name AS box, strftime('%Y-%m-%dT%H:%M:%SZ', taken, 'unixepoch') AS time, taken,
           metric, subject, value, capacity, coalesce(started, booted) AS started, samples.reading AS reading
    FROM samples JOIN boxes ON boxes.id = samples.box JOIN readings ON readings.id = samples.reading
    JOIN series ON series.id = samples.series;
CREATE VIEW finding_list AS
    SELECT boxes.name AS box, strftime('%Y-%m-%dT%H:%M:%SZ', taken, 'unixepoch') AS time, taken,
           check_name, severity, subject, value, threshold, unit, message, reading
    FROM findings JOIN readings ON readings.id = findings.reading JOIN boxes ON boxes.id = readings.box;
CREATE VIEW kill_list AS
    SELECT boxes.name AS box, strftime('%Y-%m-%dT%H:%M:%SZ', killed, 'unixepoch') AS time, killed,
           pid, kills.name AS name, killer, scope, unit, rss_bytes
    FROM kills JOIN boxes ON boxes.id = kills.box;
CREATE VIEW state_list AS
    SELECT boxes.name AS box, strftime('%Y-%m-%dT%H:%M:%SZ', taken, 'unixepoch') AS time, taken,
           states.name AS name, value
    FROM states JOIN boxes ON boxes.id = states.box;
"""
