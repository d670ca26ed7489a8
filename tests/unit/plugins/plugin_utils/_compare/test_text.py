# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A comparison as text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare import comparison, text as compare_text
from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare.comparison import Read

WHOLE = ("package:", "gem:")


def fleet(count, **states):
    """Return hosts that are the same but for the states of some of them."""
    return {
        f"web{number}": Read(
            numbers={("memory_used_bytes", ""): (50 + number) << 20},
            whole=WHOLE,
            state={"kernel": "6.1", "package:openssl": "3.0.15", **states.get(f"web{number}", {})},
        )
        for number in range(1, count + 1)
    }


def told(boxes, width=100, since=None, unreachable=(), **settings):
    report = {
        "made": None,
        "since": since,
        "unreachable": list(unreachable),
        "groups": comparison.compare([("web", list(boxes))], boxes, **settings),
    }
    assert json.loads(json.dumps(report)) == report
    return "\n".join(compare_text.render(report, width)) + "\n"


def test_hosts_that_are_alike():
    assert (
        told(fleet(4))
        == """web: 4 boxes
============
               web1  web2  web3  web4
  memory used  51M   52M   53M   54M

Outliers: none

What differs: nothing
"""
    )


def test_outliers_and_differences():
    boxes = fleet(
        17,
        web3={"package:openssl": "3.0.11", "package:htop": "3.2.2"},
        web7={"kernel": "5.10"},
        web9={"kernel": "5.10"},
    )
    boxes["web3"].numbers["memory_used_bytes", ""] = 400 << 20
    text = told(boxes)
    assert (
        text
        == """web: 17 boxes
=============
               median  lowest    highest
  memory used  60M     51M web1  400M web3

Outliers:
  web3: memory used 400M; the median of 17 boxes is 60M (score 57.3)

What differs:
  the box itself: 1
    web7, web9, unlike 15 others:
      kernel  5.10 (others 6.1)
  packages: 2
    web3, unlike 16 others:
      htop     3.2.2 (others none)
      openssl  3.0.11 (others 3.0.15)
"""
    )


def test_two_hosts_are_equals():
    text = told(fleet(2, web1={"kernel": "5.10"}))
    assert "Outliers: too few boxes to tell; at least 4 are needed" in text
    assert "    web1 | web2:\n      kernel  5.10 | 6.1\n" in text


def test_more_values_than_two():
    text = told(fleet(5, web1={"kernel": "5.10"}, web2={"kernel": "5.15"}))
    assert "    web1; web2, unlike 3 others:\n      kernel  5.10 | 5.15 (others 6.1)\n" in text


def test_long_lists_are_counted():
    packages = {f"package:p{int(number):03}": "1" for number in range(160)}
    text = told(fleet(40, **{f"web{number}": packages for number in range(1, 11)}))
    assert (
        "  packages: 160\n"
        "    web1, web10, web2, web3, web4, web5 and 4 more, unlike 30 others:\n"
        "      p000  1 (others none)\n"
    ) in text
    assert "      and 152 more\n" in text
    assert "p008" not in text


def test_many_sides_are_counted():
    text = told(fleet(20, **{f"web{number}": {f"package:p{int(number):02}": "1"} for number in range(1, 11)}))
    assert "    and 4 more, between other boxes\n" in text


def test_what_was_not_read_is_named():
    boxes = fleet(2)
    boxes["web2"].whole, boxes["web2"].unread = (), ["packages", "units"]
    assert "What differs: nothing\n  not read, or only in part, on web2: packages, units\n" in told(boxes)


def test_changes_are_sorted_by_host_and_time():
    boxes = fleet(3)
    for number, box in enumerate(boxes.values()):
        box.changed = [(1795262400.0 + 60 * number, "package:openssl", "3.0.11", "3.0.15")]
    boxes["web2"].changed += [(1795266000.0, "unit:cron.service", "enabled, active", None)]
    boxes["web3"].known = 1795262400.0
    text = told(boxes, since="2026-11-20T00:00:00Z")
    assert (
        text.partition("Changed")[2]
        == """ since 2026-11-20T00:00:00Z (the time is when it was first seen):
  web2:
    2026-11-21 13:00  unit cron.service: enabled, active -> none
  all boxes:
    2026-11-21 12:00 to 12:02  package openssl: 3.0.11 -> 3.0.15
  The history of web3 begins at 2026-11-21T12:00:00Z
"""
    )


def test_no_changes():
    boxes = fleet(2)
    assert "Changed" not in told(boxes)
    for box in boxes.values():
        box.changed = []
    assert told(boxes, since="2026-11-20T00:00:00Z").endswith("Changed since 2026-11-20T00:00:00Z: nothing\n")


def test_hosts_that_could_not_be_compared_are_named():
    text = told({}, unreachable=[{"box": "web9", "reason": "Connection refused"}])
    assert text == "Not compared:\n  web9: Connection refused\n"


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("memory_used_bytes", 5 << 30, "5.0G"),
        ("steal_percent", 12.345, "12.3%"),
        ("load_per_cpu", 2.346, "2.35"),
        ("processes", 1234, "1234"),
    ],
)
def test_figures(metric, value, shown):
    assert f"  {shown}\n" in told({"a": Read(numbers={(metric, ""): value})})


def test_a_host_s_text_does_not_control_the_terminal():
    assert "\x1b" not in told(fleet(2, web1={"kernel": "\x1b[2J\x07"}))


names = st.sampled_from(["kernel", "package:x", "unit-file:/etc/x", "limit:sshd:nofile", "filesystem:/", "odd:name"])
values = st.one_of(
    st.text(max_size=200),
    st.integers(),
    st.booleans(),
    st.dictionaries(st.sampled_from(["type", "size_bytes"]), st.integers()),
)


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=8), st.dictionaries(names, values), max_size=6),
    st.integers(40, 200),
)
def test_no_line_is_wider_than_the_terminal_if_its_words_allow(states, width):
    boxes = {box: Read(state=state, whole=WHOLE) for box, state in states.items()}
    for line in told(boxes, width).splitlines():
        assert len(line) <= width or len(line.split()[-1]) > 20
