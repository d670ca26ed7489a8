# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the options of throughput_info, count the rows, and judge the hours."""

from __future__ import annotations

from datetime import datetime, timezone, tzinfo
from typing import Dict, List, NamedTuple, Optional

from ansible_collections.lifeline.fleet.plugins.module_utils._asking import within
from ansible_collections.lifeline.fleet.plugins.module_utils._database import (
    database as connection,
    row_count,
    throughput,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure

_LONGEST_TIMEOUT = 300


class Options(connection.Options):
    """All options of the module."""

    table: str
    time_column: str
    time_zone: str
    time_unit: str
    where: Dict[str, row_count.Value]
    hours: int
    until: Optional[str]
    warning: float
    critical: float
    timeout: float


class Question(NamedTuple):
    """The parsed options."""

    table: row_count.Table
    time_zone: tzinfo
    until: Optional[datetime]


class Result(throughput.Judged):
    """The module's result; `message` is returned as `msg`."""

    hours: List[row_count.Hour]
    current: row_count.Current
    resolution: str


def check(options: Options) -> Question:
    """Return the parsed options. Raises ValueError if an option has a value that cannot be followed."""
    if not 0 < options["timeout"] <= _LONGEST_TIMEOUT:
        raise ValueError(
            f"timeout: out of range ({options['timeout']:g}); use more than 0 and at most {_LONGEST_TIMEOUT} seconds"
        )
    if not 1 <= options["hours"] <= row_count.MOST_HOURS:
        raise ValueError(f"hours: out of range ({options['hours']}); use 1 to {row_count.MOST_HOURS}")
    if not 1 < options["warning"] <= options["critical"]:
        raise ValueError(
            f"warning: out of range ({options['warning']:g}, with critical {options['critical']:g}); use more than 1, "
            "and at most critical"
        )
    for column, value in options["where"].items():
        row_count.name(column, "where")
        if isinstance(value, (dict, list)):
            raise ValueError(f"where: column {column} has more than one value ({value!r}); give a single value")
    row_count.name(options["time_column"], "time_column")
    return Question(
        row_count.table(options["table"]),
        row_count.zone(options["time_zone"]),
        row_count.moment(options["until"]) if options["until"] else None,
    )


def result(options: Options, question: Question) -> Result:
    """Return the module's result. Raises ValueError and ServerFailure."""
    database = connection.Database(options, options["timeout"])
    try:
        # The drivers have limits for most of what they wait for, but not for all.
        return within(options["timeout"], lambda: _count(database, options, question))
    except TimeoutError:
        raise database.timeout() from None


def _count(database: connection.Database, options: Options, question: Question) -> Result:
    with database:
        columns = database.columns(*question.table)
        for column in [options["time_column"], *options["where"]]:
            if column not in columns:
                raise ServerFailure(
                    "schema",
                    f"{database.name}: table {options['table']} has no column {column} "
                    f"(columns: {connection.some(list(columns))})",
                )
        rows = row_count.Count(
            options["engine"],
            question.table,
            options["time_column"],
            row_count.kind(options["engine"], columns[options["time_column"]], options["time_column"]),
            hours=options["hours"],
            until=question.until or datetime.fromtimestamp(database.now(), timezone.utc),
            time_zone=question.time_zone,
            equals=options["where"],
            unit=1000 if options["time_unit"] == "milliseconds" else 1,
        )
        hours, current = rows.hours(database.ask(*rows.query()))
    judged = throughput.judge(hours, options["warning"], options["critical"], rows.resolution, options["table"])
    return {
        "hours": hours,
        "current": current,
        "resolution": rows.resolution,
        "verdict": judged["verdict"],
        "message": judged["message"],
        "best": judged["best"],
        "latest": judged["latest"],
        "times_slower": judged["times_slower"],
        "slope": judged["slope"],
        "findings": judged["findings"],
    }
