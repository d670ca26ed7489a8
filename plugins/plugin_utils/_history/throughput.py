# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of sidekiq_info's and throughput_info's results that a history keeps, and the earlier counts for a rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import rate as sidekiq_rate
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.recorder import Recorder
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Sample
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History

COUNTS = ("processed", "failed")
_NUMBERS = (*COUNTS, "enqueued", "retries", "scheduled", "dead", "latency_seconds", "heartbeat_seconds", "rss_bytes")


def recorder(task: Any, templar: Any, task_vars: Mapping[str, Any]) -> Recorder:
    """Return a Recorder for the host of a task, even if the task is delegated: the controller may ask its database."""
    return Recorder(task, templar, task_vars, task_vars.get("inventory_hostname", "localhost"))


def sidekiq_samples(result: Mapping[str, Any]) -> list[Sample]:
    """Return the samples of a result of sidekiq_info."""
    state, rate, asked = result["sidekiq"], result["rate"] or {}, result["asked"]
    values = {"sidekiq_" + key: state[key] for key in _NUMBERS}
    values.update((f"sidekiq_{key}_per_hour", rate.get(key + "_per_hour")) for key in COUNTS)
    found = [Sample(metric, asked, value) for metric, value in values.items() if value is not None]
    if state["busy"] is not None:
        found.append(Sample("sidekiq_busy", asked, state["busy"], state["concurrency"]))
    return found


def throughput_samples(result: Mapping[str, Any], table: str) -> list[Sample]:
    """Return the sample of a result of throughput_info: the rate of the latest whole hour, out of that of the best."""
    if result["latest"] is None:
        return []
    return [Sample("rows_per_hour", table, result["latest"]["rows_per_hour"], result["best"]["rows_per_hour"])]


def before(history: History, box: str, asked: str, now: float) -> sidekiq_rate.Reading | None:
    """Return the last counts that are old enough for a rate, or None.

    `asked` is the server that was asked, as in the result of sidekiq_info. `now` is in seconds since 1970.
    """
    found: dict[float, dict[str, int]] = {}
    for key in COUNTS:
        for point in history.series(box, "sidekiq_" + key, asked, last=20):
            found.setdefault(point.taken, {})[key] = int(point.value)
    old = [
        taken for taken, counts in found.items() if len(counts) == len(COUNTS) and now - taken >= sidekiq_rate.SHORTEST
    ]
    if not old:
        return None
    taken = max(old)
    return {"time": taken, "processed": found[taken]["processed"], "failed": found[taken]["failed"]}
