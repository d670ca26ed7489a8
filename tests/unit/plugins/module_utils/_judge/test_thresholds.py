# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import thresholds


def test_each_layer_names_only_what_differs():
    merged = thresholds.merge(
        [
            ("lifeline_thresholds of all", {"disk_used_percent": {"warning": 85}}),
            ("lifeline_thresholds of web", {"disk_used_percent": {"critical": 92}, "load_per_cpu": {"warning": 1.5}}),
            (
                "lifeline_thresholds of web1",
                {"disk_used_percent": {"warning": None}, "inodes_used_percent": {"critical": "97%"}},
            ),
        ]
    )
    assert merged["disk_used_percent"] == {"warning": None, "critical": 92}
    assert merged["load_per_cpu"] == {"warning": 1.5, "critical": 8}
    assert merged["inodes_used_percent"] == {"warning": 90, "critical": 97}
    assert merged["swap_used_percent"] == {"warning": 50, "critical": 80}


def test_the_defaults_themselves_are_in_order_and_left_as_they_are():
    assert thresholds.merge([]) == thresholds.defaults()
    thresholds.merge([("a", {"oom_kills": {"warning": 2}})])
    assert thresholds.merge([])["oom_kills"] == {"warning": 1, "critical": 5}


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"disc_used": {"warning": 1}}, ["web1", "unknown check ('disc_used')", "disk_used_percent"]),
        ({"disk_used_percent": {"warn": 80}}, ["web1", "disk_used_percent", "'warn'", "warning or critical"]),
        (
            {"disk_used_percent": {"warning": "much"}},
            ["web1", "disk_used_percent.warning", "'much'", "a number of percent"],
        ),
        ({"disk_used_percent": {"warning": True}}, ["disk_used_percent.warning", "True"]),
        ({"disk_used_percent": {"warning": -1}}, ["disk_used_percent.warning", "-1", "0 or more"]),
        ({"disk_used_percent": {"warning": "nan"}}, ["disk_used_percent.warning", "'nan'"]),
        ({"disk_used_percent": {"warning": [80]}}, ["disk_used_percent.warning", "[80]"]),
        ({"oom_kills": {"warning": "50%"}}, ["oom_kills.warning", "'50%'", "a number, 0 or more"]),
        ({"memory_available_percent": {"warning": 101}}, ["memory_available_percent.warning", "101", "100 %"]),
        (
            {"disk_used_percent": 80},
            ["disk_used_percent", "80", "not a dictionary (80); give warning, critical or both"],
        ),
        ("disk_used_percent=80", ["web1", "'disk_used_percent=80'", "not a dictionary"]),
        (
            {"disk_used_percent": {"warning": 96}},
            ["disk_used_percent.warning: beyond critical (96, with critical 95)", "below it"],
        ),
        (
            {"memory_available_percent": {"warning": 5}},
            ["memory_available_percent.warning: beyond critical (5, with critical 10)", "above it"],
        ),
    ],
)
def test_what_cannot_be_followed_is_named(layer, words):
    with pytest.raises(SettingsError) as caught:
        thresholds.merge([("lifeline_thresholds of web1", layer)])
    for word in words:
        assert word in str(caught.value)


def test_layers_that_are_in_order_only_together_are_taken_together():
    merged = thresholds.merge(
        [
            ("all", {"disk_used_percent": {"critical": 99}}),
            ("host", {"disk_used_percent": {"warning": 97}}),
        ]
    )
    assert merged["disk_used_percent"] == {"warning": 97, "critical": 99}


@pytest.mark.parametrize(
    ("name", "at", "short_of"), [("disk_used_percent", 90, 89.99), ("memory_available_percent", 25, 25.01)]
)
def test_a_check_strikes_when_its_value_reaches_the_threshold(name, at, short_of):
    check = thresholds.CHECKS[name]
    assert check.reached(at, check.warning)
    assert not check.reached(short_of, check.warning)


def test_the_order_of_urgency_names_checks():
    assert set(thresholds.SOONEST) <= set(thresholds.CHECKS)
    assert len(set(thresholds.SOONEST)) == len(thresholds.SOONEST)
    assert thresholds.urgency("sshd_missing") < thresholds.urgency("disk_used_percent") < thresholds.urgency("zombies")
