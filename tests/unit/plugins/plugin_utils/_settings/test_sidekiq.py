# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings derived from a worker's few numbers, and those that are refused."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings.box import SEED
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings.sidekiq import resolve

GB, MB = 1 << 30, 1 << 20
FOUND = {
    "app_path_exists": True,
    "config_file": "/srv/app/config/sidekiq.yml",
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
        ({"max_memory": "13 GBs"}, "max_memory: not a size ('13 GBs')"),
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
        ({"app_path": "srv/app"}, "app_path: not absolute ('srv/app'); begin it with /"),
        ({"environment": "pro duction"}, "environment: not a name ('pro duction'); use letters, digits"),
        ({"user": "a%b"}, "user: not a name ('a%b'); use letters, digits"),
        ({"app_path": None}, "app_path: missing; set the directory of the application"),
        (
            {"app_path": "/srv/my app"},
            "app_path: a path that systemd and the shell would change ('/srv/my app'); use a path without",
        ),
        ({"pidfile": "/run/x.pid"}, "pidfile: not used with manager systemd ('/run/x.pid'); remove it"),
        ({"max_age": "5"}, "max_age: less than a minute ('5'); write a unit"),
        ({"max_age": "soon"}, "max_age: not a duration ('soon')"),
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


@pytest.mark.parametrize(
    ("declared", "defaults", "variables", "name"),
    [
        ({"command": "x"}, {"command": "y"}, None, "sidekiq_watchdog_workers: sidekiq: command"),
        ({}, {"command": "y"}, None, "sidekiq_watchdog_command"),
        ({}, {"command": ""}, None, "sidekiq_watchdog_workers: sidekiq: command"),
        ({}, {"command": ""}, SEED, "sidekiq_watchdog_command"),
    ],
)
def test_a_message_names_the_variable_that_the_user_wrote_or_can_write(declared, defaults, variables, name):
    broken = {**BOX, "workers": {"sidekiq": {**FOUND, "command_error": "no such program"}}}
    with pytest.raises(SettingsError) as error:
        resolve([{"name": "sidekiq", "app_path": "/srv/app", **declared}], defaults, broken, "box1", variables)
    assert str(error.value) == f"box1: {name}: no such program"


def test_the_words_of_a_command_keep_their_quotes():
    found = {**FOUND, "command": "/bin/bash -lc 'exec bundle exec sidekiq \"$@\"' sidekiq"}
    line = worker(box={**BOX, "workers": {"sidekiq": found}}, command="bash -lc 'bundle exec sidekiq'")["exec"]
    assert line == (
        '/bin/bash -lc "exec bundle exec sidekiq \\"$$@\\"" sidekiq '
        "-e production -C /srv/app/config/sidekiq.yml -c 10 -t 25"
    )


def test_variables_are_the_text_of_a_file():
    assert worker(variables={"A": "ü\n", "B": True, "C": None})["environment_text"] == 'A="ü\n"\nB="true"\n'
    assert "sidekiq: variables: A: not a text (list)" in refused(variables={"A": []})


def test_only_the_user_that_the_role_creates_may_be_missing():
    gone = {**BOX, "workers": {"sidekiq": {**FOUND, "user": "deploy", "user_exists": False}}}
    assert "user: no such user on the box ('deploy'); create the user" in refused(box=gone)
    created = {**BOX, "workers": {"sidekiq": {**FOUND, "user": "sidekiq", "user_exists": False}}}
    assert worker(box=created)["user"] == "sidekiq"


@pytest.mark.parametrize(
    ("threads", "paths", "writes"),
    [
        ((5, 2), ("/srv/app", "/srv/app/"), False),
        ((5, 5), ("/srv/app", "/srv/app"), True),
        ((5, 2), ("/srv/app", "/srv/mail"), True),
    ],
)
def test_workers_that_share_a_file_with_different_threads_leave_it_alone(threads, paths, writes):
    declared = [
        {"name": f"worker{number}", "app_path": path, "threads": count}
        for number, (count, path) in enumerate(zip(threads, paths, strict=True))
    ]
    assert [one.writes_threads for one in resolve(declared, {}, None, "box1")] == [writes] * 2
    linked = {"worker0": {**FOUND}, "worker1": {**FOUND}}
    shared = resolve(declared, {}, {**BOX, "workers": linked}, "box1")
    assert [one.writes_threads for one in shared] == [threads[0] == threads[1]] * 2, "both paths lead to one file"
