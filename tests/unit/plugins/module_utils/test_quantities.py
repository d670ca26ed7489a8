# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils import _quantities


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("13 GB", 13 << 30),
        ("50 GB", 50 << 30),
        ("512 MiB", 512 << 20),
        ("512M", 512 << 20),
        ("1.5 GB", 3 << 29),
        ("13GB", 13 << 30),
        ("13312 kB", 13312 << 10),
        ("2 tb", 2 << 40),
        (536870912, 536870912),
        ("0", 0),
        ("12 bytes", 12),
        ("7 B", 7),
    ],
)
def test_sizes_as_operators_write_them(text, size):
    assert _quantities.parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "GB", "13 XB", "-1 GB", "1 2 GB", "thirteen", True, None, "80%", "1e3", "0x10", "13 GBB"]
)
def test_what_is_no_size_is_named_in_the_error(text):
    with pytest.raises(ValueError, match=r"not a size \(.*\); write a size such as 512 MB") as caught:
        _quantities.parse_size(text)
    assert repr(text) in str(caught.value)


def test_a_percentage_needs_a_whole():
    assert _quantities.parse_size("80%", whole=1000) == 800
    assert _quantities.parse_size("12.5 percent", whole=1000) == 125


@pytest.mark.parametrize(
    ("text", "seconds"), [("24h", 86400), (90, 90), ("2 d", 172800), ("1.5m", 90), ("1w", 604800), ("30s", 30)]
)
def test_durations(text, seconds):
    assert _quantities.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5", "5 fortnights", True])
def test_what_is_no_duration_is_named_in_the_error(text):
    with pytest.raises(ValueError, match=r"not a duration \(.*\); write seconds"):
        _quantities.parse_duration(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1K"),
        (864026624, "824M"),
        (2 << 30, "2.0G"),
        (16042127360, "15G"),
        (1 << 50, "1.0P"),
        (1023.7 * (1 << 20), "1.0G"),
    ],
)
def test_sizes_for_people(count, text):
    assert _quantities.format_size(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(40, "40 s"), (720, "12 min"), (86400, "24 h"), (181440, "2.1 d")])
def test_durations_for_people(seconds, text):
    assert _quantities.format_duration(seconds) == text


def test_a_share_of_nothing_is_unknown():
    assert _quantities.percent(5, 0) is None
    assert _quantities.percent(None, 10) is None
    assert _quantities.percent(1, 3) == 33.33


def test_timestamps_are_utc_and_impossible_ones_unknown():
    assert _quantities.timestamp(0) == "1970-01-01T00:00:00Z"
    assert _quantities.timestamp(1e300) is None
    assert _quantities.timestamp(None) is None
