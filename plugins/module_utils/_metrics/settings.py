# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exporter's settings: the controller writes them as JSON, and the host parses them."""

from __future__ import annotations

import json
import re
from typing import Dict, List, Optional, Sequence, TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import Worker
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import parse_duration

# Starting Python every second, to read what changes every minute, would be a load of its own.
_LEAST_INTERVAL, _MOST_INTERVAL = 10, 3600

Thresholds = Dict[str, Dict[str, Optional[float]]]


class Settings(TypedDict):
    """The exporter's settings: how it judges the host, and its interval and timeout in seconds."""

    thresholds: Thresholds
    workers: List[Worker]
    oom_window: float
    interval: int
    timeout: float


def text(thresholds: Thresholds, workers: Sequence[Worker], interval: int, oom_window: str, timeout: float) -> str:
    """Return the settings as JSON, always the same text for the same settings. Raises SettingsError."""
    names = [worker.name for worker in workers]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"lifeline_workers: two workers have the same name ({name!r}); rename one of them")
    if not _LEAST_INTERVAL <= interval <= _MOST_INTERVAL:
        raise SettingsError(
            f"metrics_interval_seconds: out of range ({interval}); use {_LEAST_INTERVAL} to {_MOST_INTERVAL}"
        )
    if not 0 < timeout <= interval / 2:
        raise SettingsError(
            f"metrics_timeout_seconds: out of range ({timeout:g}); use more than 0, and at most half of "
            f"metrics_interval_seconds ({interval})"
        )
    try:
        window = parse_duration(oom_window)
    except ValueError as error:
        raise SettingsError(f"metrics_oom_window: {error}") from error
    return (
        json.dumps(
            {
                "thresholds": thresholds,
                "workers": [dict(worker.__dict__, pattern=worker.pattern.pattern) for worker in workers],
                "oom_window": window,
                "interval": interval,
                "timeout": timeout,
            },
            indent=1,
            sort_keys=True,
        )
        + "\n"
    )


def parse(document: str) -> Settings:
    """Return the settings from their JSON. Raises ValueError if it is not JSON."""
    settings: Settings = json.loads(document)
    declared = json.loads(document)["workers"]
    settings["workers"] = [Worker(**dict(worker, pattern=re.compile(worker["pattern"]))) for worker in declared]
    return settings
