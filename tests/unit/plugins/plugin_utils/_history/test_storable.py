# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that SQLite can store."""

from __future__ import annotations

import math

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import storable


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (5, 5),
        (-5.5, -5.5),
        ((1 << 63) - 1, (1 << 63) - 1),
        (1 << 63, float(1 << 63)),
        (-(1 << 63), -(1 << 63)),
        (-(1 << 63) - 1, -float(1 << 63)),
        pytest.param(10**400, math.inf, id="beyond floats"),
        pytest.param(-(10**400), -math.inf, id="below floats"),
        (math.inf, math.inf),
        (math.nan, None),
        (None, None),
        (True, None),
        ("5", None),
        ([5], None),
    ],
)
def test_numbers(value, stored):
    assert storable.number(value) == stored


@pytest.mark.parametrize(
    ("value", "stored"), [(7, 7), (1 << 63, None), (-(1 << 63) - 1, None), (7.0, None), (True, None), (None, None)]
)
def test_integers(value, stored):
    assert storable.integer(value) == stored


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("sidekiq", "sidekiq"),
        ("a\udc80b\ud83d", "a\\udc80b\\ud83d"),
        ("ä\U0001f600\0", "ä\U0001f600\0"),
        ("x" * 5000, "x" * 4096),
        (["list"], "['list']"),
        (7, "7"),
    ],
)
def test_texts(value, stored):
    assert storable.text(value) == storable.text_or_none(value) == stored


def test_no_text_is_none():
    assert storable.text_or_none(None) is None
