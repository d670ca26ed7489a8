# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records that go into a history and come out of it."""

from __future__ import annotations

import dataclasses
import time

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Kill, Point, Reading, Sample


def test_a_reading_is_taken_now_and_empty_unless_it_says_otherwise():
    before = time.time()
    reading = Reading("web1", "health")
    assert before <= reading.taken <= time.time()
    assert not any([reading.verdict, reading.samples, reading.findings, reading.kills, reading.state, reading.whole])
    assert Reading("web1", "health").state is not reading.state


def test_a_reading_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Reading("web1", "health").verdict = "ok"


def test_what_is_not_given_is_unknown_and_the_killer_is_the_kernel():
    assert Sample("m", "", 1)[3:] == Point(0, 1)[2:] == (None, None)
    assert Kill(None, None, None).killer == "kernel"
