# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge hosts whose verdict an operator wrote down: recorded shapes of public bug reports, and constructed ones."""

from __future__ import annotations

import pytest
from verdicts import labelled

from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import plan as rescue_plan

OUTCOMES = [labelled.judge(host) for host in labelled.hosts()]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.host.name)
def test_the_verdict_is_the_operators(outcome):
    assert outcome.wrong == [], (outcome.host.why, [finding["message"] for finding in outcome.judged["findings"]])


def test_a_disagreement_is_said():
    host = labelled.load("x05-ksm-arc-none")
    strict = {"min": "critical", "checks": ["oom_kills"], "subjects": ["/"]}
    changed = labelled.Host(host.name, host.why, host.sources, strict, host.declared, host.memory)
    assert labelled.judge(changed).wrong == [
        "too low: ok instead of critical",
        "no finding oom_kills",
        "no finding about /",
    ]


def test_the_table_counts_each_host_once():
    rows = labelled.confusion(OUTCOMES)
    assert sum(int(row[1]) for row in rows[1:]) == len(OUTCOMES)
    assert all(int(row[1]) == sum(map(int, row[2:])) for row in rows[1:])


def evidence(outcome):
    """Return evidence that permits every step: each worker has a unit, and large caches lie on each disk."""
    found = {worker["name"]: worker for worker in outcome.judged["workers"]}
    return {
        "processes": {
            str(pid): {"unit": f"{name}.service", "name": "ruby", "rss_bytes": worker["rss_bytes"]}
            for name, worker in found.items()
            for pid in worker["pids"]
        },
        "services": {},
        "workers": {f"{name}.service": name for name in found},
        "titles": {},
        "deleted": [],
        "watched": list(found),
        "space": {"/var/cache/apt/archives": 1 << 30, "/var/log/journal": 1 << 30},
    }


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.host.name)
def test_a_rescue_does_nothing_on_a_healthy_host_and_gives_its_reasons_on_others(outcome):
    looked = {**outcome.judged, "ansible_facts": outcome.facts}
    steps, reasons = rescue_plan.plan(looked, evidence(outcome))
    critical = [finding for finding in outcome.judged["findings"] if finding["severity"] == "critical"]
    if outcome.host.highest != "critical":
        assert (steps, reasons) == ([], [])
    elif critical:
        assert steps or reasons
    if {finding["check"] for finding in critical} <= {"swap_used_percent", "load_per_cpu", "worker_crashes"}:
        assert steps == []


def test_a_host_with_ten_thousand_processes_and_five_thousand_mounts():
    host = labelled.load("x05-ksm-arc-none")
    sources = dict(host.sources)
    numbers = range(100000, 110000)
    sources.update(
        (f"/proc/{pid}/stat", sources["/proc/900/stat"].replace("900 (cron)", f"{pid} (cron)")) for pid in numbers
    )
    sources["/proc/self/mountinfo"] += "".join(
        f"{pid} 20 0:{pid} / /srv/tenant{pid} rw,relatime - ext4 /dev/dm-{pid} rw\n" for pid in numbers[:5000]
    )
    figures = next(line for line in sources["statfs"].splitlines() if line.endswith(" /")).rpartition(" ")[0]
    sources["statfs"] += "".join(f"{figures} /srv/tenant{pid}\n" for pid in numbers[:5000])
    large = labelled.Host(host.name, host.why, sources, host.expect, host.declared, host.memory)
    outcome = labelled.judge(large)
    assert outcome.wrong == []
    assert len(outcome.facts["lifeline_disks"]["filesystems"]) > 5000
