# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make fuzz` finds its kinds of faults, and reduces the samples that show them."""

from __future__ import annotations

import random

import pytest
from fuzz import engine, mutations

from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import processes


def group(run, *seeds, documented=()):
    return engine.Group("planted", lambda: [dict(seed) for seed in seeds], run, documented)


def tried(run, *seeds, documented=(), samples=1500):
    found = engine.Run(group(run, *seeds, documented=documented), [], seed=1)
    found.for_samples(samples)
    return list(found.findings.values())


def raises(sample):
    number = sample.get("a", "").partition("=")[2]
    return int(number) if number.isdigit() else None


def test_an_exception_is_found_once_with_a_small_sample():
    (finding,) = tried(raises, {"a": "some text\n" * 20 + "x=17", "b": "of no use" * 20})
    assert finding.fault.startswith("ValueError at ")
    assert set(finding.sample) == {"a"} and len(finding.sample["a"]) < 20


def test_a_documented_exception_is_an_answer_whose_message_is_printed():
    def refuses(sample):
        raise ValueError(escape(sample.get("a", "")))

    def repeats(sample):
        raise ValueError(sample.get("a", ""))

    assert tried(refuses, {"a": "x"}, documented=(ValueError,)) == []
    (finding,) = tried(repeats, {"a": "x"}, documented=(ValueError,))
    assert finding.fault == "control characters in the answer"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({"a": ["\x1b"]}, "control characters in the answer/a"),
        ({"\x9b": 1}, "control characters in a key of the answer"),
        ({"a": float("nan")}, "cannot become JSON: Out of range float values are not JSON compliant"),
        ({"a": {1, 2}, "b": ("x",)}, None),
    ],
)
def test_what_is_shown_can_be_printed_and_sent(answer, fault):
    found = engine.fault(group(lambda sample: answer), {})
    assert found == fault or (fault and found.startswith(fault))


def test_samples_that_reach_new_lines_are_kept():
    # Only the first of them asks for something of which there is a number.
    samples = [{"text": "Max open files  1  2  files"}, {"text": "Max open files  3  4  files"}, {"text": "x"}]
    planted = group(lambda sample: processes.parse_limits(sample.get("text", "")), {"text": "y"})
    run = engine.Run(planted, samples, seed=1)
    run.for_samples(20)
    assert run.lines > 3
    assert engine.smallest(planted, samples, 100) == samples[:1]
    assert engine.smallest(planted, samples, 10) == []


def test_the_same_seed_makes_the_same_samples():
    made = [
        [mutations.change({"a": "x 1\ny"}, [{"b": "z"}], turn) for _number in range(200)]
        for turn in (random.Random(5), random.Random(5), random.Random(6))
    ]
    assert made[0] == made[1] != made[2]
    assert max(len(text) for sample in made[0] for text in sample.values()) <= mutations.MOST_TEXT
