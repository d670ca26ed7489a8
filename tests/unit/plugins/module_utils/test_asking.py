# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call that has no deadline of its own gets one."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._asking import within


def test_the_answer_is_returned():
    assert within(60, lambda: "answer") == "answer"
    assert within(60, lambda: None) is None


def test_the_error_is_raised():
    def fail():
        raise KeyError("name")

    with pytest.raises(KeyError, match="name"):
        within(60, fail)


@pytest.mark.parametrize("seconds", [0.05, 0, -1])
def test_a_call_that_takes_too_long_is_left_behind(seconds):
    over = threading.Event()
    try:
        with pytest.raises(TimeoutError, match=f"no answer within {seconds:g} s"):
            within(seconds, over.wait)
    finally:
        over.set()
