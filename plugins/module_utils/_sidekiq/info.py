# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the options of sidekiq_info, read Sidekiq once or twice, and build the module's result."""

from __future__ import annotations

import time
from typing import Callable, List, Optional, Tuple, TypedDict
from urllib.parse import urlsplit

from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import rate as sidekiq_rate, redis, state
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.resp import Refusal

_LONGEST_TIMEOUT, _LONGEST_INTERVAL = 300, 600


class Options(redis.Options, total=False):
    """All options of the module."""

    since: Optional[sidekiq_rate.Reading]
    interval: Optional[float]


class Result(TypedDict):
    """The module's result."""

    asked: str
    sidekiq: state.State
    rate: Optional[sidekiq_rate.Rate]
    rate_missing: Optional[str]
    reading: sidekiq_rate.Reading
    msg: str


def check(options: Options) -> None:
    """Raise ValueError if an option has a value that cannot be followed."""
    if not 0 < options["timeout"] <= _LONGEST_TIMEOUT:
        raise ValueError(
            f"timeout: out of range ({options['timeout']:g}); use more than 0 and at most {_LONGEST_TIMEOUT} seconds"
        )
    interval = options.get("interval")
    if interval is not None and not sidekiq_rate.SHORTEST <= interval <= _LONGEST_INTERVAL:
        raise ValueError(
            f"interval: out of range ({interval:g}); use {sidekiq_rate.SHORTEST} to {_LONGEST_INTERVAL} seconds"
        )
    if options.get("sentinels") == []:
        raise ValueError("sentinels: empty list; give one address or more")
    redis.target(options)


def secrets(options: Options) -> List[str]:
    """Return the password of the URL, decoded and as written: neither may be printed. Raises ValueError."""
    url = options.get("url")
    if not url:
        return []
    return [word for word in (redis.from_url(url).password, urlsplit(url).password) if word]


def read(options: Options, clock: Callable[[], float] = time.time) -> Tuple[state.State, sidekiq_rate.Reading]:
    """Read Sidekiq's state and the reading of its counts. Raises ValueError and ServerFailure."""
    connection = redis.connect(options, options["timeout"])
    try:
        raw = state.read(connection, options["prefix"])
        if not state.is_there(raw):
            raise state.nothing(connection, options["prefix"])
    except Refusal as refusal:
        raise redis.refused(connection, refusal) from refusal
    finally:
        connection.close()
    now = round(clock(), 3)
    found = state.parse(raw, now)
    return found, sidekiq_rate.reading(now, found)


def result(options: Options, sleep: Callable[[float], None] = time.sleep) -> Result:
    """Return the module's result. With the option `interval` it reads twice. Raises ValueError and ServerFailure."""
    before = options.get("since")
    interval = options.get("interval")
    if interval is not None:
        _state, before = read(options)
        sleep(interval)
    found, reading = read(options)
    rate, missing = sidekiq_rate.rate(before, reading)
    return {
        "asked": redis.asked(options),
        "sidekiq": found,
        "rate": rate,
        "rate_missing": missing,
        "reading": reading,
        "msg": sidekiq_rate.summary(found, rate),
    }
