# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet and its hosts."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Sample
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report.fleet import Box, Fleet
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report.series import MEMORY


@pytest.mark.parametrize(
    ("sample", "left"),
    [
        (None, 100),
        (Sample(*MEMORY, 75, 100), 25),
        (Sample(*MEMORY, 75, 0), 100),
        (Sample(*MEMORY, 75), 100),
    ],
)
def test_the_memory_that_is_left(sample, left):
    assert Box("web1", "ok", samples={} if sample is None else {MEMORY: sample}).left == left


def test_the_newest_reading():
    boxes = (Box("a", "ok", read=5), Box("b", "unknown"), Box("c", "ok", read=9))
    assert Fleet(10, 0, 10, boxes).newest == 9
    assert Fleet(10, 0, 10, boxes[1:2]).newest is None
