# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn the records of an episode into numbers and lines of the table."""

from __future__ import annotations

import json
import statistics


def read(path):
    """Return the head and the records of an episode from its file."""
    head, *records = (json.loads(line) for line in path.read_text().splitlines())
    return head, records


def percentile(values, share):
    """Return the smallest value that this share of the values doesn't exceed, or None without values."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)] if ordered else None


def summary(head, records):
    """Return the numbers of one episode.

    Times are in seconds since the start of the leak. "silence" is the longest time without an answer up to the end of
    the leak. "warned" is the time of the first finding that the idle box did not have, and "silent" that of the first
    probe without an answer; "lead" is the time between. Each is None if it did not happen.
    """
    knocks = [record for record in records if record["kind"] == "knock"]
    # The first login after boot reads from the disk what later logins find in memory.
    idle = [record["seconds"] for record in knocks if record["t"] < 0 and record["answered"]][1:]
    leaking = [record for record in knocks if record["t"] >= 0]
    answered = [record for record in leaking if record["answered"]]
    moments = [
        0.0,
        *sorted(min(record["t"] + record["seconds"], head["seconds"]) for record in answered),
        head["seconds"],
    ]
    readings = [record for record in records if record["kind"] == "health"]
    known = {
        (one["check"], one["severity"], one["subject"])
        for record in readings
        if record["t"] < 0
        for one in record["reasons"]
    }
    warned = next(
        (
            record["t"]
            for record in readings
            if record["t"] >= 0
            and any((one["check"], one["severity"], one["subject"]) not in known for one in record["reasons"])
        ),
        None,
    )
    silent = next((record["t"] for record in leaking if not record["answered"]), None)
    latencies = [record["seconds"] for record in answered]
    starts = [record["starts"] for record in knocks if record["answered"]]
    return {
        "probes": len(leaking),
        "answered": len(answered),
        "silence": round(max(after - before for before, after in zip(moments, moments[1:])), 1),
        "idle_median": statistics.median(idle) if idle else None,
        "idle_p99": percentile(idle, 99),
        "median": statistics.median(latencies) if latencies else None,
        "p99": percentile(latencies, 99),
        "warned": warned,
        "silent": silent,
        "lead": None if warned is None or silent is None else round(silent - warned, 1),
        "starts": starts[-1] - starts[0] if starts else None,
    }


COLUMNS = (
    "LEAK",
    "SWAP",
    "BOX",
    "ANSWERED",
    "SILENCE",
    "MEDIAN",
    "P99",
    "IDLE P99",
    "WARNED",
    "SILENT",
    "RESTARTS",
    "KILLS",
    "JOBS LOST",
)


def row(head, numbers):
    """Return one row of the table, as texts."""

    def seconds(value, digits=0):
        return "-" if value is None else f"{value:.{digits}f} s"

    kills = (
        "?"
        if head["kills"] is None
        else "-"
        if not head["kills"]
        else ", ".join(
            f"{head['kills'].count(one)} {one['name']} by {one['killer']}" + ("" if one["worker"] else ", innocent")
            for number, one in enumerate(head["kills"])
            if one not in head["kills"][:number]
        )
    )
    return (
        head["leak"],
        "yes" if head["swap"] else "no",
        head["box"],
        f"{numbers['answered']} of {numbers['probes']}",
        seconds(numbers["silence"]),
        seconds(numbers["median"], 1),
        seconds(numbers["p99"], 1),
        seconds(numbers["idle_p99"], 1),
        seconds(numbers["warned"]),
        seconds(numbers["silent"]),
        "?" if numbers["starts"] is None else str(numbers["starts"]),
        kills,
        "?" if head["jobs"]["lost"] is None else str(head["jobs"]["lost"]),
    )


def table(rows):
    """Return the lines of a table with these rows, as wide as necessary."""
    rows = [COLUMNS, *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]
