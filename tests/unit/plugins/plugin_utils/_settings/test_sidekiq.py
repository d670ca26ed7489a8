# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings derived from a worker's few numbers, and those that are refused."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import thresholds as judge_thresholds
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import monit as monit_settings
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings.box import SEED
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings.sidekiq import resolve

GB, MB = 1 << 30, 1 << 20
FOUND = {
    "app_path_exists": True,
    "user": "app",
    "user_exists": True,
    "user_error": None,
    "command": "/usr/bin/sidekiq",
    "command_error": None,
    "version": "7.3.2",
    "notify": True,
    "pidfile_alive": False,
    "restarts": 0,
    "given_up": False,
    "paused": False,
}
BOX = {"memory_bytes": 16 * GB, "systemd_version": 257, "workers": {"sidekiq": FOUND}}
COMMANDS = {
    "manager": "command",
    "pidfile": "/var/run/app.pid",
    "start_command": "/opt/start",
    "stop_command": "/opt/stop",
}


def worker(box=None, host="box1", defaults=None, **settings):
    (found,) = resolve([{"name": "sidekiq", "app_path": "/srv/app", **settings}], defaults or {}, box or BOX, host)
    return vars(found)


def refused(**settings):
    with pytest.raises(SettingsError) as error:
        worker(**settings)
    return str(error.value)


def test_the_kernel_s_ceiling_is_a_fifth_above_monit_s_limit():
    found = worker(max_memory="10 GB")
    assert (found["limit_bytes"], found["ceiling_bytes"]) == (10 * GB, 12 * GB)


def test_the_ceiling_is_halfway_to_the_host_s_memory_if_a_fifth_exceeds_it():
    found = worker(max_memory="13 GB", box={**BOX, "memory_bytes": 15666140 * 1024})
    assert found["limit_bytes"] < found["ceiling_bytes"] < 15666140 * 1024
    assert found["ceiling_bytes"] == (13 * GB + 15666140 * 1024) // 2


def test_a_percentage_is_taken_of_the_host_s_memory():
    assert worker(max_memory="50%")["limit_bytes"] == 8 * GB


@given(job=st.integers(1, 10000), start=st.integers(1, 10000))
def test_each_timeout_is_longer_than_the_one_that_it_waits_for(job, start):
    found = worker(timeout_seconds=job, start_seconds=start)
    assert job < found["stop_seconds"] < found["monit_stop_seconds"] < found["monit_restart_seconds"]
    assert start < found["monit_start_seconds"]
    assert found["monit_restart_seconds"] >= found["monit_stop_seconds"] + found["monit_start_seconds"]


@pytest.mark.parametrize(
    "settings",
    [
        {"timeout_seconds": 60, "stop_seconds": 60},
        {"stop_seconds": 90, "monit_stop_seconds": 30},
        {"monit_stop_seconds": 300, "monit_restart_seconds": 200},
        {"start_seconds": 100, "monit_start_seconds": 100},
    ],
)
def test_timeouts_in_the_wrong_order_are_refused(settings):
    assert "_seconds: too short (" in refused(**settings)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"max_memory": "13 GBs"}, "max_memory: '13 GBs' is not a size"),
        ({"max_memory": "16 GB"}, "max_memory: not less than the memory of the box ('16 GB'); use less than 16G"),
        ({"max_memory": 13312}, "max_memory: less than 1 MB (13312); write a unit, such as 13 GB"),
        ({"max_memory": "10 GB", "ceiling": "9 GB"}, "ceiling: not more than max_memory ('9 GB'); use more than 10G"),
        (
            {"max_memory": "10 GB", "ceiling": "17 GB"},
            "ceiling: more than the memory of the box ('17 GB'); use at most 16G",
        ),
        ({"threads": 0}, "threads: not a whole number above 0 (0); use 1 or more"),
        ({"threads": "many"}, "threads: not a whole number above 0 ('many')"),
        ({"threads": True}, "threads: not a whole number above 0 (True)"),
        ({"restarts": 6, "within_cycles": 5}, "restarts: more than within_cycles (6); use at most 5"),
        ({"on_repeat": "panic"}, "on_repeat: unknown action ('panic'); use give_up or alert"),
        ({"manager": "upstart"}, "manager: unknown manager ('upstart'); use systemd or command"),
        ({"app_path": None}, "app_path: missing; set the directory of the application"),
        (
            {"app_path": "/srv/my app"},
            "app_path: a path that systemd and the shell would change ('/srv/my app'); use a path without",
        ),
        ({"pidfile": "/run/x.pid"}, "pidfile: not used with manager systemd ('/run/x.pid'); remove it"),
        ({"max_age": "5"}, "max_age: less than a minute ('5'); write a unit"),
        ({"max_age": "soon"}, "max_age: 'soon'"),
        ({"memory": "1 GB"}, "sidekiq: memory: unknown key of a worker; use one of name, app_path"),
        ({**COMMANDS, "start_command": None}, "start_command: missing; manager command needs it"),
        ({**COMMANDS, "stop_command": 'say "x"'}, "stop_command: has a double quote or a line break ('say \"x\"')"),
        (COMMANDS, "pidfile: does not hold the ID of a running process ('/var/run/app.pid'); let the worker write"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_with_host_key_value_and_remedy(settings, complaint):
    message = refused(**settings)
    assert message.startswith("box1: sidekiq_watchdog_workers: sidekiq: ")
    assert complaint in message


def test_the_message_names_the_inventory_s_own_variable():
    with pytest.raises(
        SettingsError, match="^box1: max_sidekiq_threads: not a whole number above 0 .'x'.; use 1 or more$"
    ):
        resolve([{"name": "sidekiq", "app_path": "/srv/app", "threads": "x"}], {}, BOX, "box1", SEED)


def test_a_host_without_the_application_its_user_or_sidekiq_is_refused():
    gone = {**BOX, "workers": {"sidekiq": {**FOUND, "app_path_exists": False}}}
    assert "app_path: no such directory on the box ('/srv/app'); deploy the application" in refused(box=gone)
    unowned = {**BOX, "workers": {"sidekiq": {**FOUND, "user": None, "user_error": "/srv/app belongs to user ID 7"}}}
    assert refused(box=unowned) == (
        "box1: sidekiq_watchdog_workers: sidekiq: user: /srv/app belongs to user ID 7; "
        "set sidekiq_watchdog_user, or give the directory to a user"
    )
    broken = {**BOX, "workers": {"sidekiq": {**FOUND, "command_error": "no such program on the host (bundle)"}}}
    assert "command: no such program on the host (bundle)" in refused(box=broken)


def test_hosts_restart_at_different_ages_that_stay_the_same():
    ages = [worker(host=f"box{number}", max_age="30m")["max_age_seconds"] for number in range(200)]
    assert ages == [worker(host=f"box{number}", max_age="30m")["max_age_seconds"] for number in range(200)]
    assert 1800 <= min(ages) < max(ages) <= 1800 * 1.2
    assert len(set(ages)) > 100


def rules(**settings):
    found = worker(**settings)
    return monit_settings.text(found["check"]).splitlines()


def test_monit_acts_only_through_systemd_and_does_not_start_dead_workers():
    lines = rules(max_memory="10 GB")
    assert lines[0] == "check process sidekiq with pidfile /run/sidekiq/sidekiq.pid"
    assert [line.split()[3].strip('"') for line in lines if " program = " in line] == [
        "/usr/local/sbin/sidekiq-watchdog"
    ] * 3
    assert f"  if totalmem > {10 * GB} B for 3 cycles then restart" in lines
    assert "  if does not exist for 3 cycles then alert" in lines


def test_a_worker_without_descriptors_is_restarted_at_the_critical_threshold():
    assert "  if filedescriptors >= 15565 for 3 cycles then restart" in rules(open_files=16384)
    thresholds = judge_thresholds.merge([("all", {"process_fds_used_percent": {"critical": 90}})])
    entry = {"name": "sidekiq", "app_path": "/srv/app", "open_files": 1000, "cycles": 2}
    (found,) = resolve([entry], {}, BOX, "box1", thresholds=thresholds)
    assert "if filedescriptors >= 900 for 2 cycles then restart" in found.check["rules"]
    thresholds["process_fds_used_percent"]["critical"] = None
    (found,) = resolve([entry], {}, BOX, "box1", thresholds=thresholds)
    assert not any("filedescriptors" in rule for rule in found.check["rules"])


def test_too_many_restarts_alert_or_give_up():
    assert [line.strip() for line in rules() if "restarts within" in line] == [
        "if 3 restarts within 5 cycles then alert"
    ]
    assert [
        line.strip() for line in rules(on_repeat="give_up", restarts=2, within_cycles=9) if "restarts within" in line
    ] == [
        "if 2 restarts within 9 cycles then unmonitor",
        (
            'if 2 restarts within 9 cycles then exec "/usr/local/sbin/sidekiq-watchdog give-up sidekiq" '
            "repeat every 1 cycles"
        ),
    ]


def test_a_worker_of_another_manager_uses_its_own_commands():
    alive = {**BOX, "workers": {"sidekiq": {**FOUND, "pidfile_alive": True}}}
    lines = rules(box=alive, max_memory="1 GB", **COMMANDS)
    assert lines[0] == "check process sidekiq with pidfile /var/run/app.pid"
    assert '  start program = "/opt/start" with timeout 130 seconds' in lines
    assert not any("restart program" in line for line in lines)
    assert "  if does not exist for 2 cycles then start" in lines
