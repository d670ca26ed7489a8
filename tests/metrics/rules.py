# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the rules by which Prometheus alerts where health would: a rule for each check and severity.

No rule has a number in it. The host itself judges, by its own thresholds, and exports the findings: health and Prometheus
cannot disagree.
"""

from __future__ import annotations

from typing import NamedTuple

import yaml

from ansible_collections.lifeline.fleet.plugins.module_utils._judge.thresholds import COMPANIONS, LEVELS

_HEADER = """\
# SPDX-License-Identifier: GPL-3.0-or-later
---
# Rules for Prometheus that alert where lifeline.fleet.health would, by the findings that each box exports.
# Made by python -m metrics, in the folder tests.
"""
# A state that may pass within the minute must last.
_LASTS = "2m"


class Rule(NamedTuple):
    """One check: `summary` is the alert's text, and `lasts` tells whether the finding has to last."""

    check: str
    summary: str
    lasts: bool = True


_VALUE = "{{ $value }}"
_SUBJECT = "{{ $labels.subject }}"

RULES = (
    Rule("memory_available_percent", f"only {_VALUE} % of the memory is available"),
    Rule("memory_pressure_percent", f"everything stood still {_VALUE} % of the last minute, waiting for memory"),
    Rule("memory_committed_percent", f"{_VALUE} % of the memory that the kernel promises is promised"),
    Rule("swap_used_percent", f"{_VALUE} % of the swap is in use"),
    Rule("slab_unreclaimable_percent", f"the kernel itself holds {_VALUE} % of the RAM and can't give it back"),
    Rule("disk_used_percent", f"{_SUBJECT} is {_VALUE} % full"),
    Rule("inodes_used_percent", f"{_SUBJECT} has used {_VALUE} % of its inodes"),
    Rule("disks_hung", f"{_SUBJECT} doesn't answer"),
    Rule("login_disks_hung", f"each login waits for {_SUBJECT}, which doesn't answer"),
    Rule("disks_failed", f"{_SUBJECT} answers with an error"),
    Rule("disks_read_only", f"{_SUBJECT} has become read-only", lasts=False),
    Rule("root_read_only", "the root file system has become read-only", lasts=False),
    Rule("fds_used_percent", f"{_VALUE} % of the system's descriptors are open"),
    Rule("process_fds_used_percent", f"{_SUBJECT} has {_VALUE} % of its descriptors open"),
    Rule(
        "fd_limits_above_maximum",
        f"{_VALUE} processes may open more descriptors than the whole system has",
        lasts=False,
    ),
    Rule("oom_kills", f"{_VALUE} OOM kills of late", lasts=False),
    Rule("workers_missing", f"worker {_SUBJECT} is not running"),
    Rule("workers_given_up", f"the watchdog has given up on {_SUBJECT}", lasts=False),
    Rule("worker_memory_percent", f"{_SUBJECT} uses {_VALUE} % of its memory"),
    Rule(
        "worker_allowance_percent",
        f"{_SUBJECT} may use {_VALUE} % of the box: that limit can never strike",
        lasts=False,
    ),
    Rule("sshd_missing", "no sshd waits for connections"),
    Rule("sshd_killed", "the kernel has killed sshd", lasts=False),
    Rule("sshd_drops_percent", f"sshd drops {_VALUE} % of new connections"),
    Rule("sshd_killable", "sshd is open to the OOM killer", lasts=False),
    Rule("logins_refused", f"{_SUBJECT} is there: only root may log in"),
    Rule("pids_used_percent", f"{_VALUE} % of the process numbers are in use"),
    Rule("conntrack_used_percent", f"{_VALUE} % of the connection tracking table is in use"),
    Rule("ptys_used_percent", f"{_VALUE} % of the terminals are in use"),
    Rule("io_pressure_percent", f"everything stood still {_VALUE} % of the last minute, waiting for a disk"),
    Rule("load_per_cpu", f"load {_VALUE} per CPU"),
)

# What listens changes when somebody installs something, and to find out takes a look at every descriptor: not by the minute. A box
# has no history of its own, and Prometheus foretells by itself.
# Steal is judged between two readings, and a companion strikes only together with its share.
NOT_EXPORTED = {
    "services_unexpected",
    "forecast_minutes",
    "disk_forecast_minutes",
    "steal_percent",
    *COMPANIONS.values(),
}

# Alerts on the metrics themselves.
_OWN = (
    (
        "LifelineMetricsStale",
        "time() - lifeline_collector_timestamp_seconds > 5 * lifeline_collector_interval_seconds",
        None,
        "the metrics are {{ $value | humanizeDuration }} old; check lifeline-metrics.service",
    ),
    (
        "LifelineMetricsGone",
        "lifeline_collector_timestamp_seconds offset 1h unless lifeline_collector_timestamp_seconds",
        "15m",
        "the host exported metrics an hour ago, and does not now",
    ),
    ("LifelineMetricsIncomplete", "lifeline_collector_success == 0", "5m", "{{ $labels.collector }} could not be read"),
    (
        "LifelineTextfileError",
        "node_textfile_scrape_error == 1",
        "5m",
        "node_exporter cannot read a file in its textfile directory",
    ),
)


def text():
    """Return the file of rules."""
    groups = {
        "groups": [
            {"name": "lifeline", "rules": [_rule(rule, severity) for rule in RULES for severity in LEVELS]},
            {"name": "lifeline_metrics", "rules": [_own(*rule) for rule in _OWN]},
        ]
    }
    return _HEADER + yaml.dump(groups, Dumper=_Indented, sort_keys=False, width=1000, allow_unicode=True)


class _Indented(yaml.SafeDumper):
    """A dumper that indents lists, as yamllint demands."""

    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)


# An expression has one line for each side of its comparison.
_Indented.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def alert(check):
    """Return the alert's name for a check."""
    words = check.replace("_percent", "").split("_")
    return "Lifeline" + "".join(word.capitalize() for word in words)


def _rule(rule, severity):
    # What is critical was worth a warning as well, and stays one alert when its severity changes.
    severities = ',severity="critical"' if severity == "critical" else ""
    return {
        "alert": alert(rule.check),
        "expr": f'max without (severity) (lifeline_finding{{check="{rule.check}"{severities}}})',
        **({"for": _LASTS} if rule.lasts else {}),
        "labels": {"severity": severity, "check": rule.check},
        "annotations": {"summary": "{{ $labels.instance }}: " + rule.summary},
    }


def _own(name, expression, lasts, summary):
    return {
        "alert": name,
        "expr": expression,
        **({"for": lasts} if lasts else {}),
        "labels": {"severity": "warning"},
        "annotations": {"summary": "{{ $labels.instance }}: " + summary},
    }
