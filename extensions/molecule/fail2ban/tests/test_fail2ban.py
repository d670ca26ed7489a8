# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test that real failed logins lead to real bans, and that the operator is never banned."""

from __future__ import annotations

import time

import pytest
from boxes import PATIENCE, Boxes

JAILS = "/etc/fail2ban/jail.d/zz-lifeline.local"


def test_the_daemon_has_the_settings_of_the_inventory(boxes):
    def look(box):
        assert "pong" in box.run("fail2ban-client ping")
        assert box.run("systemctl is-enabled fail2ban") == "enabled"
        expected = (
            {"maxretry": "3", "findtime": "3600", "bantime": "3600"}
            if box.alternative
            else {"maxretry": "5", "findtime": "600", "bantime": "600"}
        )
        assert {key: box.get(key) for key in expected} == expected
        jails = box.run("fail2ban-client status | sed -n 's/.*Jail list:[[:space:]]*//p'")
        assert sorted(jails.replace(",", " ").split()) == (["crawler", "sshd"] if box.alternative else ["sshd"])
        assert {"127.0.0.0/8", "::1", box.controller()} <= set(box.ignored())
        if box.alternative:
            assert {"198.51.100.0/24", "2001:db8:1::/48", "203.0.113.7"} <= set(box.ignored())
            assert {"192.0.2.77", box.controller()} <= set(box.ignored("crawler"))
            assert "192.0.2.77" not in box.ignored()
            assert box.get("maxretry", "crawler") == "4"
        assert "0.0.0.0/0" not in box.ignored(), "who lets in everybody still wants to ban"

    boxes.each(look)


def test_a_stranger_is_banned_by_real_failed_logins(boxes, attacker):
    def attack(box):
        stranger = attacker[box.name]
        assert stranger.reaches(box)
        stranger.fails_to_log_in(box, box.maxretry)
        box.bans(stranger.address)
        assert not stranger.reaches(box)
        assert box.banned() == [stranger.address]
        box.run("fail2ban-client set sshd unbanip " + stranger.address)
        box.wait("nft list table inet f2b-table", wanted=lambda rules: stranger.address not in rules)
        assert stranger.reaches(box)

    boxes.each(attack)


def test_an_unknown_user_is_banned_if_only_keys_are_allowed(boxes, attacker):
    def attack(box):
        stranger = attacker[box.name]
        box.run(
            "printf 'PasswordAuthentication no\\nKbdInteractiveAuthentication no\\n"
            "ChallengeResponseAuthentication no\\n' "
            "> /etc/ssh/sshd_config.d/00-test.conf && systemctl reload ssh"
        )
        try:
            stranger.fails_to_log_in(box, box.maxretry, user="nobody-at-all")
            box.bans(stranger.address)
        finally:
            box.run("rm /etc/ssh/sshd_config.d/00-test.conf && systemctl reload ssh")

    boxes.each(attack)


def test_a_stranger_is_banned_over_ipv6_too(boxes, attacker):
    def attack(box):
        box.run("fail2ban-client set sshd banip 2001:db8:2::7")
        box.wait("nft list set inet f2b-table addr6-set-sshd", wanted=lambda rules: "2001:db8:2::7" in rules)
        assert "ip6 saddr @addr6-set-sshd reject" in box.run("nft list table inet f2b-table")

    boxes.each(attack)


def test_the_controller_is_never_banned_for_failed_logins(boxes):
    def attack(box):
        start = int(box.run("wc -l < /var/log/fail2ban.log"))
        controller = box.controller()
        box.is_failed_at_from_here(box.maxretry)
        log = box.wait(
            f"tail -n +{start + 1} /var/log/fail2ban.log",
            wanted=lambda log: log.count(f"Ignore {controller}") >= box.maxretry,
        )
        assert f"Ban {controller}" not in log
        assert box.banned() == []
        deadline = time.monotonic() + PATIENCE
        while box.comes_in_anew().returncode:
            assert time.monotonic() < deadline, box.comes_in_anew().stdout
            time.sleep(1)

    boxes.each(attack)


def test_forged_journal_entries_ban_no_address(boxes, attacker):
    """Log sshd's messages from a program named sshd that runs as another user than root."""

    def lie(box):
        text = "Failed password for root from 192.0.2.66 port 22 ssh2"
        box.run(
            "cp $(command -v logger) /tmp/sshd && chmod 755 /tmp/sshd && "
            f"for i in 1 2 3 4 5 6; do runuser -u ops -- /tmp/sshd -t sshd '{text}'; done; rm /tmp/sshd"
        )
        box.wait("journalctl --sync; journalctl -t sshd -o cat", wanted=lambda said: said.count(text) == 6)
        # A later failure is counted, so fail2ban has read the forged lines.
        attacker[box.name].fails_to_log_in(box, box.maxretry)
        box.bans(attacker[box.name].address)
        assert box.banned() == [attacker[box.name].address]

    boxes.each(lie)


def test_bans_and_the_daemon_survive_a_change(boxes, attacker, converge, back):
    def attack(box):
        attacker[box.name].fails_to_log_in(box, box.maxretry)
        box.bans(attacker[box.name].address)
        return box.pid()

    before = boxes.each(attack)
    succeeded, said = converge(fail2ban_findtime="2h", fail2ban_jails=[{"name": "sshd", "port": [22, 2222]}])
    assert succeeded, said

    def look(box):
        assert box.get("findtime") == "7200"
        assert box.banned() == [attacker[box.name].address]
        assert not attacker[box.name].reaches(box)
        # A reload alone would keep the rule for the previous ports.
        assert "tcp dport { 22, 2222 } ip saddr @addr-set-sshd" in box.run("nft list table inet f2b-table")
        return box.pid()

    assert boxes.each(look) == before


def test_a_newly_ignored_address_is_unbanned_at_once(boxes, attacker, converge, back):
    boxes.each(
        lambda box: (attacker[box.name].fails_to_log_in(box, box.maxretry), box.bans(attacker[box.name].address))
    )
    assert not attacker[boxes[0].name].reaches(boxes[0])
    networks = sorted({box.address.rpartition(".")[0] + ".0/24" for box in boxes})
    succeeded, said = converge(ssh_lifeline_allowed=networks)
    assert succeeded, said

    def look(box):
        assert box.banned() == []
        assert attacker[box.name].reaches(box)
        attacker[box.name].fails_to_log_in(box, 1)
        box.wait("tail -n 20 /var/log/fail2ban.log", wanted=lambda log: "Ignore " + attacker[box.name].address in log)

    boxes.each(look)


def test_flushed_rules_of_bans_are_restored(boxes, attacker, converge):
    def flush(box):
        attacker[box.name].fails_to_log_in(box, box.maxretry)
        box.bans(attacker[box.name].address)
        box.run("nft flush ruleset")
        assert attacker[box.name].reaches(box)

    boxes.each(flush)
    succeeded, said = converge()
    assert succeeded, said
    assert boxes.each(lambda box: attacker[box.name].reaches(box)) == [False] * len(boxes)
    assert boxes.each(lambda box: box.banned()) == [[attacker[box.name].address] for box in boxes]


def test_bans_without_rules_are_an_error(boxes, converge, back):
    """Make nft fail, so fail2ban reports bans that have no effect."""
    boxes.each(
        lambda box: box.run(
            "mv /usr/sbin/nft /usr/sbin/nft.away; printf '%s\\n' '#!/bin/sh' 'case \"$*\" in *add*) exit 1;; esac; "
            'exec /usr/sbin/nft.away "$@"\' > /usr/sbin/nft; chmod 755 /usr/sbin/nft; nft flush ruleset'
        )
    )
    try:
        succeeded, said = converge(fail2ban_wait_seconds=5, fail2ban_findtime="3h")
    finally:
        boxes.each(lambda box: box.run("mv /usr/sbin/nft.away /usr/sbin/nft"))
    assert not succeeded
    assert "jail sshd bans 192.0.2.254, 2001:db8::fe, and the firewall has no rule for that" in said
    assert "Its log says: " in said
    assert boxes.each(lambda box: box.banned()) == [[]] * len(boxes), "the test's own bans are lifted"


def test_the_port_that_sshd_moves_to_is_guarded(boxes, attacker, converge, back):
    def move(box):
        box.run("printf 'Port 22\\nPort 2222\\n' > /etc/ssh/sshd_config.d/00-test.conf && systemctl reload ssh")

    boxes.each(move)
    try:
        succeeded, said = converge()
        assert succeeded, said

        def attack(box):
            assert attacker[box.name].reaches(box, 2222)
            attacker[box.name].fails_to_log_in(box, box.maxretry)
            box.bans(attacker[box.name].address)
            assert not attacker[box.name].reaches(box, 2222)

        boxes.each(attack)
    finally:
        boxes.each(lambda box: box.run("rm /etc/ssh/sshd_config.d/00-test.conf && systemctl reload ssh"))


def test_a_port_can_be_given_by_name(boxes):
    """Ban in a jail whose ports have names, which a minimal box without netbase cannot resolve."""

    def ban(box):
        box.run("fail2ban-client set crawler banip 192.0.2.8")
        box.wait(
            "nft list table inet f2b-table",
            wanted=lambda rules: "tcp dport { 80, 443 } ip saddr @addr-set-crawler" in rules,
        )

    Boxes(box for box in boxes if box.alternative).each(ban)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (
            {"fail2ban_bantime": "10 parsecs"},
            "fail2ban_bantime: wrong value ('10 parsecs'); use seconds, or a time such as",
        ),
        ({"fail2ban_maxretry": 0}, "fail2ban_maxretry: wrong value (0); use a number above 0"),
        ({"fail2ban_jails": [{"name": "sshd", "maxretires": 3}]}, "maxretires"),
        (
            {"fail2ban_ignore": ["10.0.0.1/8"]},
            "fail2ban_ignore[0]: a network with bits set beyond its prefix (",
        ),
        ({"fail2ban_jails": [{"name": "sshd", "filter": "nope"}]}, "nope"),
        ({"fail2ban_jails": [{"name": "sshd", "banaction": "nope"}]}, "nope"),
        ({"fail2ban_jails": [{"name": "web", "filter": "sshd", "logpath": "/nowhere.log"}]}, "web"),
        # fail2ban-client -t accepts these settings, but the daemon fails with them.
        ({"fail2ban_jails": [{"name": "sshd", "options": {"failregex": "^(<HOST>"}}]}, "jail sshd, addfailregex"),
        ({"fail2ban_jails": [{"name": "sshd", "options": {"maxlines": "many"}}]}, "maxlines"),
    ],
)
def test_wrong_settings_are_an_error_and_the_daemon_keeps_running(boxes, converge, variables, words):
    before = boxes.each(lambda box: (box.run("cat " + JAILS), box.pid(), box.get("bantime")))
    succeeded, said = converge(**variables)
    assert not succeeded
    assert words in said
    assert "changed=1" not in said
    assert boxes.each(lambda box: (box.run("cat " + JAILS), box.pid(), box.get("bantime"))) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "[sshd]\nmaxretry = 99\n",
            "jail sshd: /etc/fail2ban/jail.d/zzz.local:2 overrides this role and sets other values (maxretry is 99 ",
        ),
        (
            "[sshd]\nignoreip = 192.0.2.1\n",
            "jail sshd: /etc/fail2ban/jail.d/zzz.local:2 overrides this role and would have it ban ",
        ),
        ("[sshd]\nenabled = false\n", "jail sshd would not run"),
        ("[sshd\nenabled\n", "zzz.local"),
    ],
)
def test_a_file_that_overrides_the_role_is_named(boxes, converge, text, words):
    before = boxes.each(lambda box: (box.run("cat " + JAILS), box.pid()))
    boxes.each(lambda box: box.run("printf '%s' > /etc/fail2ban/jail.d/zzz.local" % text.replace("\n", "\\n")))
    try:
        succeeded, said = converge(fail2ban_findtime="3h")
        assert not succeeded
        assert words in said
        assert boxes.each(lambda box: (box.run("cat " + JAILS), box.pid())) == before
    finally:
        boxes.each(lambda box: box.run("rm /etc/fail2ban/jail.d/zzz.local"))


def test_jails_of_others_keep_running_and_never_ban_the_operator(boxes, converge, back):
    text = (
        "[DEFAULT]\\nignoreip = 192.0.2.1\\n"
        "[theirs]\\nenabled = true\\nfilter = sshd\\nbackend = systemd\\nignoreip = 192.0.2.2\\nmaxretry = 77\\n"
    )
    boxes.each(lambda box: box.run(f"printf '{text}' > /etc/fail2ban/jail.local"))
    try:
        succeeded, said = converge(fail2ban_findtime="4h")
        assert succeeded, said

        def look(box):
            assert {"127.0.0.0/8", "::1", box.controller(), "192.0.2.2"} <= set(box.ignored("theirs"))
            assert box.get("maxretry", "theirs") == "77"

        boxes.each(look)
    finally:
        boxes.each(lambda box: box.run("rm /etc/fail2ban/jail.local"))


def test_a_full_disk_leaves_the_old_configuration(boxes, converge):
    before = boxes.each(lambda box: (box.run("cat " + JAILS), box.pid()))
    boxes.each(
        lambda box: box.run(
            "cp -a /etc/fail2ban/jail.d /tmp/jail.d && mount -t tmpfs -o size=16k none /etc/fail2ban/jail.d && "
            "cp -a /tmp/jail.d/. /etc/fail2ban/jail.d/ && ! cat /dev/zero > /etc/fail2ban/jail.d/full 2> /dev/null"
        )
    )
    try:
        succeeded, said = converge(fail2ban_findtime="5h")
        assert not succeeded
        assert "No space left on device" in said
        assert boxes.each(lambda box: (box.run("cat " + JAILS), box.pid())) == before
        assert boxes.each(lambda box: box.run("ls -A /etc/fail2ban/jail.d | grep -c '^[.]lifeline' || true")) == [
            "0"
        ] * len(boxes)
    finally:
        boxes.each(lambda box: box.run("umount /etc/fail2ban/jail.d; rm -r /tmp/jail.d"))


def test_a_user_with_sudo_is_never_banned_either(boxes, converge):
    succeeded, said = converge(ansible_user="ops")
    assert succeeded, said
    assert "changed=0" in said
    assert all(box.controller() in box.run("cat " + JAILS) for box in boxes)


def test_a_killed_daemon_comes_back_with_its_bans(boxes, attacker, converge):
    def kill(box):
        attacker[box.name].fails_to_log_in(box, box.maxretry)
        box.bans(attacker[box.name].address)
        before = box.pid()
        box.run("systemctl kill -s KILL fail2ban.service")
        box.wait("systemctl show --value -p MainPID fail2ban.service", wanted=lambda pid: pid not in ("0", before))
        box.wait("fail2ban-client ping")

    boxes.each(kill)
    succeeded, said = converge()
    assert succeeded, said
    boxes.each(lambda box: box.bans(attacker[box.name].address))


def test_a_dead_daemon_fails_the_run(boxes, converge):
    def kill(box):
        box.run("systemctl stop fail2ban")
        # Configuration tests accept it, and systemd reports the service as started.
        box.drop_in("fail2ban.service", "ExecStart=", 'ExecStart=/bin/sh -c "exit 255"')

    def revive(box):
        box.remove_drop_in("fail2ban.service")
        box.run("systemctl reset-failed fail2ban")

    boxes.each(kill)
    try:
        succeeded, said = converge()
        assert not succeeded
        assert "fail2ban does not answer at /var/run/fail2ban/fail2ban.sock" in said
        assert "its unit is failed. fail2ban-client -t says: OK" in said
    finally:
        boxes.each(revive)
    succeeded, said = converge()
    assert succeeded, said


def test_a_manual_change_is_undone(boxes, converge):
    boxes.each(
        lambda box: box.run(
            f"fail2ban-client set sshd delignoreip {box.controller()} && fail2ban-client set sshd maxretry 99"
        )
    )
    succeeded, said = converge()
    assert succeeded, said
    assert boxes.each(lambda box: box.controller() in box.ignored()) == [True] * len(boxes)
    assert boxes.each(lambda box: box.get("maxretry")) == [str(box.maxretry) for box in boxes]


def test_earlier_failures_of_the_controller_do_not_ban_it(boxes, converge, back):
    """Install fail2ban after failed logins: Debian starts it at once, and it reads the last minutes of the journal."""
    succeeded, said = converge(fail2ban_enabled=False)
    assert succeeded, said

    def fail(box):
        assert box.attempt("test -e /etc/fail2ban/jail.conf || nft list table inet f2b-table").returncode != 0
        box.run("rm -f /var/log/fail2ban.log*")
        text = f"Failed password for root from {box.controller()} port 22 ssh2"
        box.run(
            "cp $(command -v logger) /tmp/sshd && for i in 1 2 3 4 5 6 7 8; do "
            f"systemd-run --quiet --wait --unit=ssh-test-$i /tmp/sshd -t sshd '{text}'; done; rm /tmp/sshd"
        )

    boxes.each(fail)
    succeeded, said = converge()
    assert succeeded, said

    def look(box):
        log = box.run("cat /var/log/fail2ban.log")
        assert "Ban " + box.controller() not in log
        assert "Ignore " + box.controller() in log

    boxes.each(look)
