# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times, lengths and values as the report writes them."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import words


@pytest.mark.parametrize(
    ("seconds", "moment"),
    [
        (
            1795257600.0,
            {"iso": "2026-11-21T10:40:00Z", "text": "2026-11-21 10:40 UTC", "short": "Sat 10:40"},
        ),
        (1e18, {"iso": "?", "text": "?", "short": "?"}),
    ],
)
def test_moments(seconds, moment):
    assert words.moment(seconds) == moment


def test_lengths_are_never_negative():
    assert words.length(-5) == words.length(0) == "0 s"


def test_long_texts_are_cut():
    assert words.short("x" * 400) == "x" * 400
    assert words.short("x" * 401) == "x" * 400 + "..."
    assert words.short(7) == "7"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("kernel", None, None),
        ("kernel", "6.1", "6.1"),
        ("memory_bytes", 1 << 30, "1.0G"),
        ("memory_bytes", "odd", "odd"),
        ("cpus", 2, "2"),
        ("mount:/", {"b": "ä", "a": 1}, '{"a": 1, "b": "ä"}'),
    ],
)
def test_values(name, value, text):
    assert words.value(name, value) == text
