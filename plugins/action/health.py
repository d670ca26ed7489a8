# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.health: read a host in one round trip and judge it. See modules/health.py."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Facts, Judged, WorkerReading
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import Process
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError, SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import crashes, facts as probe_facts, verdict
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import pressure
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import parse_duration
from ansible_collections.lifeline.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.lifeline.fleet.plugins.plugin_utils._forecast import trends
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import samples, store as history_store
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.recorder import Recorder
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Point, Reading
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import Key
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import (
    answer,
    forks,
    health as health_probe,
    health_answer,
    shell,
)
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.deadline import deadline, reading_limit
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import box as box_settings

forks.spare()


# An earlier reading says nothing about now if it is older than this.
_RATE_SECONDS = 7200


class Past:
    """The history of a host, if there is one, and the latest reading."""

    def __init__(
        self,
        recorder: Recorder,
        facts: Facts,
        table: dict[int, Process],
        booted: float | None,
        thresholds: dict[str, Any],
        counts: pressure.Counts,
    ) -> None:
        self._counts = counts
        self._recorder, self._facts, self._table, self._thresholds = recorder, facts, table, thresholds
        self._taken = time.time()
        self._since = self._taken - trends.PAST_SECONDS
        self._boot_time = booted
        # In a container, the kernel's boot time is that of its host; the first process has the container's.
        self._booted = self._started([1])
        self._samples: list[Any] = []
        self.forecasts: list[Any] = []

    def foresee(self, workers: list[WorkerReading]) -> list[Any]:
        """Return the forecasts, and keep the samples that they were made of."""
        if not self._recorder:
            return []
        started = {worker["name"]: self._started(worker["pids"]) for worker in workers}
        self._samples = [
            *samples.samples(self._facts, workers, {name: when for name, when in started.items() if when is not None}),
            *samples.counts(self._counts),
        ]
        box = self._recorder.box
        wanted = list(trends.horizons(self._thresholds))
        past: dict[Key, list[Point]] = {}
        if wanted:
            past = self._recorder.ask(lambda history: history.recent(box, wanted, self._since), past)
        self.forecasts = trends.foresee(past, self._samples, self._taken, self._booted, self._thresholds, self._whole)
        return self.forecasts

    def rates(self) -> pressure.Rates:
        """Return the rates since the last reading, none if that is too long ago to say what happens now."""
        box, nothing = self._recorder.box, dict[Key, list[Point]]()
        if not self._recorder:
            return pressure.Rates()
        since = self._taken - _RATE_SECONDS
        past = self._recorder.ask(lambda history: history.recent(box, [samples.COUNTS], since), nothing)
        last = max((points[-1].taken for points in past.values()), default=None)
        before = {name: points[-1].value for (_metric, name), points in past.items() if points[-1].taken == last}
        return pressure.rates(self._counts, before)

    def starts(self, worker: WorkerReading) -> int:
        """Return how often a worker's process changed from reading to reading, in the window of crashes."""
        box, since, nothing = self._recorder.box, self._taken - crashes.WINDOW, list[Point]()
        if not self._recorder:
            return 0
        points = self._recorder.ask(
            lambda history: history.series(box, "worker_rss_bytes", worker["name"], since), nothing
        )
        seen = [point.started for point in points] + [self._started(worker["pids"])]
        known = [round(one) for one in seen if one is not None]
        return sum(abs(after - before) > 2 for before, after in zip(known, known[1:]))

    def record(self, judged: Judged) -> None:
        """Keep this reading."""
        state, whole = samples.state(self._facts)
        reading = Reading(
            self._recorder.box,
            "health",
            self._taken,
            judged["verdict"],
            self._booted,
            self._samples,
            judged["findings"],
            samples.kills(self._facts),
            state,
            whole,
        )
        self._recorder.record(reading)

    def _whole(self, metric: str, subject: str) -> list[Point]:
        box, nothing = self._recorder.box, list[Point]()
        return self._recorder.ask(
            lambda history: history.series(box, metric, subject, self._since, last=history_store.FURTHEST), nothing
        )

    def _started(self, pids: list[int]) -> float | None:
        """Return when the youngest of these processes was started, in seconds since 1970."""
        ages = [self._table[pid]["started_seconds"] for pid in pids if pid in self._table]
        return None if self._boot_time is None or not ages else self._boot_time + max(ages)


class ActionModule(FleetAction):
    _requires_connection = True
    OPTIONS = {
        "thresholds": {"type": "dict"},
        "workers": {"type": "list", "elements": "dict"},
        "oom_window": {"type": "str", "default": "24h"},
        "timeout": {"type": "float", "default": 2},
        "deadline": {"type": "float", "default": 30},
        "fail_on": {"type": "str", "choices": ["never", "warning", "critical"], "default": "never"},
    }

    def act(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        thresholds = box_settings.thresholds(self._templar, task_vars, options["thresholds"])
        workers = box_settings.workers(self._templar, task_vars, options["workers"])
        wanted = box_settings.tells_purpose(self._templar, task_vars)
        expected = box_settings.listeners(self._templar, task_vars) if wanted else None
        window, timeout = self._times(options)
        asked = time.time()
        with self._noting_silence(task_vars):
            with deadline(options["deadline"]):
                said = shell.run(self, health_probe.script(timeout, expected is not None, workers))
            answered = time.time()
            with reading_limit(options["deadline"]):
                sources, unread, failed_check = health_answer.read(said["stdout"], said["stderr"])
                facts = probe_facts.parse(sources, window, expected)
                table = probe_facts.process_table(sources)
        result = {"changed": False, "ansible_facts": facts, "thresholds": thresholds}
        with Recorder(self._task, self._templar, task_vars) as recorder:
            counts = pressure.counts(sources)
            past = Past(recorder, facts, table, probe_facts.boot_time(sources), thresholds, counts)
            judged = verdict.judge(
                facts,
                table,
                probe_facts.watchdog(sources),
                thresholds,
                workers,
                window,
                past.foresee,
                probe_facts.clock_skew(sources, asked, answered),
                probe_facts.services(sources, table),
                past.starts,
                past.rates(),
                failed_check,
            )
            judged["unread"] = [*unread, *judged["unread"]]
            if recorder:
                past.record(judged)
                result["forecasts"] = past.forecasts
        fail_on = options["fail_on"]
        failed = fail_on != "never" and (
            verdict.SEVERITIES.index(judged["verdict"]) >= verdict.SEVERITIES.index(fail_on)
        )
        result.update(judged, failed=failed, msg=verdict.summary(judged, facts))
        return result

    @contextmanager
    def _noting_silence(self, task_vars: dict[str, Any]) -> Iterator[None]:
        """Record unreachable hosts and unreadable answers in the history as well."""
        try:
            yield
        except (AnsibleConnectionFailure, ProbeError) as error:
            down = isinstance(error, AnsibleConnectionFailure) and answer.judge(error)[0] == answer.DOWN
            with Recorder(self._task, self._templar, task_vars) as recorder:
                recorder.record(Reading(recorder.box, "health", verdict="down" if down else "unknown"))
            raise

    @staticmethod
    def _times(options: dict[str, Any]) -> tuple[float, float]:
        """Return the window for OOM kills and the timeout, both in seconds. Raises SettingsError."""
        try:
            window = parse_duration(options["oom_window"])
        except ValueError as error:
            raise SettingsError(f"oom_window: {error}") from error
        if not 0 < options["timeout"] <= 60:
            raise SettingsError(
                f"timeout: out of range ({options['timeout']:g}); use more than 0 and at most 60 seconds"
            )
        if options["deadline"] <= options["timeout"]:
            raise SettingsError(
                f"deadline: too short ({options['deadline']:g}); use more than timeout ({options['timeout']:g} s)"
            )
        return window, options["timeout"]
