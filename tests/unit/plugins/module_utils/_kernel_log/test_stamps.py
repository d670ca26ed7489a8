# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dates and times of logs as seconds since 1970."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.stamps import Clock, fraction, parse_time

NOW = 1795300000  # 2026-11-21T22:26:40Z


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-20T22:20:29Z", 1795213229),
        ("2026-11-20 22:20:29", 1795213229),
        ("2026-11-20T22:20:29.5+01:00", 1795209629.5),
        ("2024-04-29T14:55:41,678628+02:00", 1714395341.678628),
        ("Fri 2026-11-20 22:20:29 EST", 1795231229),
        ("Nov 20 22:20:29", 1795213229),
        ("Nov 20 10:20:29 PM", 1795213229),
        ("Dec 24 10:00:00", 1766570400),
        ("24. Dezember 10:00:00", 1766570400),
        ("juil. 14 10:00:00", 1784023200),
        ("juin 14 10:00:00", 1781431200),
        ("12月 24 10:00:00", 1766570400),
        ("Thu Dec  7 00:05:14 2017", 1512605114),
        ("Thu Dec  7 00:05:14 CET 2017", 1512601514),
        ("Nov 18 2019 11:06:40", 1574075200),
        ("Nov 18 11:06:40 2019", 1574075200),
        ("Nov 18 11:06:40 2019 web1 kernel: x", 1574075200),
        ("Nov 18 11:06:40 2019 kernel: x", 1795000000),
        ("Nov 18 11:06:40 2019-web1 kernel: x", 1795000000),
        ("Nov 18 11:06:40 2001:db8::1 kernel: x", 1795000000),
        ("Nov 18 11:06:40 2019.example.com sshd[1]: x", 1795000000),
        ("Nov 18 11:06:40 PM-1 kernel: x", 1795000000),
        ("2026-11-18 11:06:40 Z-1 kernel: x", 1795000000),
        ("2026-11-18 11:06:40 UTC.example kernel: x", 1795000000),
    ],
)
def test_every_form_of_a_date(text, seconds):
    assert parse_time(text, Clock(NOW)) == pytest.approx(seconds, abs=1e-5)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z", "Foo 12 10:00:00", "1.5"]
)
def test_a_text_without_a_date(text):
    assert parse_time(text, Clock(NOW)) is None


def test_a_stamp_without_a_year_needs_to_know_the_present():
    assert parse_time("Nov 20 22:20:29", Clock()) is None
    assert parse_time("2026-11-20T22:20:29Z", Clock()) == 1795213229


def test_a_stamp_without_a_zone_is_local():
    assert parse_time("2026-11-20 22:20:29", Clock(NOW, utc_offset=3600)) == 1795209629
    assert parse_time("2026-11-20 22:20:29", Clock(NOW, utc_offset=lambda local: -local)) == 2 * 1795213229


def test_an_uptime_needs_the_boots_time():
    assert Clock(boot_time=1000).from_uptime(2.5) == 1002.5
    assert Clock().from_uptime(2.5) is None
    assert Clock(boot_time=1000).from_uptime(None) is None


def test_digits_behind_the_point():
    assert fraction(".25") == fraction(",25") == 0.25
    assert fraction(None) == 0
