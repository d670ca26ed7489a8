# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test a host whose fail2ban ran before the role came, with other actions."""

from __future__ import annotations

JAILS = "/etc/fail2ban/jail.d/zz-lifeline.local"


def test_an_action_that_ran_before_is_replaced(boxes):
    def look(box):
        assert box.get("actions").splitlines()[-1] == "nftables"
        box.run("fail2ban-client set sshd banip 203.0.113.98")
        box.wait("nft list table inet f2b-table", wanted=lambda rules: "203.0.113.98" in rules)
        assert "203.0.113.9" not in box.attempt("iptables-save").stdout

    boxes.each(look)


def test_a_file_that_sets_another_action_is_refused_by_its_line_and_overruled_if_told_so(boxes, converge, back):
    box = boxes[0]
    box.run("cp -a /etc/fail2ban/jail.local /root/ 2>/dev/null || true")
    box.run("printf '[sshd]\\nbanaction = ufw\\n' >> /etc/fail2ban/jail.local")
    try:
        line = box.run("grep -n ufw /etc/fail2ban/jail.local").partition(":")[0]
        before = box.run("cat " + JAILS)
        succeeded, said = converge(box)
        assert not succeeded
        assert f"/etc/fail2ban/jail.local:{line} overrides this role and sets other values (banaction is ufw" in said
        assert box.run("cat " + JAILS) == before
        succeeded, said = converge(box, fail2ban_takeover="keep")
        assert not succeeded and "runs ufw, which is not installed, so it would ban no address" in said
        succeeded, said = converge(box, fail2ban_takeover="take")
        assert succeeded, said
        assert box.get("actions").splitlines()[-1] == "nftables"
    finally:
        box.run("rm /etc/fail2ban/jail.local; mv /root/jail.local /etc/fail2ban/ 2>/dev/null || true")
