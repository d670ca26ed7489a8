# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The number of hosts that may be away at the same time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue.batches import batches


def boxes(count):
    return [f"b{number}" for number in range(count)]


def test_no_batch_is_larger_than_asked_for():
    assert batches(boxes(5), [], {"all": boxes(100)}, 2, 25) == ([["b0", "b1"], ["b2", "b3"], ["b4"]], {})


def test_a_group_gives_no_more_than_its_share():
    made, left = batches(boxes(3), [], {"all": boxes(8), "web": boxes(8)}, 10, 25)
    assert (made, left) == ([["b0", "b1"], ["b2"]], {})


def test_a_small_group_gives_one():
    assert batches(["b0", "b1"], [], {"web": boxes(2)}, 10, 25) == ([["b0"], ["b1"]], {})


def test_boxes_that_are_down_count():
    made, left = batches(["b0"], ["b7"], {"web": boxes(8)}, 10, 25)
    assert (made, left) == ([["b0"]], {})
    made, left = batches(["b0"], ["b6", "b7"], {"web": boxes(8)}, 10, 25)
    assert made == []
    assert (
        left["b0"]
        == "2 of the 8 boxes of web are away already (b6, b7), and at most 2 may be (lifeline_rescue_share: 25 %)"
    )


def test_the_narrowest_group_decides():
    groups = {"all": boxes(8), "web": boxes(8), "front": ["b0", "b1"], "down": ["b7"]}
    made, left = batches(["b0", "b1", "b2"], [], groups, 10, 50)
    assert (made, left) == ([["b0", "b2"], ["b1"]], {})


def test_all_counts_only_for_hosts_in_no_other_group():
    groups = {"all": boxes(4), "web": ["b0", "b1"], "ungrouped": ["b2", "b3"]}
    assert batches(["b0", "b2"], [], groups, 10, 25)[0] == [["b0", "b2"]]
    assert batches(["b2", "b3"], [], groups, 10, 25)[0] == [["b2"], ["b3"]]


@pytest.mark.parametrize(
    ("serial", "share", "named"),
    [
        (0, 25, "lifeline_rescue_serial: too small (0); use 1 or more boxes"),
        ("many", 25, "lifeline_rescue_serial: not a whole number ('many'); use 1 or more boxes"),
        (True, 25, "lifeline_rescue_serial: not a whole number (True); use 1 or more boxes"),
        (2, 0, "lifeline_rescue_share: out of range (0); use more than 0 and at most 100 percent"),
        (2, "101%", "lifeline_rescue_share: out of range ('101%'); use more than 0 and at most 100 percent"),
        (2, "a third", "lifeline_rescue_share: not a number ('a third'); use more than 0 and at most 100 percent"),
        (2, float("nan"), "lifeline_rescue_share: not a number (nan); use more than 0 and at most 100 percent"),
        (2, True, "lifeline_rescue_share: not a number (True); use more than 0 and at most 100 percent"),
    ],
)
def test_a_setting_that_makes_no_sense_is_an_error(serial, share, named):
    with pytest.raises(SettingsError, match=re.escape(named)):
        batches([], [], {}, serial, share)


@pytest.mark.parametrize("share", ["25", "25%", " 25 ", 25.0])
def test_a_share_as_people_write_it(share):
    assert batches(["b0"], [], {"web": boxes(8)}, "2", share) == ([["b0"]], {})


@given(st.data())
def test_never_more_than_allowed(data):
    fleet = boxes(data.draw(st.integers(1, 30)))
    some = st.lists(st.sampled_from(fleet), unique=True)
    groups = {"all": fleet, **{f"g{number}": data.draw(some) for number in range(3)}}
    away, serial, share = data.draw(some), data.draw(st.integers(1, 5)), data.draw(st.integers(1, 100))
    wanted = [box for box in data.draw(some) if box not in away]
    made, left = batches(wanted, away, groups, serial, share)
    assert sorted([box for batch in made for box in batch] + list(left)) == sorted(wanted)
    for batch in made:
        assert 0 < len(batch) <= serial
        for name in ("g0", "g1", "g2"):
            gone = set(groups[name]) & (set(batch) | set(away))
            assert not set(groups[name]) & set(batch) or len(gone) <= max(1, len(groups[name]) * share / 100)
