# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watchdog's records of workers, and their pidfiles."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import watchdog


def test_parse_a_full_record():
    text = "restarts 3\ngiven_up 2026-11-20T08:00:00Z\npaused 2026-11-20T09:00:00Z\n"
    assert watchdog.parse(text) == {"restarts": 3, "given_up": True, "paused": True}


@pytest.mark.parametrize(
    "text", ["", "restarts", "restarts -1", "restarts many", "restarts 9999999999", "restarts \u0663", "\x00\n\n"]
)
def test_parse_counts_nothing_of_a_damaged_record(text):
    assert watchdog.parse(text) == {"restarts": 0, "given_up": False, "paused": False}


def test_read_keeps_records_by_name_and_pids_by_path():
    found = watchdog.read(
        {
            "/run/lifeline/watchdog/crawler": "restarts 1\n",
            "/run/lifeline/watchdog/mailer": "",
            "/run/crawler/sidekiq.pid": "2172\n",
            "/proc/meminfo": "MemTotal: 1 kB\n",
        }
    )
    assert list(found["noted"]) == ["crawler", "mailer"]
    assert found["noted"]["crawler"]["restarts"] == 1
    assert found["pids"] == {"/run/crawler/sidekiq.pid": 2172}


@pytest.mark.parametrize("text", ["", "-1", "12 34", "0x10", "1" * 12, "\u0663", "\u00b2"])
def test_read_skips_a_pidfile_without_a_number(text):
    assert watchdog.read({"/run/a/sidekiq.pid": text})["pids"] == {}


def test_read_takes_a_pid_with_control_characters_around_it():
    assert watchdog.read({"/run/a/sidekiq.pid": "1\x1c"})["pids"] == {"/run/a/sidekiq.pid": 1}
