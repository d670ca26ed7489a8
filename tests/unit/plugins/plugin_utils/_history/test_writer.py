# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reading as it is written into the tables."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import HistoryError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Kill, Sample
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History
from histories import FINDING, NOW, ask, record, value, values


def test_numbers_beyond_those_of_sqlite_are_rounded(path):
    record(path, samples=[Sample("memory_used_bytes", "", 1 << 64, 1 << 70)])
    assert values(path) == [float(1 << 64)]


def test_a_series_that_is_there_twice_has_its_last_value(path):
    record(path, samples=[*value(1), *value(2)])
    assert values(path) == [2]


def test_findings_keep_their_order(path):
    record(path, findings=[dict(FINDING, message=text) for text in "cab"])
    assert ask(path, "SELECT number, message FROM findings ORDER BY number") == [(0, "c"), (1, "a"), (2, "b")]


def test_a_reading_that_cannot_be_written_leaves_nothing(path):
    record(path)
    with pytest.raises(HistoryError, match="NOT NULL constraint failed: readings.taken"):
        record(path, "web2", float("nan"), samples=value(1))
    with History(path) as history:
        assert history.boxes() == ["web1"]
    assert ask(path, "SELECT count(*) FROM samples") == [(0,)]


SURROGATE = "a\udc80b"
ESCAPED = "a\\udc80b"
HUGE = 1 << 80


def test_lone_surrogates_and_huge_integers_do_not_end_a_reading(path):
    finding = {**FINDING, "subject": SURROGATE, "message": SURROGATE, "value": HUGE, "threshold": -HUGE}
    kill = Kill(HUGE, HUGE, SURROGATE, SURROGATE, SURROGATE, SURROGATE, HUGE)
    record(
        path,
        SURROGATE,
        NOW,
        verdict="critical",
        booted=HUGE,
        samples=[Sample("memory_used_bytes", SURROGATE, HUGE, HUGE, HUGE), Sample("nothing", "", float("nan"))],
        findings=[finding],
        kills=[kill],
        state={"huge": HUGE, SURROGATE: SURROGATE},
        whole=("odd:",),
    )
    with History(path) as history:
        assert history.boxes() == [ESCAPED]
        (reading,) = history.readings()
        assert history.samples(reading.reading) == [
            Sample("memory_used_bytes", ESCAPED, float(HUGE), float(HUGE), float(HUGE))
        ]
        (found,) = history.findings()
        assert (found["subject"], found["message"], found["value"]) == (ESCAPED, ESCAPED, float(HUGE))
        assert history.kills() == [(ESCAPED, Kill(float(HUGE), None, ESCAPED, ESCAPED, ESCAPED, ESCAPED, float(HUGE)))]
        assert history.state(ESCAPED) == history.state(SURROGATE) == {"huge": HUGE, ESCAPED: SURROGATE}


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(), max_size=8),
            st.one_of(st.integers(), st.floats(), st.none(), st.text(st.characters(), max_size=3)),
        ),
        max_size=5,
    )
)
def test_whatever_a_host_says_a_reading_is_kept(tmp_path_factory, said):
    path = str(tmp_path_factory.mktemp("history") / "history.db")
    record(
        path,
        samples=[Sample(name, name, value, value, value) for name, value in said],
        findings=[dict.fromkeys(FINDING, value) | {"message": name} for name, value in said],
        kills=[Kill(value, value, name, name, value, name, value) for name, value in said],
        state=dict(said),
    )
    with History(path) as history:
        assert len(history.readings()) == 1
        assert len(history.findings()) == len(said)


def test_a_kill_is_kept_once_however_often_it_is_read(path):
    kill = Kill(NOW, 25910, "ruby")
    for killed in (NOW, NOW + 0.4, NOW + 1.0):
        record(path, kills=[kill._replace(killed=killed)])
    others = [kill._replace(pid=1), kill._replace(killed=NOW + 999), Kill(None, 5, "perl"), Kill(None, 5, "perl")]
    record(path, kills=others)
    record(path, "web2", kills=[kill])
    with History(path) as history:
        assert sorted((box, kill.pid, kill.killed) for box, kill in history.kills() if kill.killed) == [
            ("web1", 1, NOW),
            ("web1", 25910, NOW),
            ("web1", 25910, NOW + 999),
            ("web2", 25910, NOW),
        ]
        assert sum(kill.killed is None for _box, kill in history.kills()) == 1


def test_kills_without_a_pid_are_told_apart_by_their_unit(path):
    record(path, kills=[Kill(NOW, None, None, "systemd-oomd", None, unit) for unit in ("a", "b", "a")])
    with History(path) as history:
        assert [kill.unit for _box, kill in history.kills()] == ["a", "b"]
