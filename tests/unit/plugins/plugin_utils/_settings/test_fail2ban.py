# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test which fail2ban settings are accepted, and the messages for those that are refused."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import fail2ban as fail2ban_settings

VALUES = {
    "maxretry": 5,
    "findtime": "10m",
    "bantime": "10m",
    "bantime_increment": True,
    "bantime_factor": 1,
    "bantime_maxtime": "1w",
    "bantime_rndtime": "60s",
    "remember": "8d",
}


def jail(**keys):
    return fail2ban_settings.jails([{"name": "web", **keys}])[0]["settings"]


def test_settings_by_fail2ban_s_names():
    assert fail2ban_settings.settings(VALUES) == {
        "maxretry": 5,
        "findtime": "10m",
        "bantime": "10m",
        "bantime.increment": True,
        "bantime.factor": 1,
        "bantime.maxtime": "1w",
        "bantime.rndtime": "60s",
    }


def test_text_as_it_comes_from_a_command_line_or_an_ini_file():
    given = fail2ban_settings.settings(
        {**VALUES, "maxretry": "3", "bantime_increment": "false", "bantime_factor": "1.5", "bantime_rndtime": 0}
    )
    assert (given["maxretry"], given["bantime.increment"], given["bantime.factor"], given["bantime.rndtime"]) == (
        3,
        False,
        1.5,
        0,
    )


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("maxretry", 0, "a number above 0"),
        ("maxretry", "many", "a number above 0"),
        ("maxretry", True, "a number above 0"),
        ("maxretry", 2.5, "a number above 0"),
        ("maxretry", None, "a number above 0"),
        ("findtime", "10 parsecs", "seconds, or a time"),
        ("findtime", -1, "seconds, or a time"),
        ("bantime", 0, "-1 for a ban without end"),
        ("bantime", "-2", "-1 for a ban without end"),
        ("bantime_increment", "perhaps", "true or false"),
        ("bantime_increment", [], "true or false"),
        ("bantime_factor", 0, "a number above 0"),
        ("bantime_factor", "nan", "a number above 0"),
        ("bantime_maxtime", -1, "seconds"),
        ("bantime_rndtime", "1x", "or 0"),
        ("remember", "ever", "seconds"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_what_is_allowed(key, value, allowed):
    with pytest.raises(SettingsError) as error:
        fail2ban_settings.settings({**VALUES, key: value})
    assert str(error.value).startswith(f"fail2ban_{key}: wrong value ({value!r}); use ")
    assert allowed in str(error.value)


def test_a_ban_is_not_forgotten_before_its_end():
    with pytest.raises(SettingsError, match=r"fail2ban_remember: less than a ban may last \('1d'\); use 1w or more"):
        fail2ban_settings.settings({**VALUES, "remember": "1d"})
    with pytest.raises(SettingsError, match=r"less than a ban may last \(.*\); use 30d or more"):
        fail2ban_settings.settings({**VALUES, "bantime": "30d", "bantime_increment": False})
    fail2ban_settings.settings({**VALUES, "bantime": -1, "bantime_increment": False})


def test_a_jail_reads_the_journal_unless_it_has_a_file():
    assert jail() == {"enabled": True, "backend": "systemd"}
    assert jail(logpath="/var/log/a.log")["backend"] == "auto"
    assert jail(logpath="/var/log/a.log", backend="polling")["backend"] == "polling"


def test_a_jail_s_keys_by_fail2ban_s_names():
    assert jail(
        port=[80, "https", "6000:6010"],
        bantime_increment=False,
        maxretry="3",
        ignore=["192.0.2.0/24"],
        options={"usedns": "no"},
    ) == {
        "enabled": True,
        "backend": "systemd",
        "port": "80,https,6000:6010",
        "bantime.increment": False,
        "maxretry": 3,
        "ignoreip": ["192.0.2.0/24"],
        "usedns": "no",
    }


def test_the_mode_is_for_whatever_filter_the_jail_has():
    assert jail(filter="sshd", mode="ddos")["filter"] == "sshd[mode=%(mode)s]"
    assert jail(filter="sshd[mode=extra]")["filter"] == "sshd[mode=extra]"


@pytest.mark.parametrize("keys", [{"state": "absent"}, {"enabled": False}, {"enabled": "no", "maxretry": 3}])
def test_a_jail_that_is_not_to_run_is_said_not_to(keys):
    assert jail(**keys) == {"enabled": False}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"name": "DEFAULT"}, "not a jail's name ('DEFAULT'); use letters"),
        ({"name": "a]\n[b"}, "not a jail's name"),
        ({"name": "-x"}, "not a jail's name"),
        ({"state": "gone"}, "fail2ban_jails (web).state: unknown ('gone'); use present or absent"),
        (
            {"maxretires": 3},
            "fail2ban_jails (web): unknown key ('maxretires'); use one of name, state, ignore, action",
        ),
        ({"maxretry": "x"}, "fail2ban_jails (web).maxretry: wrong value ('x'); use a number above 0"),
        ({"filter": "a\nenabled = false"}, "fail2ban_jails (web).filter: wrong value ("),
        ({"filter": ""}, "; use a filter's name"),
        ({"logpath": []}, "; use a path or a list of them"),
        ({"logpath": [3]}, "; use a path or a list of them"),
        ({"port": 0}, "; use a port"),
        ({"port": 65536}, "; use a port"),
        ({"port": "20:10"}, "; use a port"),
        ({"port": "1:2:3"}, "; use a port"),
        ({"port": True}, "; use a port"),
        ({"port": "a b"}, "; use a port"),
        ({"port": "$(id)"}, "; use a port"),
        ({"port": []}, "; use a port"),
        ({"protocol": "icmp"}, "; use tcp, udp or tcp,udp"),
        ({"ignore": "192.0.2.1"}, "not a list ('192.0.2.1'); give a list of addresses"),
        ({"ignore": ["192.0.2.1/24"]}, ".ignore[0]: not an address or a network ('192.0.2.1/24')"),
        ({"ignore": [7]}, ".ignore[0]: not an address or a network (7)"),
        ({"options": {"a b": 1}}, "a dictionary of fail2ban's own settings"),
        ({"options": {"a": "b\nc"}}, "a dictionary of fail2ban's own settings"),
        ({"options": []}, "a dictionary of fail2ban's own settings"),
        (
            {"options": {"maxretry": 3}},
            "fail2ban_jails (web).options: a setting that the jail has a key for ('maxretry'); set that key",
        ),
        ({"options": {"bantime.increment": True}}, "a setting that the jail has a key for ('bantime.increment')"),
        ({"options": {"ignoreip": "0.0.0.0/0"}}, "a setting that the jail has a key for ('ignoreip')"),
    ],
)
def test_a_wrong_jail_is_named_with_its_key_its_value_and_what_is_allowed(keys, said):
    with pytest.raises(SettingsError) as error:
        jail(**keys)
    assert said in str(error.value)


def test_jails_still_ban_if_all_addresses_are_allowed():
    assert fail2ban_settings.without_everyone(["0.0.0.0/0", "192.0.2.0/24", "::/0", "2001:db8::1"]) == [
        "192.0.2.0/24",
        "2001:db8::1",
    ]
