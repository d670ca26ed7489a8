# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse the date and time in front of a log message, in every form that logs use."""

from __future__ import annotations

import re
from calendar import timegm
from typing import Callable, Optional, Union

Convert = Callable[["re.Match[str]", "Clock"], Optional[float]]
UtcOffset = Union[float, Callable[[float], float]]


class Clock:
    """The values that complete a timestamp with only a part of the time.

    - `now`: seconds since 1970, or None
    - `boot_time`: seconds since 1970, or None. Pass it only with messages of the running kernel.
    - `utc_offset`: the seconds that the host's local time is ahead of UTC, or a function of a local time in seconds
      that returns them
    """

    def __init__(self, now: float | None = None, boot_time: float | None = None, utc_offset: UtcOffset = 0) -> None:
        self.now = now
        self.boot_time = boot_time
        self.utc_offset = utc_offset
        self._understood: dict[str, float | None] = {}

    def understood(self, match: re.Match[str], convert: Convert) -> float | None:
        """Return what `convert` makes of a stamp. Results are kept, as neighbouring lines mostly have the same."""
        stamp = match.group()
        if stamp not in self._understood:
            if len(self._understood) > 4096:
                self._understood.clear()
            self._understood[stamp] = convert(match, self)
        return self._understood[stamp]

    def from_local(self, seconds: float) -> float:
        """Return the seconds since 1970 of a local time that is given in seconds."""
        offset = self.utc_offset(seconds) if callable(self.utc_offset) else self.utc_offset
        return seconds - (offset or 0)

    def from_uptime(self, uptime: float | None) -> float | None:
        """Return the seconds since 1970 of an uptime, or None if the boot's time is not known."""
        return None if self.boot_time is None or uptime is None else self.boot_time + uptime


_MONTHS: dict[str, int] = {}
for number, _names in enumerate(
    (
        "jan ene gen янв sty led tam oca gener",
        "feb fév fev фев lut úno helmi şub",
        "mar mär mrt maa мар bře",
        "apr avr abr апр kwi dub huh nis",
        "may mai mag mei maj мая май kvě tou",
        "jun jui giu июн cze čer kes haz juin",
        "jul jui lug июл lip hei tem juil červenec",
        "aug aoû aou ago авг sie srp elo ağu",
        "sep set сен wrz zář syy eyl",
        "oct okt ott out окт paź říj lok eki",
        "nov ноя lis lis marras kas",
        "dec dez déc dic des дек gru pro jou ara",
    ),
    1,
):
    for _name in _names.split():
        _MONTHS.setdefault(_name, number)
# The first three letters of these are those of another month in another language.
_LONG_MONTHS = {
    "juin": 6,
    "juil": 7,
    "juillet": 7,
    "list": 11,
    "listopad": 11,
    "červenec": 7,
    "marras": 11,
    "marraskuu": 11,
}
_ZONES = {
    "UTC": 0,
    "GMT": 0,
    "Z": 0,
    "WET": 0,
    "WEST": 1,
    "BST": 1,
    "CET": 1,
    "CEST": 2,
    "EET": 2,
    "EEST": 3,
    "MSK": 3,
    "JST": 9,
    "KST": 9,
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "AEST": 10,
    "AEDT": 11,
}
# The end of a zone, of a year, and of AM or PM. A host's name may follow the time and begin like any of them: Z-1,
# PM.example, 2019-web1, 2001:db8::1.
_END = r"(?=\s|[\],\"']|:(?:\s|$)|$)"
ISO = re.compile(
    r"(?:(?P<weekday>[^\W\d_]{2,9}\.?,?)\s)?(?P<year>\d{4})[-/](?P<month>\d\d)[-/](?P<day>\d\d)[T ]"
    r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?P<fraction>[.,]\d{1,9})?"
    r"(?:\s?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)" + _END + r"|\s(?P<zone2>[A-Z]{3,5})(?=\s|$))?"
)
_HOST_AND_TAG = r"\s{1,3}\S{1,255}\s{1,3}(?:kernel|[^\s:\[\]]{1,64}\[\d{1,10}\]):"
# "2019" in "Nov 18 11:06:40 2019 kernel:" is a host's name: in front of a year stands a weekday, or behind it a host.
DATE = re.compile(
    r"(?:(?P<weekday>[^\W\d_]{1,9}\.?,?)\s{1,3})?"
    r"(?:(?P<name>[^\W\d_]{3,10}\.?|\d{1,2}\s?[月월])\s{1,3}(?P<day>\d{1,2})[日일]?"
    r"|(?P<day2>\d{1,2})\.?\s{1,3}(?P<name2>[^\W\d_]{3,10}\.?)),?"
    r"\s{1,3}(?:(?P<year>(?:19|20)\d\d)\s{1,3})?"
    r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?P<fraction>[.,]\d{1,9})?"
    r"(?:\s(?P<half>[AP]M)" + _END + r")?"
    r"(?:\s(?P<zone>[A-Z]{3,5}|[+-]\d\d)(?=\s(?:19|20)\d\d(?:\s|\]|$)))?"
    r"(?:\s(?P<year2>(?:19|20)\d\d)" + _END + r"(?(weekday)|(?=[\]]|$|" + _HOST_AND_TAG + r")))?"
)


def _month(name: str) -> int | None:
    digits = re.match(r"\d+", name)
    if digits:
        return int(digits.group())
    name = name.rstrip(".").lower()
    return _LONG_MONTHS.get(name) or _LONG_MONTHS.get(name[:4]) or _MONTHS.get(name[:3])


def _epoch(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int | None:
    if not (year >= 1900 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61):
        return None
    return timegm((year, month, day, hour, minute, second, 0, 0, 0))


def fraction(text: str | None) -> float:
    """Return the seconds of a stamp's digits behind the point or comma."""
    return float("0." + text.lstrip(".,")) if text else 0.0


def _zoned(seconds: float, zone: str | None, clock: Clock) -> float:
    if zone is None:
        return clock.from_local(seconds)
    if zone in _ZONES:
        return seconds - 3600 * _ZONES[zone]
    digits = zone[1:].replace(":", "")
    if zone[0] in "+-" and digits.isdigit():
        offset = int(digits[:2]) * 3600 + int(digits[2:4] or 0) * 60
        return seconds - (offset if zone[0] == "+" else -offset)
    return clock.from_local(seconds)


def iso_epoch(match: re.Match[str], clock: Clock) -> float | None:
    """Return the seconds since 1970 of a match of `ISO`, or None if it is no date."""
    seconds = _epoch(*(int(match.group(part)) for part in ("year", "month", "day", "hour", "minute", "second")))
    if seconds is None:
        return None
    return _zoned(seconds, match.group("zone") or match.group("zone2"), clock) + fraction(match.group("fraction"))


def date_epoch(match: re.Match[str], clock: Clock) -> float | None:
    """Return the seconds since 1970 of a match of `DATE`, or None if it is no date or its year cannot be known."""
    month = _month(match.group("name") or match.group("name2"))
    if month is None:
        return None
    hour = int(match.group("hour"))
    if match.group("half"):
        hour = hour % 12 + (12 if match.group("half") == "PM" else 0)
    rest = (
        month,
        int(match.group("day") or match.group("day2")),
        hour,
        int(match.group("minute")),
        int(match.group("second")),
    )
    year = match.group("year") or match.group("year2")
    years: tuple[int, ...]
    if year is not None:
        years = (int(year),)
    elif clock.now is None:
        return None
    else:
        # Take the latest year that is not in the future. Clocks may disagree by a day.
        this_year = 1970 + int(clock.now // 31556952)
        years = (this_year + 1, this_year, this_year - 1)
    for candidate in years:
        local = _epoch(candidate, *rest)
        if local is None:
            return None
        seconds = _zoned(local, match.group("zone"), clock) + fraction(match.group("fraction"))
        if clock.now is None or year is not None or seconds <= clock.now + 86400:
            return seconds
    return None


def parse_time(text: str, clock: Clock | None = None) -> float | None:
    """Return the seconds since 1970 of a date and time in any form that logs use, or None if it has none of them."""
    clock = clock or Clock()
    text = text.strip()[:80]
    for pattern, convert in ((ISO, iso_epoch), (DATE, date_epoch)):
        match = pattern.match(text)
        if match:
            return convert(match, clock)
    return None
