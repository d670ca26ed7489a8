# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load labelled hosts, judge them as `health` does, and compare the verdict with the label.

A host is a JSON file of tests/boxes/judged: `sources` maps a file of the host, or a part of what the probe prints, to
its text, `expect` is what an operator says of it, and `why` says why. With `base`, the sources are those of another
host, and `sources` has what differs; null removes a file. `max_sidekiq_memory` and `lifeline_workers` are the
inventory's, and `taken` is the time at which it was read by a right clock, in seconds since 1970.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Facts, Judged
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import facts as probe_facts, thresholds, verdict
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import SEVERITIES
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import workers
from paths import BOXES

FOLDER = BOXES / "judged"
DAY = 86400


@dataclass(frozen=True)
class Host:
    """A labelled host. `lowest` and `highest` are the verdicts that the operator accepts."""

    name: str
    why: str
    sources: dict[str, str]
    expect: dict[str, Any]
    declared: Any = None
    memory: Any = None
    taken: float | None = None

    @property
    def lowest(self) -> str:
        return str(self.expect.get("min", self.expect.get("verdict", "ok")))

    @property
    def highest(self) -> str:
        return str(self.expect.get("max", self.expect.get("verdict", "critical")))


@dataclass(frozen=True)
class Outcome:
    """The verdict on a host, and the errors in it, in words."""

    host: Host
    judged: Judged
    facts: Facts
    wrong: list[str] = field(default_factory=list)


def hosts() -> list[Host]:
    """Return all labelled hosts by name."""
    return [load(path.stem) for path in sorted(FOLDER.glob("*.json"))]


def load(name: str) -> Host:
    """Return one labelled host."""
    told = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    expect = told["expect"]
    return Host(
        name=name,
        why=told["why"],
        sources=_sources(told),
        expect={"verdict": expect} if isinstance(expect, str) else expect,
        declared=told.get("lifeline_workers") or told.get("workers"),
        memory=told.get("max_sidekiq_memory"),
        taken=told.get("taken"),
    )


def _sources(told: dict[str, Any]) -> dict[str, str]:
    base = load(told["base"]).sources if "base" in told else {}
    return {path: text for path, text in {**base, **told["sources"]}.items() if text is not None}


def judge(host: Host) -> Outcome:
    """Judge a host with the defaults."""
    facts, table = probe_facts.parse(host.sources, DAY), probe_facts.process_table(host.sources)
    judged = verdict.judge(
        facts,
        table,
        probe_facts.watchdog(host.sources),
        thresholds.merge([]),
        workers(host.declared, host.memory),
        DAY,
        skew=None if host.taken is None else probe_facts.clock_skew(host.sources, host.taken, host.taken),
        services=probe_facts.services(host.sources, table),
    )
    return Outcome(host, judged, facts, _wrong(host, judged))


def _wrong(host: Host, judged: Judged) -> list[str]:
    """Return in words how a verdict differs from the label."""
    rank, findings, expect = SEVERITIES.index(judged["verdict"]), judged["findings"], host.expect
    found = {finding["check"] for finding in findings}
    critical = {finding["check"] for finding in findings if finding["severity"] == "critical"}
    subjects = {finding["subject"] for finding in findings}
    wrong = []
    if rank < SEVERITIES.index(host.lowest):
        wrong.append(f"too low: {judged['verdict']} instead of {host.lowest}")
    if rank > SEVERITIES.index(host.highest):
        wrong.append(f"too high: {judged['verdict']} instead of {host.highest}")
    wrong += [f"no finding {check}" for check in expect.get("checks", ()) if check not in found]
    wrong += [f"false finding {check}" for check in expect.get("not_checks", ()) if check in found]
    wrong += [f"{check} is critical" for check in expect.get("not_critical", ()) if check in critical]
    wrong += [f"no finding about {subject}" for subject in expect.get("subjects", ()) if subject not in subjects]
    wrong += [f"finding about {subject}" for subject in expect.get("not_subjects", ()) if subject in subjects]
    most = expect.get("disk_findings", {}).get("max_per_space")
    if most is not None and sum(finding["check"] == "disk_used_percent" for finding in findings) > most:
        wrong.append("several findings about one space")
    kills = expect.get("oom_kills", [judged["oom_kills"]])
    if judged["oom_kills"] not in (kills if isinstance(kills, list) else [kills]):
        wrong.append(f"{judged['oom_kills']} OOM kills")
    return wrong


def label(host: Host) -> str:
    """Return the label in one word, or as a range."""
    return host.lowest if host.lowest == host.highest else f"{host.lowest} to {host.highest}"


def confusion(outcomes: list[Outcome]) -> list[tuple[str, ...]]:
    """Return a table with the labels as rows and the verdicts as columns."""
    labels = sorted(
        {label(one.host) for one in outcomes}, key=lambda one: [SEVERITIES.index(w) for w in one.split(" to ")]
    )
    rows: list[tuple[str, ...]] = [("LABEL", "HOSTS", *(f"JUDGED {severity.upper()}" for severity in SEVERITIES))]
    for one in labels:
        verdicts = [outcome.judged["verdict"] for outcome in outcomes if label(outcome.host) == one]
        rows.append((one, str(len(verdicts)), *(str(verdicts.count(severity)) for severity in SEVERITIES)))
    return rows
