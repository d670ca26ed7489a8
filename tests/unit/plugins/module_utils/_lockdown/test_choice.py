# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which units a list of names leads to, on a host that is made of what systemctl prints."""

from __future__ import annotations

import fnmatch

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown import choice as lockdown_choice, protection
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import parse_units


class Systemd:
    """A host with units: lines as systemctl prints them, by the unit's name."""

    def __init__(self, units):
        self.units = units

    def show(self, names):
        return [self._one(name) for name in names]

    def _one(self, name):
        for unit_id, lines in self.units.items():
            text = f"Id={unit_id}\nLoadState=loaded\nActiveState=active\n{lines}"
            (unit,) = parse_units(text)
            if name in (unit_id, *unit["Names"]):
                return unit
        return parse_units(f"Id={name}\nLoadState=not-found\nActiveState=inactive\n")[0]

    def loaded(self, patterns):
        return [name for name in self.units if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]

    installed = loaded


def choose(systemd, *names, record=None, **options):
    stopped = [{"name": name, "masked": None, "state": "present"} if isinstance(name, str) else name for name in names]
    return lockdown_choice.Choice(
        systemd,
        {
            "stopped": stopped,
            "unexpected": [],
            "masked": False,
            "protected": [],
            "workers": ["sidekiq*"],
            "worker_needs": ["redis*"],
            "worker_expected": False,
            "takeover": "keep",
            "applications": [],
            **options,
        },
        record or {"units": {}},
    )


@pytest.fixture(autouse=True)
def unused(monkeypatch):
    """Let no process of the test's own host use a unit."""
    monkeypatch.setattr(lockdown_choice.usage, "users", lambda units, folders: {})


def masked(name):
    return {"name": name, "masked": True, "state": "present"}


def test_an_alias_leads_to_its_unit_and_a_missing_unit_is_reported():
    choice = choose(Systemd({"redis-server.service": "Names=redis-server.service redis.service\n"}), "redis", "postfix")
    assert choice.told() == {"units": ["redis-server.service"], "absent": ["postfix"], "left": [], "spared": []}


def test_an_alias_that_was_disabled_is_remembered():
    record = {"units": {"b.service": {"names": ["a.service", "b.service"]}}}
    assert list(choose(Systemd({"b.service": ""}), "a", record=record).units) == ["b.service"]


def test_units_that_would_start_it_again_are_stopped_and_masked_as_well():
    box = Systemd({"cups.service": "TriggeredBy=cups.socket cups.path\n", "cups.socket": "Triggers=cups.service\n"})
    choice = choose(box, masked("cups"))
    assert choice.masked == {"cups.service": True, "cups.socket": True}
    assert choice.absent == []


def test_a_template_stands_for_its_instances(monkeypatch):
    monkeypatch.setattr(lockdown_choice.os.path, "lexists", lambda path: path == "/lib/systemd/system/web@.service")
    choice = choose(Systemd({"web@a.service": "", "web@b.service": ""}), "web@.service", "none@.service")
    assert set(choice.units) == {"web@.service", "web@a.service", "web@b.service"}
    assert choice.absent == ["none@.service"]


def test_a_protected_unit_is_refused_by_name_and_by_alias():
    box = Systemd({"ssh.service": "Names=ssh.service door.service\n", "cron.service": ""})
    with pytest.raises(protection.Refused, match=r"^door \(ssh.service\) may not be stopped: it is the way in$"):
        choose(box, "cron", "door")
    with pytest.raises(protection.Refused, match=r"^cron may not be stopped"):
        choose(box, "cron", protected=["cron"])


def test_a_unit_that_carries_the_connection_is_refused(monkeypatch):
    monkeypatch.setattr(lockdown_choice, "carrying", lambda: {"rsh.service"})
    with pytest.raises(protection.Refused, match="carries the connection"):
        choose(Systemd({"rsh.service": ""}), "rsh")


def test_all_wrong_names_are_reported_at_once():
    with pytest.raises(protection.Refused, match=r"not a name of a unit \('a b'\).*; a target \('x.target'\)"):
        choose(Systemd({}), "a b", "x.target")


def test_a_workers_queue_is_spared_and_masking_it_is_refused():
    box = Systemd(
        {"sidekiq.service": "Wants=cache.service\n", "redis.service": "", "cache.service": "", "web.service": ""}
    )
    choice = choose(box, "redis", "cache", "web", masked=True)
    assert list(choice.units) == ["web.service"]
    assert {one["unit"]: one["needed_by"] for one in choice.spared} == {
        "redis.service": "sidekiq.service",
        "cache.service": "sidekiq.service",
    }
    with pytest.raises(
        protection.Refused, match=r"redis may not be masked: sidekiq.service needs redis.service; remove it"
    ):
        choose(box, masked("redis"))
    del box.units["sidekiq.service"]
    assert list(choose(box, "redis").units) == ["redis.service"]


def test_the_queue_of_a_worker_without_a_unit_is_spared_if_the_inventory_requires_the_worker():
    box = Systemd({"redis.service": "", "web.service": ""})
    choice = choose(box, "redis", "web", worker_expected=True)
    assert choice.spared == [{"unit": "redis.service", "needed_by": "the worker that the inventory requires"}]
    assert list(choice.units) == ["web.service"]


def test_a_queue_in_use_is_spared_refused_or_taken(monkeypatch):
    used = {"redis.service": "sidekiq (pid 7)"}
    monkeypatch.setattr(lockdown_choice.usage, "users", lambda units, folders: used if folders == ["/app"] else {})
    box = Systemd({"redis.service": "", "web.service": ""})
    choice = choose(box, "redis", "web", applications=["/app"])
    assert list(choice.units) == ["web.service"]
    assert choice.spared == [{"unit": "redis.service", "needed_by": "sidekiq (pid 7)"}]
    with pytest.raises(
        protection.Refused,
        match=r"^redis.service is used by sidekiq \(pid 7\); remove the entry, or set service_lockdown_takeover: keep",
    ):
        choose(box, "redis", "web", applications=["/app"], takeover="refuse")
    with pytest.raises(protection.Refused, match=r"^redis may not be masked: sidekiq \(pid 7\) needs redis.service"):
        choose(box, masked("redis"), applications=["/app"])
    taken = choose(box, "redis", "web", applications=["/app"], takeover="take")
    assert set(taken.units) == {"redis.service", "web.service"}


def test_an_unexpected_unit_that_is_protected_is_left_alone():
    box = Systemd({"ssh.service": "", "web.service": ""})
    choice = choose(box, unexpected=["ssh.service", "web.service", "session-3.scope", "gone.service"])
    assert list(choice.units) == ["web.service"]
    assert [one["unit"] for one in choice.left] == ["session-3.scope", "ssh.service"]
    assert choice.named == set()


def test_an_absent_entry_stops_nothing():
    assert choose(Systemd({"web.service": ""}), {"name": "web", "masked": None, "state": "absent"}).units == {}
