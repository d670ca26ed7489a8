# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may listen on a box, out of the variables of its inventory."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import listeners as proc_listeners
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import box as box_settings


class Templar:
    def template(self, value):
        return value


def listeners(**variables):
    return set(box_settings.listeners(Templar(), variables)) - set(proc_listeners.ON_ANY_BOX)


@pytest.mark.parametrize(("expected", "tells"), [(None, False), ([], False), ([{"name": "tcp/80"}], True)])
def test_whether_the_inventory_tells_the_purpose(expected, tells):
    assert box_settings.tells_purpose(Templar(), {"service_lockdown_expected": expected}) is tells
    assert not box_settings.tells_purpose(Templar(), {})


def test_what_listens_on_any_box_is_expected_and_can_be_taken_out():
    assert {"ssh.service", "dhclient"} <= set(box_settings.listeners(Templar(), {}))
    without = box_settings.listeners(
        Templar(), {"service_lockdown_expected": [{"name": "dhclient", "state": "absent"}, {"name": "tcp/80"}]}
    )
    assert "dhclient" not in without
    assert "tcp/80" in without


def test_a_workers_queue_is_expected_where_the_inventory_requires_the_worker():
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
        ({"service_lockdown_expected": "nginx"}, "service_lockdown_expected is 'nginx'"),
        ({"service_lockdown_expected": [{"name": "tcp/0"}]}, "service_lockdown_expected: 'tcp/0'"),
        ({"service_lockdown_protected": "web"}, "service_lockdown_protected is 'web'"),
        ({"service_lockdown_workers": [1]}, "service_lockdown_workers is [1]"),
    ],
)
def test_what_cannot_be_expected_is_an_error(variables, words):
    with pytest.raises(SettingsError) as caught:
        box_settings.listeners(Templar(), variables)
    assert words in str(caught.value)
