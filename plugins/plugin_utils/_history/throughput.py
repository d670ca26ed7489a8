# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of sidekiq_info and throughput_info goes into a history, and the rate since the last reading there."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import rate as sidekiq_rate
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.recorder import Recorder
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import Sample

COUNTS = ("processed", "failed")
_NUMBERS = (*COUNTS, "enqueued", "retries", "scheduled", "dead", "latency_seconds", "heartbeat_seconds", "rss_bytes")


def recorder(task, templar, task_vars):
    """A Recorder for the box that a task is for. Delegated or not: the controller may well ask what the box writes elsewhere."""
    found = Recorder(task, templar, task_vars)
    found.box = task_vars.get("inventory_hostname", "localhost")
    return found


def sidekiq_samples(result):
    """The samples of what sidekiq_info returned."""
    state, rate = result["sidekiq"], result["rate"] or {}
    found = [Sample("sidekiq_" + key, result["asked"], state[key]) for key in _NUMBERS]
    found.append(Sample("sidekiq_busy", result["asked"], state["busy"], state["concurrency"]))
    found += [Sample(f"sidekiq_{key}_per_hour", result["asked"], rate.get(key + "_per_hour")) for key in COUNTS]
    return [sample for sample in found if sample.value is not None]


def throughput_samples(result, table):
    """The sample of what throughput_info returned: the rate of the latest whole hour, the best one being what the box can do."""
    if result["latest"] is None:
        return []
    return [Sample("rows_per_hour", table, result["latest"]["rows_per_hour"], result["best"]["rows_per_hour"])]


def before(history, box, asked, now):
    """The last reading of the counts that is old enough for a rate, as sidekiq_info has it; None where there is none."""
    found = {}
    for key in COUNTS:
        for point in history.series(box, "sidekiq_" + key, asked, last=20):
            found.setdefault(point.taken, {})[key] = int(point.value)
    old = [
        taken for taken, counts in found.items() if len(counts) == len(COUNTS) and now - taken >= sidekiq_rate.SHORTEST
    ]
    return dict(found[max(old)], time=max(old)) if old else None
