# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The changes that a watch reports between two checks."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import watch as rescue_watch

DOWN = {
    "unreachable": True,
    "msg": "Task failed: Failed to connect to the host via ssh: connect to host b port 22: Connection timed out",
}
BROKEN = {"failed": True, "msg": "lifeline_thresholds: not a dictionary (3); give checks"}


def finding(severity, check="memory_available_percent", subject=None, message="only 31M left"):
    return {
        "check": check,
        "severity": severity,
        "subject": subject,
        "value": 6.0,
        "threshold": 10,
        "unit": "%",
        "message": message,
    }


def judged(*severities):
    """Return a result of health with findings of these severities, each of a different check."""
    return {
        "verdict": "any",
        "findings": [finding(severity, f"check{number}") for number, severity in enumerate(severities) if severity],
    }


class Watch:
    """Looks, a minute apart."""

    def __init__(self, **options):
        self.known, self.now, self.options = rescue_watch.empty(), 1000.0, options

    def look(self, after=60, **results):
        self.now += after
        looks = {box: rescue_watch.findings(box, result) for box, result in results.items()}
        said, self.known = rescue_watch.changes(self.known, looks, self.now, **self.options)
        # It lives in a file in between.
        self.known = json.loads(json.dumps(self.known))
        rescue_watch.check(self.known)
        return [(change["box"], change["change"], change["was"], change["severity"]) for change in said]


def test_what_is_as_it_was_is_said_once():
    watch = Watch()
    assert watch.look(b=judged("warning")) == [("b", "appeared", None, "warning")]
    assert watch.look(b=judged("warning")) == []
    assert watch.look(b=judged("critical")) == [("b", "worsened", "warning", "critical")]
    assert watch.look(b=judged("critical")) == []


def test_what_is_gone_or_less_is_said_when_it_has_been_so_for_a_while():
    watch = Watch(settle=3)
    watch.look(b=judged("critical"))
    assert [watch.look(b=judged("warning")) for _look in range(3)] == [[], [], [("b", "eased", "critical", "warning")]]
    assert [watch.look(b=judged()) for _look in range(4)] == [[], [], [("b", "cleared", "warning", "ok")], []]


@pytest.mark.parametrize("flapping", [("critical", None), ("critical", "warning"), ("warning", None)])
def test_what_comes_and_goes_is_said_once(flapping):
    watch = Watch()
    assert len(watch.look(b=judged(flapping[0]))) == 1
    for severity in itertools.islice(itertools.cycle(reversed(flapping)), 20):
        assert watch.look(b=judged(severity)) == []


def test_the_worst_is_said_first_and_every_box_and_subject_stands_for_itself():
    watch = Watch()
    assert watch.look(a=judged("warning"), b=judged("warning", "critical"), c=DOWN) == [
        ("c", "appeared", None, "down"),
        ("b", "appeared", None, "critical"),
        ("a", "appeared", None, "warning"),
        ("b", "appeared", None, "warning"),
    ]
    full = {
        "verdict": "critical",
        "findings": [finding("critical", "disk_used_percent", mount) for mount in ("/", "/data")],
    }
    assert len(Watch().look(b=full)) == 2


def test_of_two_processes_of_one_name_the_worse_counts():
    twice = {
        "verdict": "critical",
        "findings": [
            finding("warning", "process_fds_used_percent", "ruby"),
            finding("critical", "process_fds_used_percent", "ruby"),
        ],
    }
    assert Watch().look(b=twice) == [("b", "appeared", None, "critical")]


def test_a_box_that_is_down_may_still_have_what_it_had():
    watch = Watch()
    watch.look(b=judged("critical"))
    assert watch.look(b=DOWN) == [("b", "appeared", None, "down")]
    assert [watch.look(b=DOWN) for _look in range(5)] == [[]] * 5
    # It answers again, as ill as it was: nothing new, and then no longer down.
    assert watch.look(b=judged("critical")) == []
    assert watch.look(b=judged("critical")) == [("b", "cleared", "down", "ok")]
    assert watch.look(b=judged()) == []
    assert watch.look(b=judged()) == [("b", "cleared", "critical", "ok")]


def test_a_box_that_cannot_be_judged_answers_and_may_still_have_what_it_had():
    watch = Watch(settle=1)
    watch.look(b=judged("critical"))
    watch.look(b=DOWN)
    assert watch.look(b=BROKEN) == [("b", "appeared", None, "unknown"), ("b", "cleared", "down", "ok")]
    assert watch.look(b=BROKEN) == []
    assert sorted(watch.look(b=judged())) == [("b", "cleared", "critical", "ok"), ("b", "cleared", "unknown", "ok")]


def test_what_presses_is_said_again_now_and_then():
    watch = Watch(remind=300)
    watch.look(a=DOWN, b=judged("critical"), c=judged("warning"))
    assert watch.look(after=240, a=DOWN, b=judged("critical"), c=judged("warning")) == []
    lasting = [("a", "lasts", "down", "down"), ("b", "lasts", "critical", "critical")]
    assert watch.look(after=60, a=DOWN, b=judged("critical"), c=judged("warning")) == lasting
    assert watch.look(after=60, a=DOWN, b=judged("critical"), c=judged("warning")) == []
    never = Watch(remind=0)
    never.look(b=judged("critical"))
    assert never.look(after=10**6, b=judged("critical")) == []


def test_a_clock_that_was_put_back_makes_it_no_quieter():
    watch = Watch(remind=300)
    watch.look(b=judged("critical"))
    assert watch.look(after=-900, b=judged("critical")) == [("b", "lasts", "critical", "critical")]
    assert watch.look(after=60, b=judged("critical")) == []


def test_a_host_that_is_not_checked_keeps_its_state_until_it_is_forgotten():
    watch = Watch()
    watch.look(a=judged(), b=judged("warning"))
    watch.look(a=judged())
    assert watch.look(a=judged(), b=judged("warning")) == []
    watch.look(after=31 * 86400, a=judged())
    assert set(watch.known["boxes"]) == {"a"}


def test_a_name_from_a_cloud_s_tags_is_told_on_one_line_that_can_be_printed():
    finding = dict(judged("critical")["findings"][0], message="a\n\x1b[2Jb")
    said, _known = rescue_watch.changes(rescue_watch.empty(), {"b\n\x1b[2J": [finding]}, 0)
    assert rescue_watch.tell(said[0]) == r"b\x0a\x1b[2J critical: a \x1b[2Jb"


SEVERITY = st.sampled_from([None, "warning", "critical"])
RESULT = st.one_of(st.tuples(SEVERITY, SEVERITY).map(lambda pair: judged(*pair)), st.just(DOWN), st.just(BROKEN))


@given(st.lists(RESULT, max_size=30), st.integers(1, 4))
def test_what_was_said_is_what_a_reader_believes(results, settle):
    """A reader of the changes alone knows the state that was reported, and after enough equal checks the real one."""
    watch, believed = Watch(settle=settle, remind=0), {}

    def look(result):
        watch.now += 60
        said, watch.known = rescue_watch.changes(
            watch.known, {"b": rescue_watch.findings("b", result)}, watch.now, settle, 0
        )
        for change in said:
            key = change["check"], change["subject"]
            assert change["was"] == believed.get(key)
            assert (change["change"] == "appeared") == (key not in believed)
            if change["change"] == "cleared":
                del believed[key]
            else:
                assert believed.get(key) != change["severity"]
                believed[key] = change["severity"]
        assert believed == {
            (entry["check"], entry["subject"]): entry["severity"] for entry in watch.known["boxes"]["b"]["findings"]
        }

    for result in results:
        look(result)
    for _look in range(settle):
        look(judged("critical", None))
    assert believed == {("check0", None): "critical"}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"change": "appeared", "was": None, "severity": "critical"}, "b critical: only 31M left"),
        ({"change": "worsened", "was": "warning", "severity": "critical"}, "b critical, was warning: only 31M left"),
        ({"change": "eased", "was": "critical", "severity": "warning"}, "b warning, was critical: only 31M left"),
        ({"change": "cleared", "was": "critical", "severity": "ok"}, "b no longer critical (was: only 31M left)"),
        (
            {"change": "lasts", "was": "critical", "severity": "critical"},
            "b still critical after 30 min: only 31M left",
        ),
        ({"change": "cleared", "was": "down", "severity": "ok", "check": "unreachable"}, "b answers again"),
    ],
)
def test_a_change_in_words_is_one_line(change, text):
    assert (
        rescue_watch.tell(
            {"box": "b", "check": "any", "message": "only 31M\n left", "since": 0, "time": 1800, **change}
        )
        == text
    )


def test_why_a_box_is_down_is_said_without_what_ansible_puts_before_it():
    said, _known = rescue_watch.changes(rescue_watch.empty(), {"b": rescue_watch.findings("b", DOWN)}, 0)
    assert rescue_watch.tell(said[0]) == "b down: connect to host b port 22: Connection timed out"


def choose(known, now, *boxes, window=900, most=2):
    return rescue_watch.rescues(known, {box: [finding("critical")] for box in boxes}, now, window, most)


def test_a_box_is_rescued_once_in_a_window():
    chosen, held, known = choose(rescue_watch.empty(), 1000, "a")
    assert (chosen, held) == (["a"], {})
    chosen, held, known = choose(known, 1600, "a")
    assert chosen == []
    assert held == {"a": "rescued 10 min ago; at most one rescue per 15 min"}
    assert choose(known, 1900, "a")[0] == ["a"]


def test_so_many_rescues_begin_in_an_hour():
    chosen, held, known = choose(rescue_watch.empty(), 1000, "a", "b", "c")
    assert chosen == ["a", "b"]
    assert held == {"c": "2 rescues have begun within an hour"}
    assert choose(known, 4500, "c")[0] == []
    chosen, _held, known = choose(known, 4601, "c")
    assert chosen == ["c"]
    assert known["rescued"] == {"c": [4601]}


def test_only_what_is_critical_is_rescued():
    looks = {
        "a": [finding("warning")],
        "b": rescue_watch.findings("b", DOWN),
        "c": rescue_watch.findings("c", BROKEN),
        "d": [],
    }
    assert rescue_watch.rescues(rescue_watch.empty(), looks, 0, 900, 9)[:2] == ([], {})


@pytest.mark.parametrize(
    "damaged",
    [
        None,
        [],
        {},
        {"boxes": {}},
        {"boxes": {"b": {}}, "rescued": {}},
        {"boxes": {"b": {"looked": 1, "findings": [{}]}}, "rescued": {}},
        {"boxes": {}, "rescued": {"b": ["soon"]}},
        {"boxes": {}, "rescued": {"b": 3}},
        {
            "boxes": {"b": {"looked": 1, "findings": [{**finding("bad"), "since": 1, "said": 1, "better": 0}]}},
            "rescued": {},
        },
    ],
)
def test_what_is_damaged_is_told_from_what_is_not(damaged):
    with pytest.raises(ValueError):
        rescue_watch.check(damaged)
