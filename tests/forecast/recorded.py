# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read traces that were recorded on real machines, a CSV file each. Its head has capacity, begin and end."""

from __future__ import annotations

import csv
import pathlib
import re

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Point
from forecast.traces import Trace

FOLDER = pathlib.Path(__file__).resolve().parent / "recorded"

_HEAD = re.compile(r"^# capacity=(\d+) began=([\d.]*) ends=([\d.]*)$", re.MULTILINE)


def traces():
    return [read(path) for path in sorted(FOLDER.glob("*.csv"))]


def read(path):
    text = path.read_text()
    capacity, began, ends = (float(value) if value else None for value in _HEAD.search(text).groups())
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    points = [Point(float(row["taken"]), float(row["value"]), capacity) for row in rows]
    return Trace(path.stem, points, path.stem.startswith("disk"), began, ends)
