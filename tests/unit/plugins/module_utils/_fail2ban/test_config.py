# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""fail2ban's configuration and the rules of nftables, in texts that the programs print."""

from __future__ import annotations

import configparser

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban import config as fail2ban_config


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (600, 600),
        ("600", 600),
        ("10m", 600),
        ("1h", 3600),
        ("1d 12h", 129600),
        ("1d12h", 129600),
        ("1w", 604800),
        ("1mo", 2629800),
        ("2y", 63115200),
        (-1, -1),
        ("-1", -1),
        ("90s", 90),
    ],
)
def test_times(written, meant):
    assert fail2ban_config.seconds(written) == meant


@pytest.mark.parametrize("written", ["10 parsecs", "", "m", "1.5h", "-5", "10m x", None, True, [600], "1h\n[sshd]"])
def test_texts_that_are_not_times(written):
    with pytest.raises(ValueError):
        fail2ban_config.seconds(written)


def test_the_text_can_be_read_by_an_ini_parser():
    text = fail2ban_config.text(
        [
            ("DEFAULT", {"bantime": "10m", "bantime.increment": True}),
            ("web", {"enabled": True, "logpath": ["/var/log/a.log", "/var/log/b.log"], "mode": None}),
            ("sshd", {"enabled": False}),
        ]
    )
    parsed = configparser.RawConfigParser()
    parsed.read_string(text)
    assert parsed.sections() == ["web", "sshd"]
    assert parsed["web"]["logpath"].split() == ["/var/log/a.log", "/var/log/b.log"]
    assert parsed["web"]["bantime.increment"] == "true"
    assert "mode" not in parsed["web"]
    assert parsed["sshd"]["enabled"] == "false"


def test_the_loopback_is_always_ignored_and_nothing_twice():
    assert fail2ban_config.ignored() == ["127.0.0.0/8", "::1"]
    assert fail2ban_config.ignored(["192.0.2.0/24", "2001:db8::7"], ["192.0.2.9", "127.0.0.1"]) == [
        "127.0.0.0/8",
        "192.0.2.0/24",
        "::1",
        "2001:db8::7",
    ]


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8::1", "2001:db8::1"),
    ],
)
def test_an_address_as_fail2ban_would_ban_it(written, address):
    assert fail2ban_config.address(written) == address


def test_ignored_addresses():
    networks = ["10.0.0.0/8", "::1", "box.example", "192.0.2.7"]
    assert [fail2ban_config.is_ignored(who, networks) for who in ("10.1.2.3", "10.9.0.0/16", "192.0.2.7", "::1")] == [
        True
    ] * 4
    assert [
        fail2ban_config.is_ignored(who, networks)
        for who in ("11.0.0.1", "0.0.0.0/0", "192.0.2.8", "::2", "box.example")
    ] == [False] * 5
    assert fail2ban_config.missing(["127.0.0.0/8", "10.2.0.0/16"], ["127.0.0.1", *networks]) == ["127.0.0.0/8"]


DUMP = """['set', 'loglevel', 'INFO']
['set', 'dbpurgeage', '8d']
2026-11-21 08:06:28,423 fail2ban.configreader   [259]: WARNING Wrong value for 'maxretry' in 'web'. Using default one
['add', 'sshd', 'systemd']
['set', 'sshd', 'maxretry', 5]
['set', 'sshd', 'bantime', '10m']
['set', 'sshd', 'addignoreip', '127.0.0.0/8', '::1', '10.88.0.1']
['multi-set', 'sshd', 'addfailregex', ['^Failed .* from <HOST>$', '^it\\'s <HOST>$']]
['set', 'sshd', 'addaction', 'nftables']
['multi-set', 'sshd', 'action', 'nftables', [['port', '22'], ['protocol', 'tcp']]]
['add', 'web', 'auto']
['config-error', "Jail 'ftp' skipped, because of wrong configuration: Unable to read the filter 'ftp'"]
['start', 'sshd']
[broken
OK: configuration test is successful
"""


def test_commands_for_the_daemon():
    stream = fail2ban_config.commands(DUMP)
    jails = fail2ban_config.jails(stream)
    assert {name: jail["started"] for name, jail in jails.items()} == {"sshd": True, "web": False}
    assert jails["sshd"]["ignoreip"] == ["127.0.0.0/8", "::1", "10.88.0.1"]
    assert (jails["sshd"]["backend"], jails["sshd"]["maxretry"], jails["sshd"]["bantime"]) == ("systemd", 5, "10m")
    assert fail2ban_config.actions(stream) == {("sshd", "nftables"): [["port", "22"], ["protocol", "tcp"]]}
    assert fail2ban_config.errors(stream) == [
        "Jail 'ftp' skipped, because of wrong configuration: Unable to read the filter 'ftp'"
    ]


def test_differences_of_a_jail():
    wanted = {"maxretry": 5, "findtime": "10m", "bantime": "1h"}
    assert fail2ban_config.differences(wanted, {"maxretry": 5, "findtime": 600, "bantime": "3600"}) == {}
    assert fail2ban_config.differences(wanted, {"maxretry": None, "findtime": "1h", "bantime": 3600}) == {
        "maxretry": "maxretry is None instead of 5",
        "findtime": "findtime is 1h instead of 10m",
    }


@pytest.mark.parametrize(
    ("wanted", "actions", "differences"),
    [
        ({"banaction": "nftables[type=multiport]"}, ["nftables"], {}),
        ({"banaction": "nftables[type=multiport]"}, ["nftables", "sendmail-whois"], {}),
        ({"banaction": "nftables[type=multiport]"}, ["ufw"], {"banaction": "banaction is ufw instead of nftables"}),
        ({"banaction": "nftables"}, [], {"banaction": "banaction is not set instead of nftables"}),
        (
            {"banaction": "nftables", "action": ["%(action_)s", "mail[dest=x]"]},
            ["nftables"],
            {"action": "action is nftables instead of mail"},
        ),
        ({"banaction": "%(banaction_allports)s"}, ["iptables-allports"], {}),
    ],
)
def test_a_jail_must_have_the_action_that_it_was_given(wanted, actions, differences):
    assert fail2ban_config.differences(wanted, {"actions": actions}) == differences


def match(field, right, protocol="tcp"):
    return {"match": {"op": "==", "left": {"payload": {"protocol": protocol, "field": field}}, "right": right}}


def listing(ports, elements=("192.0.2.9",), of="@addr-set-sshd"):
    where = {"family": "inet", "table": "f2b-table"}
    return {
        "nftables": [
            {"metainfo": {"version": "1.0.6"}},
            {"table": {"family": "inet", "name": "f2b-table"}},
            {"set": {**where, "name": "addr-set-sshd", "type": "ipv4_addr", "elem": list(elements)}},
            {"set": {**where, "name": "addr-set-other", "type": "ipv4_addr", "elem": ["198.51.100.1"]}},
            {
                "rule": {
                    **where,
                    "chain": "f2b-chain",
                    "expr": [match("dport", ports), match("saddr", of, "ip"), {"reject": None}],
                }
            },
            {
                "rule": {
                    "family": "ip",
                    "table": "nat",
                    "chain": "out",
                    "expr": [
                        {"match": {"op": "==", "left": {"meta": {"key": "oifname"}}, "right": "eth0"}},
                        {"masquerade": None},
                    ],
                }
            },
        ]
    }


def test_a_ban_is_an_address_in_a_set_that_a_rule_refers_to():
    assert fail2ban_config.Rules(listing(22), "sshd").addresses == {"192.0.2.9"}
    elements = [{"elem": {"val": "192.0.2.9", "timeout": 60}}, "192.0.2.8"]
    assert fail2ban_config.Rules(listing(22, elements), "sshd").addresses == {"192.0.2.8", "192.0.2.9"}
    assert fail2ban_config.Rules(listing(22, of="@addr-set-other"), "sshd").addresses == set()
    assert fail2ban_config.Rules(listing(22), "other").addresses == set()
    assert fail2ban_config.Rules({}, "sshd").addresses == set()


@pytest.mark.parametrize(
    ("rule", "ports", "differ"),
    [
        (22, "22", False),
        (22, "22,2222", True),
        ({"set": [22, 2222]}, "22,2222", False),
        ({"set": [22, 2222]}, "2222, 22", False),
        (22, "2222", True),
        ({"range": [6000, 6010]}, "6000:6010", False),
        ({"set": [22, {"range": [6000, 6010]}]}, "6000:6010,22", False),
        (22, "ssh", False),
    ],
)
def test_a_rule_for_other_ports(rule, ports, differ):
    assert fail2ban_config.Rules(listing(rule), "sshd").differ(ports) is differ


def test_a_jail_without_rules_has_none_for_other_ports():
    assert not fail2ban_config.Rules({}, "sshd").differ("22")


@pytest.mark.parametrize("line", ["[]", "[" * 5000, "['a'", "[1] + [2]", "['a']; x", "[x]"])
def test_a_line_that_is_no_command_is_left_out(line):
    assert fail2ban_config.commands(f"{line}\n['start', 'sshd']\n") == [["start", "sshd"]]
