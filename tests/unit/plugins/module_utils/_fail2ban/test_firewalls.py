# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test which addresses the firewall of an action drops, in texts that the programs print."""

from __future__ import annotations

import json

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban import firewalls
from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban.firewalls import FirewallError, Firewalls

# iptables 1.8.11, after fail2ban's actions iptables-multiport and iptables-ipset, and after `ufw deny`.
SAVED = """*filter
:INPUT ACCEPT [403:4535520]
:FORWARD ACCEPT [0:0]
:f2b-sshd - [0:0]
:f2b-lost - [0:0]
-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd
-A INPUT -p tcp -m set --match-set f2b-web src -j REJECT --reject-with icmp-port-unreachable
-A f2b-sshd -s 192.0.2.254/32 -j REJECT --reject-with icmp-port-unreachable
-A f2b-sshd -s 198.51.100.0/24 -j DROP
-A f2b-sshd -s 203.0.113.1/32 -j ACCEPT
-A f2b-sshd -j RETURN
-A f2b-lost -s 203.0.113.9/32 -j REJECT
COMMIT
"""
SETS = "create f2b-web hash:ip family inet\nadd f2b-web 192.0.2.77 timeout 600\n"


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("nftables", "nftables"),
        ("nftables-allports", "nftables"),
        ("iptables-multiport", "iptables"),
        ("iptables-ipset-proto6", "iptables"),
        ("ufw", "iptables"),
        ("firewallcmd-rich-rules", "nftables ruleset"),
        ("route", "routes"),
        ("iptables-xt_recent-echo", None),
        ("sendmail-whois", None),
        ("cloudflare", None),
    ],
)
def test_the_firewall_of_an_action(action, kind):
    assert firewalls.firewall(action) == kind


def test_iptables_drops_what_packets_reach():
    assert firewalls.dropped(SAVED, SETS) == {"192.0.2.254", "198.51.100.0/24", "192.0.2.77"}
    assert firewalls.dropped("") == set()


def test_both_versions_of_ip_are_asked(host):
    host.install("iptables-save", "ip6tables-save")
    host.answer("/usr/sbin/iptables-save", out=SAVED)
    host.answer("/usr/sbin/ip6tables-save", out=":INPUT DROP [0:0]\n-A INPUT -s 2001:db8::fe/128 -j DROP\n")
    blocked = Firewalls(host.commands).blocked("sshd", ["iptables-multiport"])
    assert {"192.0.2.254", "2001:db8::fe"} <= blocked


def test_each_firewall_of_a_jail_must_drop_an_address(host):
    host.install("iptables-save", "ip")
    host.answer("/usr/sbin/iptables-save", out=SAVED)
    host.answer("/usr/sbin/ip route", out="unreachable 192.0.2.254\ndefault via 192.0.2.1\n")
    assert Firewalls(host.commands).blocked("sshd", ["route"]) == {"192.0.2.254"}
    assert Firewalls(host.commands).blocked("sshd", ["route", "iptables"]) == {"192.0.2.254"}
    host.answer("/usr/sbin/ip route", out="default via 192.0.2.1\n")
    assert Firewalls(host.commands).blocked("sshd", ["route", "iptables"]) == set()


def test_a_ruleset_of_firewalld(host):
    host.install("nft")
    host.answer("/usr/sbin/nft list ruleset", out="ip saddr 192.0.2.254 reject\nip6 saddr 2001:db8::fe reject\n")
    assert {"192.0.2.254", "2001:db8::fe"} <= Firewalls(host.commands).blocked("x", ["firewallcmd-rich-rules"])


def test_fail2bans_own_sets(host):
    host.install("nft")
    host.answer("/usr/sbin/nft -j list ruleset", out=json.dumps({"nftables": []}))
    assert Firewalls(host.commands).blocked("sshd", ["nftables"]) == set()


def test_a_firewall_that_cannot_be_asked(host):
    with pytest.raises(
        FirewallError, match="^nft is not installed on this host, so jail sshd bans no address; install"
    ):
        Firewalls(host.commands).blocked("sshd", ["nftables"])
    host.install("iptables-save")
    host.fail("/usr/sbin/iptables-save", "Permission denied")
    with pytest.raises(FirewallError, match="^iptables-save cannot list its rules.*: Permission denied$"):
        Firewalls(host.commands).blocked("sshd", ["ufw"])
