# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from a worker's few numbers, and what is refused."""

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
    return found


def refused(**settings):
    with pytest.raises(SettingsError) as error:
        worker(**settings)
    return str(error.value)


def test_the_kernel_s_ceiling_lies_a_fifth_above_monit_s_limit():
    found = worker(max_memory="10 GB")
    assert (found["limit_bytes"], found["ceiling_bytes"]) == (10 * GB, 12 * GB)


def test_where_a_fifth_is_more_than_the_box_has_the_ceiling_lies_halfway():
    found = worker(max_memory="13 GB", box={**BOX, "memory_bytes": 15666140 * 1024})
    assert found["limit_bytes"] < found["ceiling_bytes"] < 15666140 * 1024
    assert found["ceiling_bytes"] == (13 * GB + 15666140 * 1024) // 2


def test_a_percentage_is_of_the_box_s_memory():
    assert worker(max_memory="50%")["limit_bytes"] == 8 * GB


@given(job=st.integers(1, 10000), start=st.integers(1, 10000))
def test_each_timeout_is_longer_than_what_it_waits_for_whatever_is_given(job, start):
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
    assert "it must be more than" in refused(**settings)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"max_memory": "13 GBs"}, "max_memory: '13 GBs' is no size"),
        ({"max_memory": "16 GB"}, "max_memory is '16 GB': it must be less than the memory of the box, which is 16G"),
        ({"max_memory": 13312}, "max_memory is 13312: it must be 1 MB or more: write a unit"),
        ({"max_memory": "10 GB", "ceiling": "9 GB"}, "ceiling is '9 GB': it must be more than max_memory"),
        ({"max_memory": "10 GB", "ceiling": "17 GB"}, "ceiling is '17 GB': it must be at most the memory of the box"),
        ({"threads": 0}, "threads is 0: it must be a whole number, 1 or more"),
        ({"threads": "many"}, "threads is 'many'"),
        ({"threads": True}, "threads is True"),
        ({"restarts": 6, "within_cycles": 5}, "restarts is 6: it must be at most within_cycles, which is 5"),
        ({"on_repeat": "panic"}, "on_repeat is 'panic': it must be give_up or alert"),
        ({"manager": "upstart"}, "manager is 'upstart': it must be systemd or command"),
        ({"app_path": None}, "app_path is None: it must be the directory of the application"),
        ({"app_path": "/srv/my app"}, "app_path is '/srv/my app': it must be a path without blanks"),
        ({"pidfile": "/run/x.pid"}, "pidfile is '/run/x.pid': it must be left out"),
        ({"max_age": "5"}, "max_age is '5': it must be a minute or more"),
        ({"max_age": "soon"}, "max_age: 'soon'"),
        ({"memory": "1 GB"}, "sidekiq: memory is no key of a worker"),
        ({**COMMANDS, "start_command": None}, "start_command is None: it must be given where manager is command"),
        (COMMANDS, "pidfile is '/var/run/app.pid': it must be a file that the running worker writes its number to"),
    ],
)
def test_what_could_never_work_is_named_with_host_key_value_and_what_would(settings, complaint):
    message = refused(**settings)
    assert message.startswith("box1: sidekiq_watchdog_workers: sidekiq: ")
    assert complaint in message


def test_a_seed_inventory_is_told_of_its_own_variables():
    with pytest.raises(SettingsError, match="^box1: max_sidekiq_threads is 'x'"):
        resolve([{"name": "sidekiq", "app_path": "/srv/app", "threads": "x"}], {}, BOX, "box1", SEED)


def test_a_missing_application_and_a_program_that_is_not_there_are_refused():
    gone = {**BOX, "workers": {"sidekiq": {**FOUND, "app_path_exists": False}}}
    assert "app_path is '/srv/app': it must be a directory on the box" in refused(box=gone)
    broken = {**BOX, "workers": {"sidekiq": {**FOUND, "command_error": "there is no program bundle"}}}
    assert "command: there is no program bundle" in refused(box=broken)


def test_boxes_of_a_fleet_do_not_restart_together_and_each_keeps_its_time():
    ages = [worker(host=f"box{number}", max_age="30m")["max_age_seconds"] for number in range(200)]
    assert ages == [worker(host=f"box{number}", max_age="30m")["max_age_seconds"] for number in range(200)]
    assert 1800 <= min(ages) < max(ages) <= 1800 * 1.2
    assert len(set(ages)) > 100


def rules(**settings):
    found = worker(**settings)
    return monit_settings.text(found["check"]).splitlines()


def test_monit_acts_through_systemd_only_and_leaves_the_dead_to_it():
    lines = rules(max_memory="10 GB")
    assert lines[0] == "check process sidekiq with pidfile /run/sidekiq/sidekiq.pid"
    assert [line.split()[3].strip('"') for line in lines if " program = " in line] == [
        "/usr/local/sbin/sidekiq-watchdog"
    ] * 3
    assert f"  if totalmem > {10 * GB} B for 3 cycles then restart" in lines
    assert "  if does not exist for 3 cycles then alert" in lines


def test_a_worker_that_runs_out_of_descriptors_is_restarted_where_health_calls_it_critical():
    assert "  if filedescriptors >= 15565 for 3 cycles then restart" in rules(open_files=16384)
    thresholds = judge_thresholds.merge([("all", {"process_fds_used_percent": {"critical": 90}})])
    entry = {"name": "sidekiq", "app_path": "/srv/app", "open_files": 1000, "cycles": 2}
    (found,) = resolve([entry], {}, BOX, "box1", thresholds=thresholds)
    assert "if filedescriptors >= 900 for 2 cycles then restart" in found["check"]["rules"]
    thresholds["process_fds_used_percent"]["critical"] = None
    (found,) = resolve([entry], {}, BOX, "box1", thresholds=thresholds)
    assert not any("filedescriptors" in rule for rule in found["check"]["rules"])


def test_what_happens_after_too_many_restarts():
    assert [line.strip() for line in rules() if "restarts within" in line] == [
        "if 3 restarts within 5 cycles then alert"
    ]
    assert [
        line.strip() for line in rules(on_repeat="give_up", restarts=2, within_cycles=9) if "restarts within" in line
    ] == [
        "if 2 restarts within 9 cycles then unmonitor",
        'if 2 restarts within 9 cycles then exec "/usr/local/sbin/sidekiq-watchdog give-up sidekiq" repeat every 1 cycles',
    ]


def test_another_supervisor_s_worker_is_started_and_stopped_by_its_own_commands():
    alive = {**BOX, "workers": {"sidekiq": {**FOUND, "pidfile_alive": True}}}
    lines = rules(box=alive, max_memory="1 GB", **COMMANDS)
    assert lines[0] == "check process sidekiq with pidfile /var/run/app.pid"
    assert '  start program = "/opt/start" with timeout 130 seconds' in lines
    assert not any("restart program" in line for line in lines)
    assert "  if does not exist for 2 cycles then start" in lines
