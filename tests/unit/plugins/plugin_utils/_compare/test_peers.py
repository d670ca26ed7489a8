# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
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
    assert (
        finding["message"] == "dying is 5 times slower than its peers: 2260 in an hour, and by them it would be 11300"
    )
    assert judge({**FLEET, "slow": 2400}) == []


def test_the_worst_comes_first_and_nothing_is_worst():
    findings = judge({**FLEET, "a": 1000, "b": 100, "c": 0, "d": None})
    assert [(finding["subject"], finding["severity"]) for finding in findings] == [
        ("c", "critical"),
        ("b", "critical"),
        ("a", "warning"),
    ]
    assert findings[0]["message"].startswith("c gets nothing done")


def test_a_box_with_half_the_threads_may_do_half():
    threads = {**dict.fromkeys(FLEET, 50), "small": 5}
    assert judge({**FLEET, "small": 1100}, per=threads) == []
    (finding,) = judge({**FLEET, "small": 200}, per=threads)
    assert finding["value"] == 5.65


def test_one_that_is_far_off_does_not_move_what_it_is_held_against():
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
    ("rates", "options", "words"),
    [
        ([1], {}, ["dictionaries"]),
        ({"a": "many"}, {}, ["the rate of a", "'many'"]),
        ({"a": -1}, {}, ["the rate of a is -1"]),
        ({"a": float("nan")}, {}, ["nan"]),
        ({"a": 1}, {"per": {}}, ["the rate of a"]),
        ({"a": 1}, {"per": {"a": 0}}, ["divided by 0"]),
        ({"a": 1}, {"warning": 1}, ["warning is 1"]),
        ({"a": 1}, {"warning": 30}, ["warning is 30 and critical 20"]),
    ],
)
def test_what_cannot_be_compared_is_named(rates, options, words):
    with pytest.raises(SettingsError) as caught:
        judge(rates, **options)
    for word in words:
        assert word in str(caught.value)
