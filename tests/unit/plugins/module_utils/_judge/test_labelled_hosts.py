# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge hosts whose verdict an operator wrote down: recorded shapes of public bug reports, and constructed ones."""

from __future__ import annotations

import json

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import facts as probe_facts, thresholds, verdict
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import SEVERITIES
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import workers
from paths import BOXES

DAY = 86400
HOSTS = sorted((BOXES / "judged").glob("*.json"))


@pytest.mark.parametrize("path", HOSTS, ids=lambda path: path.stem)
def test_the_verdict_is_the_operators(path):
    host = json.loads(path.read_text(encoding="utf-8"))
    sources, expected = host["sources"], host["expect"]
    declared = host.get("lifeline_workers") or host.get("workers")
    judged = verdict.judge(
        probe_facts.parse(sources, DAY),
        probe_facts.process_table(sources),
        probe_facts.watchdog(sources),
        thresholds.merge([]),
        workers(declared, host.get("max_sidekiq_memory")),
        DAY,
    )
    found = {finding["check"] for finding in judged["findings"]}
    critical = {finding["check"] for finding in judged["findings"] if finding["severity"] == "critical"}
    lowest, highest = (expected.get(key, expected.get("verdict")) for key in ("min", "max"))
    rank = SEVERITIES.index(judged["verdict"])
    why = host["why"], [finding["message"] for finding in judged["findings"]]
    assert rank >= SEVERITIES.index(lowest or "ok"), why
    assert rank <= SEVERITIES.index(highest or "critical"), why
    assert set(expected.get("checks", ())) <= found
    assert not set(expected.get("not_checks", ())) & found
    assert not set(expected.get("not_critical", ())) & critical
    if "oom_kills" in expected:
        kills = expected["oom_kills"]
        assert judged["oom_kills"] in (kills if isinstance(kills, list) else [kills])
    subjects = {finding["subject"] for finding in judged["findings"]}
    assert set(expected.get("subjects", ())) <= subjects
    assert not set(expected.get("not_subjects", ())) & subjects
