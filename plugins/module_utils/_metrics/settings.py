# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the exporter on a box is told: the controller writes it as JSON, and the box makes of it what the verdict takes."""

from __future__ import annotations

import json
import re

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import Worker
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import parse_duration

# To start Python each second for a look at what changes by the minute would be a load of its own.
_LEAST_INTERVAL, _MOST_INTERVAL = 10, 3600


def text(thresholds, workers, interval, oom_window, timeout):
    """The settings as JSON: the same text for the same settings. Raises SettingsError."""
    names = [worker.name for worker in workers]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(
                f"lifeline_workers names {name!r} twice: each needs a name of its own, which is its label"
            )
    if not _LEAST_INTERVAL <= interval <= _MOST_INTERVAL:
        raise SettingsError(
            f"metrics_interval_seconds is {int(interval)}: it must be {_LEAST_INTERVAL} to {_MOST_INTERVAL}"
        )
    if not 0 < timeout <= interval / 2:
        raise SettingsError(
            f"metrics_timeout_seconds is {timeout:g}: it must be more than 0, and at most half of the {int(interval)} seconds of metrics_interval_seconds"
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


def parse(document):
    """The settings out of that text. Raises ValueError where it is none."""
    settings = json.loads(document)
    settings["workers"] = [
        Worker(**dict(worker, pattern=re.compile(worker["pattern"]))) for worker in settings["workers"]
    ]
    return settings
