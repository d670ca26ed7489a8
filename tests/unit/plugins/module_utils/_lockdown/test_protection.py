# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown import protection
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import parse_units


def unit(name, **more):
    (found,) = parse_units(f"Id={name}\nNames={name}\nLoadState=loaded\nActiveState=active\n")
    return {**found, **more}


@pytest.mark.parametrize(
    "name",
    [
        "ssh.service",
        "sshd.service",
        "ssh.socket",
        "ssh@1.service",
        "sshd-session.service",
        "dbus.service",
        "dbus-broker.service",
        "dbus.socket",
        "systemd-journald.service",
        "systemd-networkd.socket",
        "networking.service",
        "NetworkManager.service",
        "ifup@eth0.service",
        "cloud-init.service",
        "cloud-final.service",
        "monit.service",
        "fail2ban.service",
        "nftables.service",
        "ufw.service",
        "getty@tty1.service",
        "user@0.service",
        "wg-quick@wg0.service",
        "sidekiq.service",
        "sidekiq-crawler.service",
        "carrier.service",
        "lifeline-firewall.service",
    ],
)
def test_protected(name):
    assert protection.protection([name], ["sidekiq*"], {"carrier.service"})
    with pytest.raises(protection.Refused, match=name):
        protection.refuse([unit(name)], [(name, name)], ["sidekiq*"], {"carrier.service"})


@pytest.mark.parametrize(
    "name",
    [
        "sendmail.service",
        "apache2.service",
        "httpd.service",
        "redis-server.service",
        "memcached.service",
        "varnish.service",
        "exim4.service",
        "postfix@-.service",
        "cups.socket",
        "exim4-base.timer",
        "nginx.service",
    ],
)
def test_not_protected(name):
    assert protection.protection([name], ["sidekiq*"], {"ssh.service"}) is None
    protection.refuse([unit(name)], [(name, name)], ["sidekiq*"], {"ssh.service"})


def test_an_alias_of_a_protected_unit_is_refused():
    door = unit("ssh.service", Names=["ssh.service", "door.service"])
    with pytest.raises(protection.Refused, match=r"^door \(ssh.service\) may not be stopped: it is the way in$"):
        protection.refuse([door], [("door", "ssh.service")], [], ())
    with pytest.raises(protection.Refused, match="sshd"):
        protection.refuse([], [("sshd", "sshd.service")], [], ())


def test_a_protected_unit_that_would_be_stopped_with_it_is_named():
    with pytest.raises(
        protection.Refused,
        match="base may not be stopped: monit.service would be stopped with it, and it is what watches",
    ):
        protection.refuse([unit("base.service", RequiredBy=["monit.service"])], [("base", "base.service")], [], ())
    protection.refuse(
        [dict(unit("base.service", RequiredBy=["monit.service"]), ActiveState="inactive")],
        [("base", "base.service")],
        [],
        (),
    )


def test_all_refused_units_are_reported_at_once():
    with pytest.raises(protection.Refused) as raised:
        protection.refuse([], [("ssh", "ssh.service"), ("dbus", "dbus.service")], [], ())
    assert "ssh may not" in str(raised.value)
    assert "dbus may not" in str(raised.value)


def test_partners_of_units():
    assert protection.partners(unit("cups.service", TriggeredBy=["cups.socket", "cups.path", "x.automount"])) == [
        "cups.socket",
        "cups.path",
    ]
    assert protection.partners(unit("cups.socket", Triggers=["cups.service"])) == ["cups.service"]
    assert protection.partners(unit("daily.timer", Triggers=["daily.service"])) == []


def test_units_that_the_worker_needs():
    redis = unit("redis-server.service", Names=["redis.service", "redis-server.service"])
    sidekiq = unit("sidekiq.service")
    assert protection.needed_by(redis, [sidekiq], ["redis*"]) == "sidekiq.service"
    assert protection.needed_by(redis, [sidekiq], []) is None
    assert protection.needed_by(redis, [], ["redis*"]) is None
    assert protection.needed_by(redis, [unit("sidekiq.service", Wants=["redis.service"])], []) == "sidekiq.service"
    assert protection.needed_by(unit("varnish.service"), [sidekiq], ["redis*", "valkey*"]) is None


def test_the_preset_enables_before_it_disables():
    lines = [line for line in protection.preset(["nginx.service"]).splitlines() if not line.startswith("#")]
    assert lines[-3:] == ["disable *.service", "disable *.socket", "disable *.path"]
    assert {"enable nginx.service", "enable ssh.*", "enable systemd-*", "enable cron.service"} <= set(lines)
    assert all(line.startswith("enable ") for line in lines[:-3])
    assert lines == [
        line for line in protection.preset(["nginx.service", "nginx.service"]).splitlines() if not line.startswith("#")
    ]
