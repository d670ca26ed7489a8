# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times in the past, as operators write them."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings.moment import parse_moment

# 2026-11-21T12:00:00Z
NOW = 1795262400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("24h", 86400),
        ("2 days ago", 172800),
        ("1 day", 86400),
        ("90", None),
        ("15 minutes ago", 900),
        ("15 min", 900),
        ("an hour ago", 3600),
        ("a week ago", 604800),
        ("1.5h", 5400),
        ("  3  Weeks  ago ", 1814400),
        ("30 seconds ago", 30),
        ("2d", 172800),
    ],
)
def test_how_long_ago(text, seconds):
    if seconds is None:
        with pytest.raises(ValueError, match=r"not a time \('90'\)"):
            parse_moment(text, NOW)
    else:
        assert parse_moment(text, NOW) == NOW - seconds


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20T12:00:00Z", NOW - 86400),
        ("2026-11-20T14:00:00+02:00", NOW - 86400),
        ("2026-11-20 12:00:00+00:00", NOW - 86400),
    ],
)
def test_a_time_with_an_offset(text, moment):
    assert parse_moment(text, NOW) == moment


def test_a_time_without_an_offset_is_local(monkeypatch):
    import time

    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert parse_moment("2026-11-20T07:00:00", NOW) == NOW - 86400
        assert parse_moment("2026-11-20", NOW) == NOW - 86400 - 7 * 3600
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "text", ["yesterday", "", "two days ago", "2 months ago", "-3h", "2026-13-01", "h", "24 h ago!", "h24"]
)
def test_an_error_names_the_value(text):
    with pytest.raises(
        ValueError,
        match=r"not a time \(.*\); give how long ago, such as 24h or 2 days ago, or a time such as 2026-10-03T22",
    ):
        parse_moment(text, NOW)


def test_a_time_in_the_future_is_an_error():
    with pytest.raises(ValueError, match=r"in the future \(.*\); give a time in the past"):
        parse_moment("2026-11-22T00:00:00Z", NOW)
