# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that get far less done than their peers."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare.peers import judge

FLEET = {f"crawler{number}": 11000 + 100 * number for number in range(8)}


def test_a_fifth_of_its_peers_is_a_finding():
    (finding,) = judge({**FLEET, "dying": 2260})
    assert (finding["subject"], finding["severity"], finding["value"], finding["threshold"]) == (
        "dying",
        "warning",
        5,
        5,
    )
    assert finding["message"] == "dying is 5 times slower than its peers: 2260 in an hour; they would have done 11300"
    assert judge({**FLEET, "slow": 2400}) == []


def test_the_slowest_comes_first():
    findings = judge({**FLEET, "a": 1000, "b": 100, "c": 0, "d": None})
    assert [(finding["subject"], finding["severity"]) for finding in findings] == [
        ("c", "critical"),
        ("b", "critical"),
        ("a", "warning"),
    ]
    assert findings[0]["message"] == "c got nothing done in an hour; its peers would have done 11200"


def test_a_host_with_a_tenth_of_the_threads_may_do_a_tenth():
    threads = {**dict.fromkeys(FLEET, 50), "small": 5}
    assert judge({**FLEET, "small": 1100}, per=threads) == []
    (finding,) = judge({**FLEET, "small": 200}, per=threads)
    assert finding["value"] == 5.65


def test_a_host_does_not_move_the_median_that_it_is_compared_with():
    (finding,) = judge({"a": 1000, "b": 1000, "c": 10})
    assert finding["subject"] == "c"
    assert judge({"a": 1000, "b": 1000, "c": 900000}) == []


@pytest.mark.parametrize(
    "rates", [{}, {"a": 1}, {"a": 1000, "b": 1}, {"a": 1000, "b": 1, "c": None}, {"a": 0, "b": 0, "c": 0}]
)
def test_too_few_to_tell(rates):
    assert judge(rates) == []


def test_a_few_rows_an_hour_are_too_few_to_tell():
    assert judge({"a": 10, "b": 10, "c": 1}) == []


@pytest.mark.parametrize(
    ("rates", "options", "message"),
    [
        ([1], {}, "rates: not a dictionary ([1]); give numbers by the box's name, as in {web3: 50}"),
        ({"a": 1}, {"per": [1]}, "per: not a dictionary ([1]); give numbers by the box's name, as in {web3: 50}"),
        ({"a": "many"}, {}, "the rate of a: not a number of 0 or more ('many'); correct it"),
        ({"a": -1}, {}, "the rate of a: not a number of 0 or more (-1); correct it"),
        ({"a": True}, {}, "the rate of a: not a number of 0 or more (True); correct it"),
        ({"a": [1]}, {}, "the rate of a: not a number of 0 or more ([1]); correct it"),
        ({"a": float("nan")}, {}, "the rate of a: not a number of 0 or more (nan); correct it"),
        ({"a": 10**400}, {}, f"the rate of a: not a number of 0 or more ({10**400}); correct it"),
        ({"a": 1}, {"per": {}}, "per: no number for a box (a); give a number above 0 for each box"),
        ({"a": 1}, {"per": {"a": 0}}, "per: a: not a divisor (0); give a number above 0"),
        ({"a": 1}, {"warning": 1}, "warning: out of range (1); use more than 1 and at most critical (20)"),
        ({"a": 1}, {"warning": 30}, "warning: out of range (30); use more than 1 and at most critical (20)"),
        ({"a": 1}, {"critical": "x"}, "critical: not a number of 0 or more ('x'); correct it"),
    ],
)
def test_an_error_names_the_value(rates, options, message):
    with pytest.raises(SettingsError) as caught:
        judge(rates, **options)
    assert str(caught.value) == message
