# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the meaning of sshd's configuration, and which users it would reject."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import sshd_config

KEYS = {
    "/home/ops/.ssh/authorized_keys": "# old\nssh-ed25519 AAAA ops\n",
    "/home/new/.ssh/authorized_keys": "\n# none\n",
}
OPEN = (
    "permitrootlogin prohibit-password\npubkeyauthentication yes\npasswordauthentication yes\n"
    "kbdinteractiveauthentication no\nauthorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2\n"
    "authorizedkeyscommand none\nauthenticationmethods any\n"
)


def user(name="ops", uid=1000, groups=("ops", "sudo"), password=True, address="192.0.2.7"):
    return sshd_config.User(name, uid, list(groups), "/home/" + name, password, address)


def refused(changes="", **who):
    values = sshd_config.effective(OPEN)
    values.update(sshd_config.effective(changes))
    return sshd_config.login_refused(values, user(**who), KEYS.get)


@pytest.mark.parametrize(
    ("changes", "who"),
    [
        ("", {}),
        ("passwordauthentication no", {}),
        ("pubkeyauthentication no", {}),
        ("pubkeyauthentication no\npasswordauthentication no\nkbdinteractiveauthentication yes", {}),
        ("passwordauthentication no\nauthorizedkeyscommand /usr/bin/keys", {"name": "new"}),
        ("allowusers root\nallowusers o?s@192.0.2.0/24", {}),
        ("allowgroups wheel sudo", {}),
        ("authenticationmethods publickey,password publickey", {"password": False}),
        ("permitrootlogin yes", {"name": "root", "uid": 0}),
        ("authorizedkeysfile /home/ops/.ssh/%h none", {}),
    ],
)
def test_a_user_that_can_log_in_is_not_refused(changes, who):
    assert refused(changes, **who) is None


@pytest.mark.parametrize(
    ("changes", "who", "why"),
    [
        ("passwordauthentication no", {"name": "new"}, "there is no key in /home/new/.ssh/authorized_keys"),
        ("pubkeyauthentication no", {"password": False}, "keys are off, and the user has no password"),
        ("", {"name": "root", "uid": 0}, "there is no key"),
        ("permitrootlogin no", {"name": "root", "uid": 0}, "PermitRootLogin no keeps root out"),
        ("permitrootlogin forced-commands-only", {"name": "root", "uid": 0}, "PermitRootLogin forced-commands-only"),
        ("allowusers root", {}, "AllowUsers root keeps ops out"),
        ("allowusers ops@198.51.100.*", {}, "AllowUsers ops@198.51.100.* keeps ops out"),
        ("denyusers o*", {}, "DenyUsers o* keeps ops out"),
        ("allowgroups wheel", {}, "AllowGroups wheel keeps ops out"),
        ("denygroups sudo", {}, "DenyGroups sudo keeps ops out"),
        ("authenticationmethods publickey,password", {"password": False}, "AuthenticationMethods publickey,password"),
        (
            "authorizedkeysfile /etc/keys/%u-%U%%\npasswordauthentication no",
            {},
            "there is no key in /etc/keys/ops-1000%",
        ),
    ],
)
def test_a_user_that_could_not_log_in_is_refused_with_the_reason(changes, who, why):
    assert why in refused(changes, **who)


def test_a_bracket_is_no_pattern_to_sshd():
    assert refused("allowusers [o]ps") is not None


def test_a_staged_file_includes_staged_files():
    text = sshd_config.staged(
        'include sshd_config.d/*.conf\n  Include = "/etc/ssh/sshd_config.d/a b.conf" /etc/other/x.conf\n'
        "Include more.conf\nPort 22\n",
        "/stage/d",
    )
    assert text.splitlines() == [
        "include '/stage/d/*.conf'",
        "  Include = '/stage/d/a b.conf' /etc/other/x.conf",
        "Include more.conf",
        "Port 22",
    ]


def test_our_file_is_included_once_and_first():
    once = sshd_config.with_include("Port 22\n")
    assert once == "Include /etc/ssh/sshd_config.d/00-lifeline.conf\nPort 22\n" == sshd_config.with_include(once)
    assert sshd_config.without_include(once) == "Port 22\n"


def test_lines_from_the_first_match_on_are_cut():
    assert sshd_config.without_match("Port 22\n  match user x\nPort 23\n") == "Port 22\n"


def test_a_setting_without_effect_is_found_but_not_one_that_adds_to_others():
    own = sshd_config.effective("maxauthtries 3\nallowusers a\n")
    settings = {"MaxAuthTries": "3", "AllowUsers": "a"}
    assert (
        sshd_config.overridden(settings, own, sshd_config.effective("maxauthtries 3\nallowusers b\nallowusers a\n"))
        is None
    )
    assert sshd_config.overridden(settings, own, sshd_config.effective("maxauthtries 6\nallowusers a\n")) == (
        "MaxAuthTries",
        "6",
    )


def test_keywords_are_read_without_regard_to_case():
    assert sshd_config.effective("PermitRootLogin no\nPort 22\nPort 2222\n") == {
        "permitrootlogin": ["no"],
        "port": ["22", "2222"],
    }


def test_ports_are_read_from_addresses_as_well():
    values = sshd_config.effective("port 22\nlistenaddress 192.0.2.1:2222\nlistenaddress [::]:22\n")
    assert sshd_config.ports(values) == {22, 2222}


def test_the_drop_in_is_sorted_and_there_is_none_without_settings():
    assert sshd_config.drop_in({}) is None
    assert sshd_config.drop_in({"b": "1", "A": "2"}).splitlines()[1:] == ["A 2", "b 1"]
