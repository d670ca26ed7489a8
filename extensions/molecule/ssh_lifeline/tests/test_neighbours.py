# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the role next to a real ufw and a real fail2ban, which have rules of their own."""

from __future__ import annotations

import pytest

JAIL = (
    "[DEFAULT]\\nbackend = systemd\\nbanaction = nftables[type=multiport]\\n[sshd]\\nenabled = true\\nport = 22\\n"
    "journalmatch = _SYSTEMD_UNIT=ssh.service + _COMM=sshd + _COMM=sshd-session\\n"
)


def controller(box):
    return box.run("echo ${SSH_CONNECTION%% *}")


def install(box, *packages):
    box.inside(
        "DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 install --no-install-recommends "
        + " ".join(packages)
    )


def remove(box, *packages):
    box.inside(
        "DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 purge --autoremove " + " ".join(packages)
    )


@pytest.fixture
def banning(boxes):
    """Return a box that runs fail2ban."""
    box = boxes[0]
    install(box, "fail2ban", "python3-systemd")
    box.inside(f"printf '{JAIL}' > /etc/fail2ban/jail.d/50-test.local; systemctl restart fail2ban")
    box.until(lambda: "sshd" in box.inside("fail2ban-client status || :"))
    yield box
    box.inside("systemctl stop fail2ban; nft delete table inet f2b-table || :")
    remove(box, "fail2ban", "python3-systemd")
    box.inside("rm -rf /etc/fail2ban")


def test_fail2ban_still_bans(banning, converge, back):
    box = banning
    box.inside("fail2ban-client set sshd banip 198.51.100.7")
    box.until(lambda: "198.51.100.7" in box.inside("nft list table inet f2b-table"))
    table = box.inside("nft -s list table inet f2b-table")
    assert converge(box, allow=["192.0.2.9"])[0]
    assert box.inside("nft -s list table inet f2b-table") == table
    assert "198.51.100.7" in box.inside("fail2ban-client status sshd")


def test_a_banned_operator_changes_nothing_and_can_log_in_after_the_ban(banning, converge):
    box = banning
    address, before = controller(box), box.rules()
    box.inside("fail2ban-client set sshd banip " + address)
    try:
        box.until(lambda: address in box.inside("nft list table inet f2b-table"))
        # An existing connection would hang.
        succeeded, said = converge(
            box, allow=["192.0.2.9"], ansible_ssh_args="-o ControlPath=none", ansible_ssh_timeout=5
        )
        assert not succeeded and "unreachable=1" in said, said
        assert box.rules() == before
    finally:
        box.inside("fail2ban-client unban --all")
    box.lets_in()


def test_ufw_keeps_its_rules_and_their_effect(boxes, converge, back):
    box = boxes[0]
    others = "nft -s -n list ruleset | sed '/^table inet lifeline/,/^}/d'; ufw status verbose"
    install(box, "ufw", "iptables")
    try:
        box.inside("ufw allow 22/tcp && ufw deny 25/tcp && ufw limit 8022/tcp && ufw --force enable")
        before = box.inside(others)
        assert "Status: active" in before and "8022/tcp" in before
        succeeded, said = converge(box, allow=["192.0.2.9"])
        assert succeeded, said
        assert box.inside(others) == before
        box.lets_in()
        box.inside("ufw reload")
        assert "192.0.2.9" in box.inside("nft list table inet lifeline")
        witness = boxes[1]
        assert not witness.reaches(box.address)
    finally:
        box.inside("ufw --force disable; nft delete table ip filter || :; nft delete table ip6 filter || :")
        remove(box, "ufw", "iptables")
