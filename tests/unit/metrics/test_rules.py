# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules for Prometheus, run by promtool: they fire exactly on the findings of `health`."""

from __future__ import annotations

import re

import yaml
from metrics import document, promtool, rules, samples

from ansible_collections.lifeline.fleet.plugins.module_utils._judge.thresholds import CHECKS
from paths import ROOT

RULES = ROOT / "extensions" / "prometheus" / "lifeline.rules.yml"
_SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


def test_the_generated_files_are_up_to_date():
    again = "run PYTHONPATH=tests:.cache/collections python -m metrics"
    assert RULES.read_text(encoding="utf-8") == rules.text(), again
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert page == document.updated(page), again
    assert "| `lifeline_memory_limit_available_ratio` |" in page


def test_every_check_has_a_rule_or_is_listed_as_not_exported():
    assert {rule.check for rule in rules.RULES} | rules.NOT_EXPORTED == set(CHECKS)
    assert not {rule.check for rule in rules.RULES} & rules.NOT_EXPORTED


def test_promtool_accepts_the_rules():
    content, said = promtool.run("check", "rules", str(RULES))
    assert content and f"SUCCESS: {2 * len(rules.RULES) + 4} rules" in said, said


# --- the rules against the verdict ---


def layers(found):
    """Yield thresholds for one host: the defaults, none, the lowest, and those that its values just reach or miss."""
    yield "defaults", None
    yield "none", {name: {"warning": None, "critical": None} for name in CHECKS}
    lowest = {
        name: dict.fromkeys(("warning", "critical"), None if check.companion_of else 100 if check.falling else 0)
        for name, check in CHECKS.items()
    }
    yield "lowest", lowest
    values = {}
    for finding in samples.judged(found, samples.settings(lowest))["findings"]:
        values.setdefault(finding["check"], finding["value"])
    assert values
    yield "reached", {name: {"warning": None, "critical": value} for name, value in values.items()}
    beyond = {
        name: value - 0.01 if CHECKS[name].falling else value + 0.01 for name, value in values.items() if value >= 0.01
    }
    yield "missed", {name: {"warning": None, "critical": value} for name, value in beyond.items()}


def expected(instance, found, told):
    """Return the alerts for the findings of `health`. A critical finding raises the warning as well."""
    alerts = set()
    for finding in samples.judged(found, told)["findings"]:
        for severity in ("critical", "warning") if finding["severity"] == "critical" else ("warning",):
            subject = ("subject", finding["subject"]) if finding["subject"] else ()
            if finding["check"] not in rules.NOT_EXPORTED:
                alerts.add((instance, finding["check"], severity, *subject))
    return alerts


def series(text, instance):
    """Return metrics as the input of promtool's tests, constant for three minutes."""
    target = f'instance="{instance}",job="node"'
    return [
        {"series": "%s{%s}" % (name, ",".join(filter(None, (labels, target)))), "values": value + "+0x3"}
        for name, labels, value in _SERIES.findall(text)
    ]


def described(alert):
    instance, check, severity, *subject = alert
    labels = {"instance": instance, "check": check, "severity": severity, **dict([subject] if subject else [])}
    return "{%s}" % ",".join(
        '%s="%s"' % (name, value.replace("\\", "\\\\").replace('"', '\\"')) for name, value in sorted(labels.items())
    )


def promtool_test(tmp_path, tests):
    """Run tests of the shipped rules."""
    path = tmp_path / "test.yml"
    path.write_text(
        yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}, width=1000)
    )
    return promtool.run("test", "rules", str(path))


def comparison(alerts):
    """Return a test that exactly these alerts fire, each with its subject."""
    return {
        "expr": "max by (instance, check, severity, subject) "
        '(ALERTS{alertstate="firing",alertname!~"LifelineMetrics.*"})',
        "eval_time": "3m",
        "exp_samples": [{"labels": described(alert), "value": 1} for alert in sorted(alerts)],
    }


def test_the_rules_fire_exactly_on_the_findings_of_health(tmp_path):
    inputs, alerts = [], set()
    for name in samples.NAMES:
        found = samples.sources(name)
        for kind, layer in layers(found):
            told, instance = samples.settings(layer), f"{name}, {kind}"
            inputs += series(samples.text(found, told), instance)
            alerts |= expected(instance, found, told)
    assert {check for _instance, check, *_rest in alerts} == {rule.check for rule in rules.RULES}
    assert not [alert for alert in alerts if alert[0].endswith(", none")]
    content, said = promtool_test(
        tmp_path, [{"interval": "1m", "input_series": inputs, "promql_expr_test": [comparison(alerts)]}]
    )
    assert content, said


# --- the metrics' own trouble ---


def test_stale_missing_and_incomplete_metrics_raise_alerts(tmp_path):
    """Time starts at 0: what was written then is 5 intervals old after 5 minutes, and one host is silent after 30."""
    label = '{instance="%s",job="node"}'
    inputs = [
        {"series": name + label % instance, "values": values}
        for name, instance, values in (
            ("lifeline_collector_timestamp_seconds", "stale", "0+0x100"),
            ("lifeline_collector_interval_seconds", "stale", "60+0x100"),
            ("lifeline_collector_timestamp_seconds", "gone", "0+60x30"),
            ("lifeline_collector_interval_seconds", "gone", "60+0x30"),
            ("lifeline_collector_timestamp_seconds", "well", "0+60x100"),
            ("lifeline_collector_interval_seconds", "well", "60+0x100"),
            ("node_textfile_scrape_error", "torn", "1+0x100"),
            ("node_textfile_scrape_error", "well", "0+0x100"),
        )
    ]
    inputs += [
        {
            "series": 'lifeline_collector_success{collector="disks",instance="%s",job="node"}' % instance,
            "values": values,
        }
        for instance, values in (("partly", "0+0x100"), ("well", "1+0x100"))
    ]

    def firing(minutes, *instances):
        return {
            "expr": 'count by (alertname, instance) (ALERTS{alertstate="firing"})',
            "eval_time": f"{minutes}m",
            "exp_samples": [{"labels": '{alertname="%s",instance="%s"}' % pair, "value": 1} for pair in instances],
        }

    later = [("LifelineTextfileError", "torn"), ("LifelineMetricsIncomplete", "partly")]
    content, said = promtool_test(
        tmp_path,
        [
            {
                "interval": "1m",
                "input_series": inputs,
                "promql_expr_test": [
                    firing(4),
                    firing(5, *later),
                    firing(6, ("LifelineMetricsStale", "stale"), *later),
                    firing(80, ("LifelineMetricsStale", "stale"), ("LifelineMetricsGone", "gone"), *later),
                ],
            }
        ],
    )
    assert content, said


def test_an_alert_names_the_problem_and_the_place(tmp_path):
    """The target's other labels are kept in the alert."""
    target = {"instance": "c1:9100", "job": "node", "region": "eu"}
    place = {"check": "disk_used_percent", "subject": "/data", **target}
    inputs = [
        {"series": "%s{%s}" % (name, ",".join('%s="%s"' % label for label in labels.items())), "values": values}
        for name, labels, values in (("lifeline_finding", {**place, "severity": "critical"}, "_ 95+0x10"),)
    ]
    alert = {
        "exp_labels": {**place, "severity": "critical"},
        "exp_annotations": {"summary": "c1:9100: /data is 95 % full"},
    }
    lesser = {**alert, "exp_labels": {**place, "severity": "warning"}}
    content, said = promtool_test(
        tmp_path,
        [
            {
                "interval": "1m",
                "input_series": inputs,
                "alert_rule_test": [
                    {"alertname": "LifelineDiskUsed", "eval_time": "2m", "exp_alerts": []},
                    {"alertname": "LifelineDiskUsed", "eval_time": "3m", "exp_alerts": [alert, lesser]},
                ],
            }
        ],
    )
    assert content, said
