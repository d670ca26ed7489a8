# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the rows of a table are counted by the hour: the query for MySQL, MariaDB and PostgreSQL, and the hours that its answer means.

Names can't be parameters of a query, so that they must look like names, and are quoted; all values are parameters. The time column is only
compared and subtracted from, never converted, so that an index on it serves.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import timestamp

try:
    from zoneinfo import ZoneInfo
except ImportError:
    ZoneInfo = None  # Python 3.8

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
# What a column's type says of its values: a point in time, a time without a zone, a day, or a number.
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


def name(value, option):
    """V(value) if it may be a name in a query. Raises ValueError."""
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"{option} is {value!r}: it must be a name of letters, digits, _ and $, at most 63 of them, that begins with a letter or _"
        )
    return value


def table(value):
    """Schema (or None) and name of a table. Raises ValueError."""
    parts = [name(part, "table") for part in value.split(".")]
    if len(parts) > 2:
        raise ValueError(f"table is {value!r}: it must be a name, or schema.name")
    return (None, *parts) if len(parts) == 1 else tuple(parts)


def zone(value):
    """A time zone from its name or its distance from UTC. Raises ValueError."""
    if value.upper() in ("UTC", "Z"):
        return timezone.utc
    offset = _OFFSET.fullmatch(value)
    if offset and int(offset.group(2)) < 24 and int(offset.group(3)) < 60:
        distance = timedelta(hours=int(offset.group(2)), minutes=int(offset.group(3)))
        return timezone(distance if offset.group(1) == "+" else -distance)
    try:
        if ZoneInfo is not None and not offset:
            return ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        pass
    raise ValueError(
        f"time_zone is {value!r}: it must be UTC, a distance such as +02:00, or a name such as Europe/Berlin that this machine knows{'' if ZoneInfo else ' (its Python is too old to know any)'}"
    )


def moment(value):
    """The time that V(until) names. Raises ValueError."""
    try:
        found = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", value.strip()))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError(f"until is {value!r}: it must be a time with its zone, such as 2026-11-20T14:00:00Z")
    return found.astimezone(timezone.utc)


def kind(engine, data_type, column):
    """What a column's values are, from its type. Raises ValueError."""
    found = _KINDS[engine].get(data_type.lower())
    if found is None:
        raise ValueError(
            f"column {column} is of type {data_type}: it must be a timestamp, a datetime, a date, or a number of seconds since 1970"
        )
    return found


def _to_hour(when):
    return when.replace(minute=0, second=0, microsecond=0)


class Count:
    """The rows of a table by the hour, or by the day where its column knows no hours, up to a point in time."""

    def __init__(self, engine, where, column, kind, *, hours, until, time_zone=timezone.utc, unit=1, equals=None):
        """V(where) is schema and table, V(unit) how many of the column's numbers make a second, V(equals) values by column."""
        self._engine, self._table, self._column, self._kind, self._zone, self._unit = (
            engine,
            where,
            column,
            kind,
            time_zone,
            unit,
        )
        self._equals = equals or {}
        self.resolution = "day" if kind == "day" else "hour"
        if kind == "day":
            local = until.astimezone(time_zone)
            self._now, self._start = local.date(), local.date() - timedelta(days=hours)
            self._current = datetime.combine(self._now, datetime.min.time(), time_zone).astimezone(timezone.utc)
        else:
            self._current = _to_hour(until)
            self._now, self._start = until, self._current - timedelta(hours=hours)
        self._hours, self._until = hours, until

    def query(self):
        """The query, and its parameters."""
        mark = "%s" if self._engine == "mysql" else _CASTS[self._kind]
        column = self._quoted(self._column)
        bucket = _BUCKETS[self._engine, self._kind].format(column=column, value=mark, hour=HOUR * self._unit)
        start, end = (
            self._value(self._start),
            self._value(self._now + timedelta(days=1) if self._kind == "day" else self._now),
        )
        conditions, values = [f"{column} >= {mark}", f"{column} < {mark}"], [start, start, end]
        for other, value in self._equals.items():
            conditions.append(f"{self._quoted(other)} IS NULL" if value is None else "%s = %%s" % self._quoted(other))
            values += [] if value is None else [self._plain(value)]
        return (
            f"SELECT {bucket} AS bucket, COUNT(*) FROM {'.'.join((self._quoted(part) for part in self._table if part))} WHERE {' AND '.join(conditions)} GROUP BY 1",
            values,
        )

    def _quoted(self, identifier):
        return _QUOTES[self._engine] + identifier + _QUOTES[self._engine]

    def _plain(self, value):
        # As text, the server gives it the type of the column that it is compared with.
        if isinstance(value, bool) and self._engine == "mysql":
            return str(int(value))
        return str(value)

    def _value(self, when):
        """A time as the column holds it."""
        if self._kind == "number":
            seconds = when.timestamp() * self._unit
            return int(seconds) if seconds == int(seconds) else int(seconds) + 1
        if self._kind == "day":
            return when.isoformat()
        if self._kind == "local":
            return when.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S.%f")
        return when.strftime("%Y-%m-%d %H:%M:%S.%f") + ("" if self._engine == "mysql" else "+00")

    def hours(self, answer):
        """The whole hours, and the current one, from the rows of the answer. The session's clock was UTC."""
        length = DAY if self._kind == "day" else HOUR
        counts = {}
        for bucket, rows in answer:
            for when, part in self._moments(int(bucket), int(rows)):
                counts[when] = counts.get(when, 0) + part
        starts = [self._utc(self._start + number * timedelta(seconds=length)) for number in range(self._hours)]
        whole = [_entry(start, counts.get(start, 0), length) for start in starts]
        seconds = (self._until - self._current).total_seconds()
        current = _entry(self._current, counts.get(self._current, 0), seconds)
        return whole, dict(current, seconds=round(seconds, 3))

    def _utc(self, when):
        if self._kind == "day":
            return datetime.combine(when, datetime.min.time(), self._zone).astimezone(timezone.utc)
        return when

    def _moments(self, bucket, rows):
        """The hours that the rows of a bucket belong to. Where clocks are put back, an hour comes twice: each gets half of them."""
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


def _entry(start, rows, seconds):
    return {
        "start": timestamp(start.timestamp()),
        "rows": rows,
        "rows_per_hour": round(rows * HOUR / seconds, 2) if seconds else None,
    }
