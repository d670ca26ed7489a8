# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write, read and damage a history. The unit tests of the history share this."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Reading, Sample
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History

DAY = 86400
# A time that is recent enough to be kept.
NOW = int(time.time()) - 1000
FINDING = {
    "check": "disk_used_percent",
    "severity": "critical",
    "subject": "/",
    "value": 96,
    "threshold": 95,
    "unit": "%",
    "message": "/ is 96 % full, 305M left",
}

# A run is a process that opens the history once per host, as Ansible's forks do.
RUN = """
import sys
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Reading, Sample
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History
path, run, boxes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sys.stdin.readline()
for box in range(boxes):
    with History(path, create=True) as history:
        history.recent(f"box{box}", ["memory_used_bytes"])
        samples = [Sample("memory_used_bytes", "", run, 1000), Sample("disk_used_bytes", f"/mnt/{run}", box)]
        history.record(Reading(f"box{box}", "health", verdict="ok", samples=samples, state={"kernel": run}))
        for note in history.notes:
            print(note)
"""


def record(path, box="web1", taken=None, **more):
    """Record a reading and return the notes."""
    with History(path, create=True) as history:
        history.record(Reading(box, "health", time.time() if taken is None else taken, **more))
        return history.notes


def value(number, subject=""):
    """Return the samples of a reading of the memory."""
    return [Sample("memory_used_bytes", subject, number, 1000)]


def values(path, box="web1"):
    """Return the recorded values of the memory."""
    with History(path) as history:
        return [point.value for point in history.series(box, "memory_used_bytes")]


def ask(path, question):
    """Return what another program than ours reads."""
    database = sqlite3.connect(path)
    try:
        return database.execute(question).fetchall()
    finally:
        database.close()


def fold_in(path):
    """Fold SQLite's log into the file, so damage to the file is not repaired from the log."""
    ask(path, "PRAGMA wal_checkpoint(TRUNCATE)")


def damage_head(path):
    """Overwrite the file with something that is no database."""
    Path(path).write_bytes(b"this is no database " * 100)


def damage_pages(path):
    """Overwrite all pages but the first."""
    with open(path, "r+b") as file:
        for page in range(1, os.path.getsize(path) // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 4000)


def cut_off(path):
    """Cut the file off in its second page."""
    os.truncate(path, 5000)


# The time at which the reports of the tests are made.
END = 1795257600.0
HOUR = 3600


def record_verdicts(history, box, verdicts, end=END, step=HOUR, **reading):
    """Record a reading of health for each verdict, one per step, the last at the end."""
    for back, verdict in enumerate(reversed(verdicts)):
        taken, booted = end - back * step, END - 30 * DAY
        history.record(Reading(box, "health", taken, verdict, booted, **reading))
