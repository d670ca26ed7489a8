# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test compare on boxes with real differences: it reports exactly these, and nothing has changed on the next run."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import boxes as lab
import pytest

SSHD = "$(for f in /proc/[0-9]*/stat; do read -r i n s p x < $f && [ \"$n $p\" = '(sshd) 1' ] && echo $i; done)"
# Remount only this mount: a read-only proc for all processes would break logins.
WRITABLE, READ_ONLY = "mount -o remount,bind,rw /proc/sys", "mount -o remount,bind,ro /proc/sys"
PACKAGE = (
    "rm -rf /tmp/made && mkdir -p /tmp/made/deb/DEBIAN && "
    "printf 'Package: lifeline-test\nVersion: 1.0\nArchitecture: all\n"
    "Maintainer: Nobody <nobody@example.com>\nDescription: Nothing\n' > /tmp/made/deb/DEBIAN/control && "
    "dpkg-deb --build /tmp/made/deb /tmp/made/made.deb && dpkg -i /tmp/made/made.deb"
)
GEM = (
    "cd /tmp/made && "
    'echo \'Gem::Specification.new { |s| s.name = "lifeline-test"; s.version = "1.2.3"; s.summary = "Nothing"; '
    's.authors = ["Nobody"] }\' > made.gemspec && gem build made.gemspec && '
    "gem install --local --no-document lifeline-test-1.2.3.gem"
)

# Each difference: its name, the value before and after, the command that makes it and the one that undoes it.
MADE = (
    ("package:lifeline-test", None, "1.0", PACKAGE, "dpkg --purge lifeline-test"),
    ("gem:lifeline-test", None, "1.2.3", GEM, "gem uninstall lifeline-test"),
    (
        "sysctl:net.ipv4.tcp_keepalive_time",
        "7200",
        "600",
        f"{WRITABLE}; sysctl -w net.ipv4.tcp_keepalive_time=600; {READ_ONLY}",
        f"{WRITABLE}; sysctl -w net.ipv4.tcp_keepalive_time=7200; {READ_ONLY}",
    ),
    (
        "unit:debug-shell.service",
        "disabled",
        "masked",
        "systemctl mask debug-shell.service",
        "systemctl unmask debug-shell.service",
    ),
    (
        "limit:sshd:nofile",
        "1024:20000",
        "2000:20000",
        f"prlimit --pid {SSHD} --nofile=2000:",
        f"prlimit --pid {SSHD} --nofile=1024:",
    ),
)
FORTH = {name: (before, after) for name, before, after, _do, _undo in MADE}
BACK = {name: (after, before) for name, before, after, _do, _undo in MADE}


@pytest.fixture(scope="module")
def boxes():
    """Return the boxes: two without a worker, one with a healthy and one with a leaking worker, and one that is off."""
    of_set = {box.name: box for box in lab.of_set("compare")}
    plain = [name for name, box in of_set.items() if name == "compare-" + box.suite]
    return [of_set[name] for name in (plain[0], "compare-ok", "compare-leak", plain[1], "compare-down")]


@pytest.fixture(scope="module")
def told(boxes, tmp_path_factory):
    """Return the results of four runs: before the change, after it, once more, and after it was undone."""
    folder = tmp_path_factory.mktemp("compare")
    first = boxes[0]

    def compare(since):
        path = folder / "report.json"
        succeeded, output = lab.play(
            "lifeline.fleet.compare",
            [box.name for box in boxes],
            {
                "lifeline_compare_groups": "compare",
                "lifeline_compare_path": str(path),
                "lifeline_compare_since": since,
                "lifeline_history": str(folder / "history.db"),
            },
        )
        assert succeeded, output
        return json.loads(path.read_text()), output

    def now():
        return datetime.now(timezone.utc).isoformat()

    runs = {"before": compare("1h")}
    try:
        began = now()
        first.run(" && ".join("{ %s; }" % do for _name, _before, _after, do, _undo in MADE))
        runs["after"] = compare(began)
        runs["again"] = compare(now())
    finally:
        began = now()
        first.run("; ".join([*(undo for _name, _before, _after, _do, undo in MADE), "rm -rf /tmp/made"]))
    runs["undone"] = compare(began)
    return runs


def group(run):
    (one,) = run[0]["groups"]
    return one


def values(run, box):
    """Return the differences that the first box has."""
    return {
        one["name"]: next((value["value"] for value in one["values"] if box.name in value["boxes"]), "unknown")
        for one in group(run)["differences"]
    }


def changes(run):
    return {change["name"]: (change["before"], change["after"]) for change in group(run)["changes"]}


def test_exactly_the_changes_are_new_differences(told, boxes):
    before, after = values(told["before"], boxes[0]), values(told["after"], boxes[0])
    assert {name: after[name] for name in after if after[name] != before.get(name)} == {
        name: new for name, (_old, new) in FORTH.items()
    }
    assert before.keys() - after.keys() == set()
    sysctl = next(
        one for one in group(told["after"])["differences"] if one["name"] == "sysctl:net.ipv4.tcp_keepalive_time"
    )
    assert sysctl == {
        "name": sysctl["name"],
        "majority": True,
        "values": [
            {"value": "7200", "boxes": sorted(box.name for box in boxes[1:4])},
            {"value": "600", "boxes": [boxes[0].name]},
        ],
    }


def test_exactly_the_changes_are_reported_and_only_on_their_box(told, boxes):
    assert changes(told["after"]) == FORTH
    assert all(change["boxes"] == [boxes[0].name] for change in group(told["after"])["changes"])
    assert group(told["after"])["known_since"] == []


def test_nothing_has_changed_on_the_next_run(told, boxes):
    assert changes(told["again"]) == {}
    again = values(told["again"], boxes[0])
    assert {name: again.get(name) for name in FORTH} == {name: new for name, (_old, new) in FORTH.items()}


def test_an_undone_change_is_a_change_but_no_difference(told, boxes):
    assert changes(told["undone"]) == BACK
    before, undone = values(told["before"], boxes[0]), values(told["undone"], boxes[0])
    assert {name: undone.get(name) for name in FORTH} == {name: before.get(name) for name in FORTH}


def test_a_history_that_does_not_go_back_far_enough_is_reported(told, boxes):
    assert changes(told["before"]) == {}
    assert {one["box"] for one in group(told["before"])["known_since"]} == {box.name for box in boxes[:4]}


def test_the_leak_stands_out(told):
    memory = next(number for number in group(told["after"])["numbers"] if number["metric"] == "memory_used_bytes")
    assert "compare-leak" in [outlier["box"] for outlier in memory["outliers"]]


def test_a_box_that_does_not_answer_is_listed(told):
    report, output = told["after"]
    assert [one["box"] for one in report["unreachable"]] == ["compare-down"]
    assert "compare-down" not in group(told["after"])["boxes"]
    assert "Not compared:" in output


def test_the_text_reports_the_same(told, boxes):
    text = told["after"][1]
    for words in (
        "lifeline-test               1.0 (others none)",
        "net.ipv4.tcp_keepalive_time  600 (others 7200)",
        "package lifeline-test: none -> 1.0",
        "limit of sshd nofile: 1024:20000 -> 2000:20000",
        f"{boxes[0].name}, unlike 3 others:",
    ):
        assert " ".join(words.split()) in " ".join(text.split())
