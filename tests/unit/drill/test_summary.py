# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from drill import summary

HEAD = {"leak": "fast", "swap": False, "box": "before", "seconds": 100, "kills": None, "jobs": {"lost": None}}


def knock(t, seconds=1.0, answered=True, starts=1):
    return {"kind": "knock", "t": t, "seconds": seconds, "answered": answered, "starts": starts if answered else None}


def reading(t, *checks):
    return {
        "kind": "health",
        "t": t,
        "reasons": [{"check": check, "severity": "warning", "subject": None} for check in checks],
    }


def test_silence_lasts_from_the_last_answer_to_the_end():
    records = [knock(-2.0), knock(0.0), knock(2.0), *(knock(float(t), 15.0, answered=False) for t in range(4, 100, 2))]
    numbers = summary.summary(HEAD, records)
    assert numbers["silence"] == 97.0
    assert numbers["silent"] == 4.0
    assert (numbers["answered"], numbers["probes"]) == (2, 50)


def test_an_answer_counts_from_its_end_not_from_its_start():
    records = [knock(float(t)) for t in range(0, 100, 2)]
    records[20]["seconds"] = 30.0
    assert summary.summary(HEAD, records)["silence"] == 4.0, "the connections beside it were answered"


def test_findings_of_the_idle_box_are_no_warning():
    readings = [reading(-1.0, "limits"), reading(14.0, "limits"), reading(29.0, "limits", "memory")]
    records = [knock(-1.0), *readings, knock(70.0, answered=False)]
    numbers = summary.summary(HEAD, records)
    assert numbers["warned"] == 29.0
    assert numbers["lead"] == 41.0


def test_a_box_that_never_answers_has_no_latency():
    numbers = summary.summary(HEAD, [knock(float(t), answered=False) for t in range(0, 100, 2)])
    assert numbers["silence"] == 100.0
    assert numbers["median"] is numbers["p99"] is numbers["idle_p99"] is numbers["starts"] is None


@pytest.mark.parametrize(
    ("values", "share", "expected"), [([3, 1, 2], 50, 2), (list(range(1, 101)), 99, 99), ([1], 99, 1), ([], 99, None)]
)
def test_percentile_is_one_of_the_values(values, share, expected):
    assert summary.percentile(values, share) == expected


def test_the_table_marks_victims_outside_the_worker():
    head = {
        **HEAD,
        "kills": [{"killer": "kernel", "name": "ruby", "constraint": "memcg", "worker": True}] * 2
        + [{"killer": "earlyoom", "name": "redis-server", "constraint": None, "worker": False}],
        "jobs": {"lost": 4},
    }
    line = summary.row(head, summary.summary(head, [knock(0.0)]))
    assert line[-2:] == ("2 ruby by kernel, 1 redis-server by earlyoom, innocent", "4")
    assert len(line) == len(summary.COLUMNS)
