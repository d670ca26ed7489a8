# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory's settings that a host is judged by."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import listeners as proc_listeners
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import box as box_settings


class Templar:
    """Ansible's templar, for values without templates, and for one template."""

    def template(self, value):
        return "1 GB" if value == "{{ memory }}" else value


def listeners(**variables):
    return set(box_settings.listeners(Templar(), variables)) - set(proc_listeners.ON_ANY_BOX)


@pytest.mark.parametrize(("expected", "tells"), [(None, False), ([], False), ([{"name": "tcp/80"}], True)])
def test_whether_the_inventory_tells_the_purpose(expected, tells):
    assert box_settings.tells_purpose(Templar(), {"service_lockdown_expected": expected}) is tells
    assert not box_settings.tells_purpose(Templar(), {})


def test_what_listens_on_any_host_is_expected_and_can_be_taken_out():
    assert {"ssh.service", "dhclient"} <= set(box_settings.listeners(Templar(), {}))
    without = box_settings.listeners(
        Templar(), {"service_lockdown_expected": [{"name": "dhclient", "state": "absent"}, {"name": "tcp/80"}]}
    )
    assert "dhclient" not in without
    assert "tcp/80" in without


def test_a_workers_queue_is_expected_if_the_inventory_requires_the_worker():
    assert listeners() == {"sidekiq*", "resque*"}
    assert listeners(max_sidekiq_memory="1 GB") == {"sidekiq*", "resque*", "redis*", "valkey*"}
    assert listeners(max_sidekiq_memory="1 GB", service_lockdown_worker_needs=[]) == {"sidekiq*", "resque*"}
    assert listeners(
        service_lockdown_workers=[],
        service_lockdown_protected=["web"],
        sidekiq_watchdog_workers=[{"name": "crawl", "max_memory": "1 GB"}, {"name": "old", "state": "absent"}],
        service_lockdown_worker_needs=["queue"],
    ) == {"web", "crawl", "queue"}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"service_lockdown_expected": "nginx"}, "service_lockdown_expected: not a list ('nginx')"),
        (
            {"service_lockdown_expected": [{"name": "tcp/0"}]},
            "service_lockdown_expected: not a port, unit or process name ('tcp/0')",
        ),
        ({"service_lockdown_protected": "web"}, "service_lockdown_protected: not a list of units ('web')"),
        ({"service_lockdown_workers": [1]}, "service_lockdown_workers: not a list of units ([1])"),
    ],
)
def test_an_error_names_the_variable(variables, words):
    with pytest.raises(SettingsError) as caught:
        box_settings.listeners(Templar(), variables)
    assert words in str(caught.value)


def test_templates_of_a_layer_are_resolved():
    assert box_settings.layers("limit", Templar(), {"limit": "{{ memory }}"}) == [("limit", "1 GB")]


def test_thresholds_are_merged_and_an_option_is_the_last_layer():
    layer = {"lifeline_thresholds": {"disk_used_percent": {"warning": 50}}}
    found = box_settings.thresholds(Templar(), layer, {"disk_used_percent": {"critical": 60}})
    assert found["disk_used_percent"] == {"warning": 50, "critical": 60}
    assert found["memory_available_percent"] == {"warning": 25, "critical": 10}
    with pytest.raises(SettingsError, match="lifeline_thresholds.*nonsense"):
        box_settings.thresholds(Templar(), {"lifeline_thresholds": {"nonsense": 1}})


@pytest.mark.parametrize(
    ("variables", "option", "found"),
    [
        ({}, None, [("sidekiq", None, False)]),
        ({"max_sidekiq_memory": "{{ memory }}"}, None, [("sidekiq", "1 GB", True)]),
        ({"sidekiq_watchdog_workers": [{"name": "crawl", "max_memory": "2 GB"}]}, None, [("crawl", "2 GB", True)]),
        ({"lifeline_workers": [{"name": "resque"}], "max_sidekiq_memory": "1 GB"}, None, [("resque", None, True)]),
        ({"lifeline_workers": [{"name": "resque"}]}, [{"name": "puma"}], [("puma", None, True)]),
        ({"lifeline_workers": [{"name": "resque"}]}, [], []),
    ],
)
def test_the_workers_come_from_the_first_setting_that_there_is(variables, option, found):
    workers = box_settings.workers(Templar(), variables, option)
    assert [(worker.name, worker.max_memory, worker.required) for worker in workers] == found


def test_sidekiq_workers_are_declared_or_described_by_single_variables():
    declared = [{"name": "crawl", "max_memory": "1 GB"}, {"name": "old", "state": "absent"}]
    assert box_settings.sidekiq_workers(Templar(), {"sidekiq_watchdog_workers": declared}) == (declared[:1], {})
    assert box_settings.sidekiq_workers(Templar(), {"max_sidekiq_memory": ""}) == ([], {})
    (worker,), names = box_settings.sidekiq_workers(
        Templar(), {"max_sidekiq_memory": "{{ memory }}", "app_base": "/var/www/app/", "max_sidekiq_threads": 5}
    )
    assert worker == {
        "name": "sidekiq",
        "on_repeat": "give_up",
        "app_path": "/var/www/app/current",
        "max_memory": "1 GB",
        "threads": 5,
        "environment": None,
    }
    assert names["max_memory"] == "max_sidekiq_memory"


@pytest.mark.parametrize(
    ("variables", "commands"),
    [
        ({}, {}),
        ({"sidekiq_restart_command": "svc -t /service/sk"}, {"sidekiq": "svc -t /service/sk"}),
        ({"lifeline_workers": [{"name": "a", "restart_command": "x"}, {"name": "b"}]}, {"a": "x"}),
        ({"lifeline_workers": [{"name": "a"}], "sidekiq_restart_command": "x"}, {}),
        ({"sidekiq_watchdog_workers": [{"name": "a", "restart_command": "x"}]}, {"a": "x"}),
    ],
)
def test_commands_that_restart_workers_come_from_the_inventory(variables, commands):
    assert box_settings.restart_commands(Templar(), variables) == commands


@pytest.mark.parametrize("value", ["echo 'a'", "a\nb", "wow!", ["svc", "-t"], 7])
def test_a_restart_command_that_is_no_plain_line_is_refused(value):
    with pytest.raises(SettingsError, match="^sidekiq_restart_command: not one line without single quotes and ! "):
        box_settings.restart_commands(Templar(), {"sidekiq_restart_command": value})
    with pytest.raises(SettingsError, match="^lifeline_workers: a: restart_command: not one line"):
        box_settings.restart_commands(Templar(), {"lifeline_workers": [{"name": "a", "restart_command": value}]})
