# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules by which Prometheus alerts where health would: a rule for each check and severity.

No rule has a number in it. The thresholds are metrics of the box itself, so that the rules are the same for boxes that are judged
differently, and a level that is switched off has no series to compare with.
"""

from __future__ import annotations

from typing import NamedTuple

import yaml

from ansible_collections.lifeline.fleet.plugins.module_utils._judge.thresholds import CHECKS, LEVELS

_HEADER = """\
# SPDX-License-Identifier: GPL-3.0-or-later
---
# Rules for Prometheus that alert where lifeline.fleet.health would, by the thresholds that each box exports.
# Made by python -m metrics, in the folder tests.
"""
# What may pass within the minute is looked at again.
_LASTS = "2m"


class Rule(NamedTuple):
    """V(value) is what is held against the threshold, V(label) the one that names whose it is, V(lasts) whether it has to last."""

    check: str
    value: str
    summary: str
    label: str = ""
    lasts: bool = True


def _writable(metric):
    return f"({metric} unless (lifeline_filesystem_read_only == 1 or lifeline_filesystem_always_full == 1))"


_PERCENT = "{{ $value | humanizePercentage }}"

RULES = (
    Rule(
        "memory_available_percent",
        "lifeline_memory_limit_available_ratio",
        f"only {_PERCENT} of the memory is available",
    ),
    Rule(
        "memory_pressure_percent",
        'lifeline_pressure_ratio{resource="memory",tasks="full"}',
        f"everything stood still {_PERCENT} of the last minute, waiting for memory",
    ),
    Rule("swap_used_percent", "lifeline_swap_used_ratio", f"{_PERCENT} of the swap is in use"),
    Rule(
        "slab_unreclaimable_percent",
        "lifeline_memory_slab_unreclaimable_ratio",
        f"the kernel itself holds {_PERCENT} of the RAM and can't give it back",
    ),
    Rule(
        "disk_used_percent",
        _writable("lifeline_filesystem_used_ratio"),
        "{{ $labels.mountpoint }} is %s full" % _PERCENT,
        "mountpoint",
    ),
    Rule(
        "inodes_used_percent",
        _writable("lifeline_filesystem_inodes_used_ratio"),
        "{{ $labels.mountpoint }} has used %s of its inodes" % _PERCENT,
        "mountpoint",
    ),
    Rule("disks_hung", "(lifeline_filesystem_hung == 1)", "{{ $labels.mountpoint }} doesn't answer", "mountpoint"),
    Rule(
        "root_read_only",
        '(lifeline_filesystem_read_only{mountpoint="/"} == 1 unless lifeline_filesystem_always_full == 1)',
        "the root file system is read-only",
        "mountpoint",
        lasts=False,
    ),
    Rule("fds_used_percent", "lifeline_fds_used_ratio", f"{_PERCENT} of the system's descriptors are open"),
    Rule(
        "process_fds_used_percent",
        "lifeline_process_fds_used_ratio",
        "{{ $labels.process }} has %s of its descriptors open" % _PERCENT,
        "process",
    ),
    Rule(
        "fd_limits_above_maximum",
        "(lifeline_fd_limits_above_maximum > 0)",
        "{{ $value }} processes may open more descriptors than the whole system has",
        lasts=False,
    ),
    Rule("oom_kills", "(lifeline_oom_kills_recent > 0)", "{{ $value }} OOM kills of late", lasts=False),
    Rule("workers_missing", "(lifeline_worker_missing == 1)", "worker {{ $labels.worker }} is not running", "worker"),
    Rule(
        "workers_given_up",
        "(lifeline_worker_given_up == 1)",
        "the watchdog has given up on {{ $labels.worker }}",
        "worker",
        lasts=False,
    ),
    Rule(
        "worker_memory_percent",
        "lifeline_worker_memory_used_ratio",
        "{{ $labels.worker }} uses %s of its memory" % _PERCENT,
        "worker",
    ),
    Rule(
        "worker_allowance_percent",
        "lifeline_worker_memory_limit_ratio",
        "{{ $labels.worker }} may use %s of the box: it can never strike" % _PERCENT,
        "worker",
        lasts=False,
    ),
    Rule("sshd_killable", "(lifeline_sshd_killable > 0)", "sshd is open to the OOM killer", lasts=False),
    Rule("load_per_cpu", 'lifeline_load_per_cpu{window="5m"}', "load {{ $value }} a CPU"),
    Rule("steal_percent", 'lifeline_cpu_ratio{mode="steal"}', f"{_PERCENT} of the CPU time went to other machines"),
)

# What listens changes when somebody installs something, and to find out takes a look at every descriptor: not by the minute. A box
# has no history of its own, and Prometheus foretells by itself.
NOT_EXPORTED = {"services_unexpected", "forecast_minutes", "disk_forecast_minutes"}

# Whether the metrics themselves can be believed.
_OWN = (
    (
        "LifelineMetricsStale",
        "time() - lifeline_collector_timestamp_seconds > 5 * lifeline_collector_interval_seconds",
        None,
        "the metrics are {{ $value | humanizeDuration }} old: lifeline-metrics.service fails",
    ),
    (
        "LifelineMetricsGone",
        "lifeline_collector_timestamp_seconds offset 1h unless lifeline_collector_timestamp_seconds",
        "15m",
        "the box told how it is an hour ago, and doesn't now",
    ),
    ("LifelineMetricsIncomplete", "lifeline_collector_success == 0", "5m", "{{ $labels.collector }} could not be read"),
    (
        "LifelineTextfileError",
        "node_textfile_scrape_error == 1",
        "5m",
        "node_exporter can't read a file of its textfile directory",
    ),
)


def text():
    """The file of rules."""
    groups = {
        "groups": [
            {"name": "lifeline", "rules": [_rule(rule, severity) for rule in RULES for severity in LEVELS]},
            {"name": "lifeline_metrics", "rules": [_own(*rule) for rule in _OWN]},
        ]
    }
    return _HEADER + yaml.dump(groups, Dumper=_Indented, sort_keys=False, width=1000, allow_unicode=True)


class _Indented(yaml.SafeDumper):
    """Lists are indented, as yamllint wants them."""

    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)


# An expression has a line for each side.
_Indented.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def alert(check):
    words = check.replace("_percent", "").split("_")
    return "Lifeline" + "".join(word.capitalize() for word in words)


def _rule(rule, severity):
    check = CHECKS[rule.check]
    threshold = "lifeline_threshold_ratio" if check.unit == "%" else "lifeline_threshold"
    return {
        "alert": alert(rule.check),
        "expr": '%s\n%s on (job, instance) group_left () %s{check="%s",severity="%s"}'
        % (rule.value, "<=" if check.falling else ">=", threshold, rule.check, severity),
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
