# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Monit's checks: the same numbers as health's, in monit's words."""

import re

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import thresholds as judge_thresholds
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import monit as monit_settings


def ready_made(*names, alarm="alert", workers=(), **levels):
    thresholds = judge_thresholds.merge([("a test", levels)])
    return {
        check["name"]: monit_settings.text(check)
        for check in monit_settings.ready_made(names, thresholds, workers, alarm, 22)
    }


def test_the_box_s_own_numbers_are_health_s():
    text = ready_made(
        "system",
        memory_available_percent={"warning": 12, "critical": 4},
        swap_used_percent={"warning": 50, "critical": 80},
        load_per_cpu={"warning": 4, "critical": None},
        fds_used_percent={"warning": 70, "critical": 90},
    )["lifeline_system"]
    assert text.splitlines() == [
        "check system lifeline_system",
        "  if swap usage >= 50% for 2 cycles then alert",
        "  if loadavg (5min) per core >= 4 for 2 cycles then alert",
        "  if filedescriptors >= 70% for 2 cycles then alert",
        "  if filedescriptors >= 90% for 2 cycles then alert",
    ]


def test_the_memory_program_gets_its_levels_and_those_of_the_companion():
    assert "check-memory 25 10 6144 2048" in ready_made("system")["lifeline_memory"]
    text = ready_made("system", memory_available_percent={"critical": 4}, memory_available_mib={"critical": 512})
    assert "check-memory 25 4 6144 512" in text["lifeline_memory"]
    assert "if status >= 2 for 2 cycles then alert" in text["lifeline_memory"]


def test_the_file_systems_program_gets_its_levels_and_a_dash_for_none():
    text = ready_made(
        "filesystems", disk_used_percent={"warning": 70, "critical": 80}, inodes_used_percent={"warning": None}
    )
    assert "check-filesystems 70 80 - - - 95 - 100000" in text["lifeline_filesystems"]


def test_what_strikes_runs_the_alarm_program():
    text = ready_made("oom", "sshd", alarm='exec "/opt/alarm"')
    assert all('then exec "/opt/alarm"' in check for check in text.values())


def test_a_check_without_a_level_is_none():
    assert ready_made("oom", oom_kills={"warning": None, "critical": None}) == {}


def test_a_name_that_nothing_has_is_refused():
    with pytest.raises(SettingsError, match=r"monit_ready_made: unknown check \('disc'\); use system, filesystems"):
        ready_made("disc")


@pytest.mark.parametrize(
    ("size", "percent", "value"),
    [
        ("300 MB", 80, "251658240 B"),
        ("1 GB", 100, "1073741824 B"),
        (1000, 33, "330 B"),
        (1001, 33, "331 B"),
        ("30%", 50, "15%"),
        ("33.3%", 80, "26.6%"),
    ],
)
def test_a_share_of_an_allowance(size, percent, value):
    assert monit_settings.share(size, percent) == value


@pytest.mark.parametrize(
    ("pattern", "posix"),
    [
        (r"^\S*sidekiq \d+\.\d+", "^[^[:space:]]*sidekiq [0-9]+\\.[0-9]+"),
        (r"a\sb\w", "a[[:space:]]b[[:alnum:]_]"),
        ("x{2,3}|y", "x{2,3}|y"),
    ],
)
def test_a_pattern_in_posix_words(pattern, posix):
    assert monit_settings.extended(pattern, "w") == posix


@pytest.mark.parametrize("pattern", [r"(?i)x", r"a.*?b", r"\bx", 'a"b', r"[\d]", r"(a)\1"])
def test_a_pattern_that_posix_cannot_say_is_refused(pattern):
    with pytest.raises(SettingsError, match="lifeline_workers: w: monit has no such regular expression"):
        monit_settings.extended(pattern, "w")


def test_a_check_is_its_lines():
    check = {"name": "x", "check": "file", "with": "path /x", "rules": ["if not exist then alert"]}
    assert monit_settings.text(check) == "check file x with path /x\n  if not exist then alert\n"
    assert monit_settings.checked([check, dict(check, name="y", state="absent")]) == [check]


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"name": "a b"}, "not a name ('a b'); use at most 100 letters"),
        ({"name": "../x"}, "not a name ('../x'); use at most 100 letters"),
        ({"check": "thing"}, "monit_checks: x: check: unknown kind ('thing'); use one of process"),
        ({"rulez": []}, "x: unknown key ('rulez')"),
        ({"state": "gone"}, "x: state: unknown ('gone'); use present or absent"),
        ({"rules": "if x"}, "x: rules: not a list of lines ('if x')"),
        ({"rules": ["a\nb"]}, "give statements of one line"),
        ({"with": "a\nb"}, "give one line"),
    ],
)
def test_what_is_no_check_is_refused(wrong, complaint):
    with pytest.raises(SettingsError, match=re.escape(complaint)):
        monit_settings.checked([{"name": "x", "check": "file", **wrong}])
