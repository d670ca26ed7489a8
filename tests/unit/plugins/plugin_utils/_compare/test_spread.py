# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers that stand out, and states that differ."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare import spread

numbers = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), st.integers(0, 1 << 40), max_size=12)
state = st.dictionaries(
    st.sampled_from(["kernel", "package:x", "package:y", "gem:z"]), st.sampled_from(["1", "2", "3"])
)
states = st.dictionaries(st.sampled_from([*"abcdef"]), state, min_size=1)


def boxes(found):
    return [outlier.box for outlier in found[0]]


def named(values):
    return {f"box{number}": value for number, value in enumerate(values)}


def test_two_that_hide_each_other_from_a_plain_z_score():
    """The median is 2.45 and the MAD 0.15, so 8.3 is 5.85 away and scores 0.6745 * 5.85 / 0.15."""
    values = named([2.1, 2.6, 2.4, 2.5, 2.3, 2.1, 2.3, 2.6, 8.2, 8.3])
    found, median = spread.outliers(values)
    assert median == 2.45
    assert {outlier.box: round(outlier.score, 2) for outlier in found} == {"box8": 25.86, "box9": 26.31}
    assert found[0].box == "box9"
    assert max(abs(value - statistics.mean(values.values())) for value in values.values()) < 3 * statistics.stdev(
        values.values()
    )


def test_if_most_are_the_same_each_other_value_is_an_outlier():
    found, median = spread.outliers(named([100, 100, 100, 100, 100, 120, 70]))
    assert median == 100
    assert [(outlier.box, outlier.score) for outlier in found] == [("box6", None), ("box5", None)]


def test_a_value_near_the_median_is_no_outlier_however_similar_the_others_are():
    assert boxes(spread.outliers(named([100, 100, 100, 100, 105]))) == []
    assert boxes(spread.outliers(named([1000, 1001, 1002, 1003, 1050]))) == []
    assert boxes(spread.outliers(named([1000, 1001, 1002, 1003, 1050]), floor=1)) == ["box4"]


def test_a_distance_that_does_not_matter():
    assert boxes(spread.outliers(named([0, 0, 0, 4096]), distance=spread.least("swap_used_bytes"))) == []
    assert boxes(spread.outliers(named([0, 0, 0, 1 << 30]), distance=spread.least("swap_used_bytes"))) == ["box3"]
    assert boxes(spread.outliers(named([0, 0, 0, 1]), distance=spread.least("oom_kills_since_boot"))) == ["box3"]


def test_too_few_hosts_have_no_outliers():
    assert spread.outliers(named([1, 1, 1000])) == ([], 1)
    assert spread.outliers({}) == ([], None)


@given(numbers)
def test_most_hosts_never_stand_out(values):
    assert len(spread.outliers(values)[0]) <= len(values) / 2


@given(numbers, st.integers(0, 20))
def test_neither_order_nor_unit_matters(values, power):
    turned = dict(reversed(values.items()))
    assert boxes(spread.outliers(values)) == boxes(spread.outliers(turned))
    scaled = {box: value * 2**power for box, value in values.items()}
    assert boxes(spread.outliers(values)) == boxes(spread.outliers(scaled))


@given(numbers, st.floats(0.1, 20), st.floats(0, 200))
def test_an_outlier_is_what_its_definition_says(values, score, floor):
    found, median = spread.outliers(values, score, floor)
    for outlier in found:
        away = abs(values[outlier.box] - median)
        mad = statistics.median(abs(value - median) for value in values.values())
        assert away > abs(median) * floor / 100
        assert outlier.score is None if mad == 0 else 0.6745 * away / mad > score
    # A host that is as far away as an outlier is an outlier.
    least = min((abs(outlier.value - median) for outlier in found), default=float("inf"))
    assert {box for box, value in values.items() if abs(value - median) >= least} == set(boxes((found,)))


def difference(states, **options):
    return {
        one.name: {value: list(boxes) for value, boxes in one.values} for one in spread.differences(states, **options)
    }


def test_the_most_frequent_value_comes_first():
    found = spread.differences({"a": {"kernel": "1"}, "b": {"kernel": "2"}, "c": {"kernel": "2"}, "d": {"kernel": "3"}})
    assert [one.values for one in found] == [(("2", ("b", "c")), ("1", ("a",)), ("3", ("d",)))]
    assert spread.majority(found[0]) == ("b", "c")


def test_two_that_differ_have_no_majority():
    found = spread.differences({"a": {"kernel": "1"}, "b": {"kernel": "2"}})
    assert spread.majority(found[0]) == ()


def test_a_missing_name_counts_only_if_all_of_its_kind_were_read():
    read = {"a": {"package:x": "1"}, "b": {}, "c": {}}
    assert difference(read) == {}
    assert difference(read, whole={"b": ("package:",)}) == {"package:x": {"1": ["a"], None: ["b"]}}


def test_ignored_names_may_differ():
    read = {"a": {"package:x": "1", "kernel": "1"}, "b": {"package:x": "2", "kernel": "2"}}
    assert set(difference(read, ignored=["package:*"])) == {"kernel"}


def test_parts_of_a_value_are_compared_by_themselves():
    root = {"device": "/dev/sda1", "type": "ext4", "size_bytes": 20 << 30, "read_only": False}
    read = {"a": {"filesystem:/": root}, "b": {"filesystem:/": {**root, "device": "/dev/vda1", "size_bytes": 40 << 30}}}
    assert difference(read) == {"filesystem:/:size_bytes": {20 << 30: ["a"], 40 << 30: ["b"]}}


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("sysctl:kernel.threads-max", "192730", "192726", True),
        ("sysctl:kernel.threads-max", "192730", "96365", False),
        ("sysctl:net.ipv4.tcp_mem", "284424 379235 568848", "284500 379300 568900", True),
        ("sysctl:net.ipv4.tcp_mem", "284424 379235 568848", "284424 379235", False),
        ("sysctl:vm.swappiness", "60", "61", False),
        ("limit:sshd:nproc", "96365:96365", "96300:96300", True),
        ("limit:sshd:nproc", "96365:96365", "unlimited", False),
        ("limit:sshd:nofile", "1024:524288", "1024:524287", False),
        ("memory_bytes", 25 << 30, (25 << 30) - 4096, True),
        ("memory_bytes", 25 << 30, None, False),
    ],
)
def test_values_computed_from_the_size_of_the_memory_are_alike(name, one, other, same):
    assert spread.alike(name, one, other) is same
    assert spread.alike(name, other, one) is same
    assert bool(difference({"a": {name: one}, "b": {name: other}}, whole={"a": ("",), "b": ("",)})) is not same


@given(states)
def test_each_host_is_there_once_and_with_its_own_value(read):
    for one in spread.differences(read, dict.fromkeys(read, ("package:", "gem:"))):
        told = [box for _value, boxes in one.values for box in boxes]
        assert len(told) == len(set(told))
        for value, having in one.values:
            assert all(read[box].get(one.name) == value for box in having)
        assert len({value for value, _boxes in one.values}) == len(one.values) > 1


@given(states)
def test_the_same_everywhere_is_no_difference(read):
    state = next(iter(read.values()))
    assert spread.differences(dict.fromkeys(read, state)) == []


def test_changes_are_split_as_differences_are():
    root = {"device": "/dev/sda1", "size_bytes": 20 << 30}
    changed = [
        (1, "kernel", "1", "2"),
        (2, "sysctl:kernel.threads-max", "192730", "192726"),
        (3, "package:x", None, "1"),
        (4, "filesystem:/", root, {**root, "device": "/dev/vda1"}),
        (5, "filesystem:/", root, {**root, "size_bytes": 40 << 30}),
        (6, "filesystem:/data", {"size_bytes": 1}, None),
    ]
    assert spread.changes(changed, ["package:*"]) == [
        (1, "kernel", "1", "2"),
        (5, "filesystem:/:size_bytes", 20 << 30, 40 << 30),
        (6, "filesystem:/data:size_bytes", 1, None),
    ]
