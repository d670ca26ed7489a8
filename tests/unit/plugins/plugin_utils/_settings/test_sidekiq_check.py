# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test monit's check of a worker."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import thresholds as judge_thresholds
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import monit as monit_settings, sidekiq_check
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings.sidekiq import Worker, resolve

GB = 1 << 30
COMMANDS = {
    "manager": "command",
    "pidfile": "/var/run/app.pid",
    "start_command": "/opt/start",
    "stop_command": "/opt/stop",
}


def rules(**settings):
    (found,) = resolve([{"name": "sidekiq", "app_path": "/srv/app", **settings}], {}, None, "box1")
    return monit_settings.text(dict(found.check)).splitlines()


def test_a_check_has_the_worker_s_name_and_pidfile():
    found = sidekiq_check.check(Worker("mail", pidfile="/run/mail/sidekiq.pid"), None)
    assert (found["name"], found["check"], found["with"]) == ("mail", "process", "pidfile /run/mail/sidekiq.pid")


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
    (found,) = resolve([entry], {}, None, "box1", thresholds=thresholds)
    assert "if filedescriptors >= 900 for 2 cycles then restart" in found.check["rules"]
    thresholds["process_fds_used_percent"]["critical"] = None
    (found,) = resolve([entry], {}, None, "box1", thresholds=thresholds)
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
    lines = rules(max_memory="1 GB", **COMMANDS)
    assert lines[0] == "check process sidekiq with pidfile /var/run/app.pid"
    assert '  start program = "/opt/start" with timeout 130 seconds' in lines
    assert not any("restart program" in line for line in lines)
    assert "  if does not exist for 2 cycles then start" in lines
