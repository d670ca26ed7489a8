# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A time that grows faster than the text is found, and one that only grows with it is not."""

from __future__ import annotations

import random

import pytest
from fuzz.growing import Growing


class Clock:
    """A clock that only goes on by the work of a parser."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def work(self, cost):
        def run(sample):
            self.now += cost(len(sample["a"])) + (0.5 if "base" in sample["a"] else 0)

        return run


def faults(cost, text="x" * 100, turns=8):
    clock = Clock()
    growing = Growing(largest=1 << 15, clock=clock)
    turn = random.Random(1)
    return [growing.fault(clock.work(cost), {"a": text}, turn) for _turn in range(turns)]


@pytest.mark.parametrize("cost", [lambda size: size * 1e-6, lambda size: size * 1e-5, lambda size: 1.0])
def test_time_that_grows_with_the_text_is_no_fault(cost):
    assert set(faults(cost)) == {None}


@pytest.mark.parametrize("cost", [lambda n: n**2 * 1e-10, lambda n: n**2 * 1e-7, lambda n: n**3 * 1e-14])
@pytest.mark.parametrize("text", ["x" * 100, "base 12\n"])
def test_time_that_grows_with_its_square_is_one(cost, text):
    found = [one for one in faults(cost, text) if one]
    assert len(found) >= 6
    assert all(fault.startswith("time grows faster than a with ") for fault, _sample in found)


def test_nothing_is_said_of_what_takes_no_time_or_has_no_text():
    assert set(faults(lambda size: size**2 * 1e-15)) == {None}
    assert Growing().fault(lambda sample: None, {}, random.Random(1)) is None
