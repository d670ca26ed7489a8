# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parser's work grows with the log, not with its square."""

from __future__ import annotations

import sys

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._oom import facts as oom_facts

SIZE = 1 << 12
PIECES = (
    "Killed process 1 (x) total-vm:3kB, ",
    "Killed process 1 (",
    "Out of memory: Kill process 2 (x) score 5 or ",
    "ruby invoked oom-killer: ",
    "oom-kill:constraint=CONSTRAINT_MEMCG,",
    "[    1.000001] Out of memory: Killed process 1 ",
    "npd[7]: Killed process 1 (x) ",
    "Task in /x ",
    "[ 1] 2 3 4 5 6 7 8 x ",
    "{",
    '"MESSAGE" : "',
    "MESSAGE=a",
    '\\"',
    "a-",
    "total-vm:",
)


def steps(text):
    """Return how many lines of Python run while a text is parsed."""
    count = 0

    def trace(_frame, event, _argument):
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        oom_facts.parse({"log": text}, logs=["log"], now=1795000000)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("end", ["", "\n", "\n        "], ids=["one-line", "lines", "indented"])
@pytest.mark.parametrize("piece", PIECES)
def test_twice_the_log_is_twice_the_work(piece, end):
    unit = piece + end
    text = unit * (SIZE // len(unit))
    # The first parse compiles patterns.
    steps(text)
    assert steps(text * 2) < 2.5 * steps(text)
