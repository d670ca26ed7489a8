# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count the rows of a table by the hour: the query for MySQL, MariaDB and PostgreSQL, and the hours from its answer.

Identifiers cannot be bound as query parameters, so they are validated and quoted; all values are bound. The time column
is only compared and subtracted from, never converted, so the query can use an index on it.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, TypedDict, Union

from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import timestamp

if sys.version_info >= (3, 9):
    from zoneinfo import ZoneInfo

HOUR, DAY = 3600, 86400
MOST_HOURS = 24 * 31

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}")
_OFFSET = re.compile(r"([+-])(\d{2}):(\d{2})")
_QUOTES = {"mysql": "`", "postgresql": '"'}
_NUMBERS = (
    "tinyint",
    "smallint",
    "mediumint",
    "int",
    "integer",
    "bigint",
    "decimal",
    "numeric",
    "float",
    "double",
    "double precision",
    "real",
)
# The kind of a column's values by its type: a point in time, a time without a zone, a day, or a number.
_KINDS = {
    "mysql": {"timestamp": "instant", "datetime": "local", "date": "day", **dict.fromkeys(_NUMBERS, "number")},
    "postgresql": {
        "timestamp with time zone": "instant",
        "timestamp without time zone": "local",
        "date": "day",
        **dict.fromkeys(_NUMBERS, "number"),
    },
}
_BUCKETS = {
    ("mysql", "instant"): "TIMESTAMPDIFF(HOUR, %s, {column})",
    ("mysql", "local"): "TIMESTAMPDIFF(HOUR, %s, {column})",
    ("mysql", "day"): "DATEDIFF({column}, %s)",
    ("mysql", "number"): "FLOOR(({column} - %s) / {hour})",
    ("postgresql", "instant"): "FLOOR(EXTRACT(EPOCH FROM ({column} - {value})) / 3600)",
    ("postgresql", "local"): "FLOOR(EXTRACT(EPOCH FROM ({column} - {value})) / 3600)",
    ("postgresql", "day"): "({column} - {value})",
    ("postgresql", "number"): "FLOOR(({column} - {value}) / {hour}.0)",
}
_CASTS = {
    "instant": "CAST(%s AS timestamptz)",
    "local": "CAST(%s AS timestamp)",
    "day": "CAST(%s AS date)",
    "number": "CAST(%s AS bigint)",
}


Value = Union[str, int, float, bool, None]
Table = Tuple[Optional[str], str]


class Hour(TypedDict):
    """A whole hour (or day)."""

    start: Optional[str]
    rows: int
    rows_per_hour: Optional[float]


class Current(Hour):
    """The hour (or day) that has not ended, and the seconds since it began."""

    seconds: float


def name(value: str, option: str) -> str:
    """Return an identifier. Raises ValueError, which names the option, if it is none."""
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"{option}: not an identifier ({value!r}); use letters, digits, _ and $, at most 63, starting with a "
            "letter or _"
        )
    return value


def table(value: str) -> Table:
    """Return schema (or None) and name of a table. Raises ValueError."""
    parts = [name(part, "table") for part in value.split(".")]
    if len(parts) > 2:
        raise ValueError(f"table: too many parts ({value!r}); write name or schema.name")
    return (None, parts[0]) if len(parts) == 1 else (parts[0], parts[1])


def zone(value: str) -> tzinfo:
    """Return a time zone from its name or its offset from UTC. Raises ValueError."""
    if value.upper() in ("UTC", "Z"):
        return timezone.utc
    offset = _OFFSET.fullmatch(value)
    if offset and int(offset.group(2)) < 24 and int(offset.group(3)) < 60:
        distance = timedelta(hours=int(offset.group(2)), minutes=int(offset.group(3)))
        return timezone(distance if offset.group(1) == "+" else -distance)
    try:
        if sys.version_info >= (3, 9) and not offset:
            return ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        pass
    names = "a name such as Europe/Berlin"
    if sys.version_info < (3, 9):
        names = "Python 3.9 for names such as Europe/Berlin"
    raise ValueError(f"time_zone: unknown zone ({value!r}); use UTC, an offset such as +02:00, or {names}")


def moment(value: str) -> datetime:
    """Return the time that the option `until` names. Raises ValueError."""
    try:
        found = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", value.strip()))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError(f"until: not a time with a zone ({value!r}); write it as in 2026-11-20T14:00:00Z")
    return found.astimezone(timezone.utc)


def kind(engine: str, data_type: str, column: str) -> str:
    """Return the kind of a column's values from its type. Raises ValueError."""
    found = _KINDS[engine].get(data_type.lower())
    if found is None:
        raise ValueError(
            f"time_column: column {column} has no time (its type is {data_type}); choose a timestamp, a datetime, "
            "a date, or a number of seconds since 1970"
        )
    return found


def _to_hour(when):
    return when.replace(minute=0, second=0, microsecond=0)


class Count:
    """The rows of a table by the hour, up to a point in time; by the day if its time column is a date."""

    def __init__(
        self,
        engine: str,
        where: Table,
        column: str,
        kind: str,
        *,
        hours: int,
        until: datetime,
        time_zone: tzinfo = timezone.utc,
        unit: int = 1,
        equals: Optional[Mapping[str, Value]] = None,
    ) -> None:
        """Describe the count.

        `where` is schema and table, `unit` how many of a number column's units make a second, and `equals` holds the
        values that other columns must have.
        """
        self._engine, self._table, self._column, self._kind = engine, where, column, kind
        self._zone, self._unit = time_zone, unit
        self._equals = equals or {}
        self.resolution = "day" if kind == "day" else "hour"
        if kind == "day":
            day = until.astimezone(time_zone).date()
            self._current = datetime.combine(day, datetime.min.time(), time_zone).astimezone(timezone.utc)
            self._starts: Sequence[Any] = [day - timedelta(days=hours - number) for number in range(hours)]
            self._end: Any = day + timedelta(days=1)
        else:
            self._current = _to_hour(until)
            self._starts = [self._current - timedelta(hours=hours - number) for number in range(hours)]
            self._end = until
        self._start = self._starts[0]
        self._until = until

    def query(self) -> Tuple[str, List[Union[str, int]]]:
        """Return the query and its parameters."""
        mark = "%s" if self._engine == "mysql" else _CASTS[self._kind]
        column = self._quoted(self._column)
        bucket = _BUCKETS[self._engine, self._kind].format(column=column, value=mark, hour=HOUR * self._unit)
        start, end = self._value(self._start), self._value(self._end)
        conditions, values = [f"{column} >= {mark}", f"{column} < {mark}"], [start, start, end]
        for other, value in self._equals.items():
            conditions.append(f"{self._quoted(other)} IS NULL" if value is None else f"{self._quoted(other)} = %s")
            values += [] if value is None else [self._plain(value)]
        table = ".".join(self._quoted(part) for part in self._table if part)
        where = " AND ".join(conditions)
        return f"SELECT {bucket} AS bucket, COUNT(*) FROM {table} WHERE {where} GROUP BY 1", values

    def _quoted(self, identifier):
        return _QUOTES[self._engine] + identifier + _QUOTES[self._engine]

    def _plain(self, value):
        # The server converts a text to the type of the column that it is compared with.
        if isinstance(value, bool) and self._engine == "mysql":
            return str(int(value))
        return str(value)

    def _value(self, when):
        """Return a time as the column stores it."""
        if self._kind == "number":
            seconds = when.timestamp() * self._unit
            return int(seconds) if seconds == int(seconds) else int(seconds) + 1
        if self._kind == "day":
            return when.isoformat()
        if self._kind == "local":
            return when.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S.%f")
        return when.strftime("%Y-%m-%d %H:%M:%S.%f") + ("" if self._engine == "mysql" else "+00")

    def hours(self, answer: Iterable[Sequence[Any]]) -> Tuple[List[Hour], Current]:
        """Return the whole hours and the current one from the rows of the answer. The session's time zone was UTC."""
        length = DAY if self._kind == "day" else HOUR
        counts: Dict[datetime, int] = {}
        for bucket, rows in answer:
            for when, part in self._moments(int(bucket), int(rows)):
                counts[when] = counts.get(when, 0) + part
        starts = [self._utc(start) for start in self._starts]
        whole = [_entry(start, counts.get(start, 0), length) for start in starts]
        seconds = (self._until - self._current).total_seconds()
        last = _entry(self._current, counts.get(self._current, 0), seconds)
        return whole, {
            "start": last["start"],
            "rows": last["rows"],
            "rows_per_hour": last["rows_per_hour"],
            "seconds": round(seconds, 3),
        }

    def _utc(self, when):
        if self._kind == "day":
            return datetime.combine(when, datetime.min.time(), self._zone).astimezone(timezone.utc)
        return when

    def _moments(self, bucket, rows):
        """Return the hours that the rows of a bucket belong to.

        When clocks are set back, an hour comes twice, and each of the two gets half of the rows.
        """
        if self._kind == "day":
            return [(self._utc(self._start + timedelta(days=bucket)), rows)]
        if self._kind != "local":
            return [(self._start + timedelta(hours=bucket), rows)]
        there = self._start.astimezone(self._zone).replace(tzinfo=None) + timedelta(hours=bucket)
        first, second = (
            _to_hour(there.replace(tzinfo=self._zone, fold=fold).astimezone(timezone.utc)) for fold in (0, 1)
        )
        if second <= first:
            return [(first, rows)]
        return [(first, rows - rows // 2), (second, rows // 2)]


def _entry(start: datetime, rows: int, seconds: float) -> Hour:
    return {
        "start": timestamp(start.timestamp()),
        "rows": rows,
        "rows_per_hour": round(rows * HOUR / seconds, 2) if seconds else None,
    }
