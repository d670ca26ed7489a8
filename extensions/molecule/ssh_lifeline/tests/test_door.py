# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test that SSH is closed to strangers and always open to the operator."""

from __future__ import annotations

import contextlib

import pytest
from boxes import kill


def stranger(boxes, box):
    """Return a box that is not in the allow-list of another."""
    return boxes[(boxes.index(box) + 1) % len(boxes)]


@contextlib.contextmanager
def undone(box, command, undo):
    box.inside(command)
    try:
        yield
    finally:
        box.inside(undo)


def refused(converge, box, *words, **variables):
    """Check that the run fails with these words in its message and changes nothing."""
    before = box.rules()
    succeeded, said = converge(box, **variables)
    assert not succeeded
    for word in words:
        assert word in said, said
    assert "changed=0" in said.partition("PLAY RECAP")[2]
    assert box.rules() == before
    box.lets_in()


# --- closed ---------------------------------------------------------------------------------------------------------


def test_only_ssh_is_closed_to_a_stranger_over_ipv4_and_ipv6(boxes):
    for number, box in enumerate(boxes):
        box.inside(f"ip -6 address add fd00:db8::{number + 1}/64 dev eth0 nodad")
        box.inside("systemd-run --quiet --unit=test-listener python3 -m http.server --bind :: 8080")
    try:
        for number, box in enumerate(boxes):
            witness = stranger(boxes, box)
            for address in (box.address, f"fd00:db8::{number + 1}"):
                # The witness can connect where SSH is open, so its failure means something.
                box.until(lambda address=address, witness=witness: witness.reaches(address, 8080))
                assert not witness.reaches(address)
            box.lets_in()
            assert box.reaches("127.0.0.1") and box.reaches("::1")
    finally:
        for number, box in enumerate(boxes):
            box.inside(f"systemctl stop test-listener; ip -6 address del fd00:db8::{number + 1}/64 dev eth0")


def test_an_address_can_be_added_to_the_list_and_removed_again(boxes, converge, back):
    box = boxes[0]
    witness = stranger(boxes, box)
    box.inside("ip -6 address add fd00:db8::1/64 dev eth0 nodad")
    witness.inside("ip -6 address add fd00:db8::2/64 dev eth0 nodad")
    try:
        assert converge(box, allow=[witness.address + "/32", "fd00:db8::/64"])[0]
        assert witness.reaches(box.address) and witness.reaches("fd00:db8::1")
        assert converge(box, allow=[witness.address])[0]
        assert witness.reaches(box.address) and not witness.reaches("fd00:db8::1")
        assert converge(box)[0]
        assert not witness.reaches(box.address)
        assert converge(box, allow=[], allow_controller=False)[0]
        assert witness.reaches(box.address) and witness.reaches("fd00:db8::1")
        assert "lifeline" not in box.inside("nft list tables")
    finally:
        box.inside("ip -6 address del fd00:db8::1/64 dev eth0")
        witness.inside("ip -6 address del fd00:db8::2/64 dev eth0")


def test_ssh_is_closed_before_the_network_is_up_and_after_a_reboot(boxes):
    def boot(box):
        before = box.rules()
        assert "network-pre.target" in box.inside("systemctl show --value -p Before lifeline-ssh-firewall")
        box.reboot()
        box.until(lambda: box.anew().returncode == 0)
        assert box.rules() == before, box.inside("systemctl status lifeline-ssh-firewall || true")
        assert box.inside("systemctl is-active lifeline-ssh-firewall earlyoom") == "active\nactive"

    boxes.each(boot)
    for box in boxes:
        assert not stranger(boxes, box).reaches(box.address)


def test_ssh_stays_closed_when_nftables_flushes_all_tables(boxes):
    def look(box):
        with undone(box, "systemctl start nftables", "systemctl stop nftables; systemctl start lifeline-ssh-firewall"):
            for verb in ("reload", "restart"):
                box.inside(f"systemctl {verb} nftables")
                assert "inet lifeline" in box.inside("nft list tables")

    boxes.each(look)


def test_a_removed_table_is_restored(boxes, converge):
    for box in boxes:
        box.inside("nft delete table inet lifeline")
    succeeded, said = converge()
    assert succeeded, said
    for box in boxes:
        assert not stranger(boxes, box).reaches(box.address)


# --- refused before anything is touched -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        pytest.param(
            {"allow_controller": False, "allow": ["192.0.2.0/24"]},
            ["is not in the list", "192.0.2.0/24"],
            id="list without us",
        ),
        pytest.param(
            {"allow_controller": False, "allow": ["2001:db8::/32"]},
            ["is not in the list", "2001:db8::/32"],
            id="IPv6 only",
        ),
        pytest.param(
            {"allow": ["300.1.1.0/24"]},
            ["ssh_lifeline_allowed[1]: not an address or a network ('300.1.1.0/24')"],
            id="typo",
        ),
        pytest.param(
            {"allow": ["192.0.2.1/24"]}, ["bits set beyond its prefix", "192.0.2.0/24 or 192.0.2.1"], id="host bits"
        ),
        pytest.param(
            {"sshd": {"PasswordAuthentification": False}},
            ["Bad configuration option: PasswordAuthentification"],
            id="keyword",
        ),
        pytest.param({"sshd": {"LoginGraceTime": "soon"}}, ["sshd refuses", "(LoginGraceTime soon)"], id="value"),
        pytest.param({"sshd": {"Port": 2222}}, ["Port cannot be set here"], id="port"),
        pytest.param({"sshd": {"PermitRootLogin": False}}, ["PermitRootLogin no keeps root out"], id="root login"),
        pytest.param(
            {"sshd": {"AllowUsers": ["ops", "admin@192.0.2.*"]}},
            ["AllowUsers ops admin@192.0.2.* keeps root out"],
            id="users",
        ),
        pytest.param({"sshd": {"PubkeyAuthentication": False}}, ["root could no longer log in"], id="no way in"),
        pytest.param(
            {"sshd": {"AuthorizedKeysFile": "/etc/ssh/keys/%u"}}, ["there is no key in /etc/ssh/keys/root"], id="no key"
        ),
        pytest.param(
            {"window": 5}, ["ssh_lifeline_confirm_seconds: wrong value (5); use a number from 10 to 600"], id="window"
        ),
    ],
)
def test_settings_that_lock_out_the_operator_are_an_error(boxes, converge, variables, words):
    refused(converge, boxes[0], *words, **variables)


def test_a_line_that_overrides_a_setting_is_read_after_it(boxes, converge, back):
    box = boxes[0]
    with undone(
        box,
        "cp -p /etc/ssh/sshd_config /root/kept; sed -i '1i MaxAuthTries 9' /etc/ssh/sshd_config",
        "cp -p /root/kept /etc/ssh/sshd_config; rm /root/kept",
    ):
        assert converge(box, sshd={"MaxAuthTries": 3})[0]
        assert box.sshd("MaxAuthTries") == ["3"]


def test_settings_apply_without_an_include_line(boxes, converge, back):
    box = boxes[0]
    with undone(
        box,
        "cp -p /etc/ssh/sshd_config /root/kept; sed -i /^Include/d /etc/ssh/sshd_config",
        "cp -p /root/kept /etc/ssh/sshd_config; rm /root/kept",
    ):
        succeeded, said = converge(box, sshd={"MaxAuthTries": 4})
        assert succeeded, said
        assert box.sshd("MaxAuthTries") == ["4"]
        assert "changed=0" in converge(box, sshd={"MaxAuthTries": 4})[1].partition("PLAY RECAP")[2]


def test_a_missing_or_broken_nft_changes_nothing(boxes, converge):
    box = boxes[0]
    nft = "$(command -v nft)"
    for put in ("mount --bind /bin/false " + nft, "mount --bind /dev/null " + nft):
        before = box.rules()
        with undone(box, put, "umount /usr/sbin/nft"):
            succeeded, said = converge(box, allow=["192.0.2.9"])
            assert not succeeded and "nft" in said, said
        assert box.rules() == before


def test_a_full_disk_loses_nothing(boxes, converge):
    box = boxes[0]
    for folder in (box.state, "/etc/ssh/sshd_config.d", "/etc/ssh"):
        before = box.rules()
        with undone(
            box,
            "cp -a %s /root/kept && mount -t tmpfs -o size=1M test %s && cp -a /root/kept/. %s && rm -r /root/kept && "
            "{ head -c 2M /dev/zero > %s/filler.; true; }" % (folder, folder, folder, folder),
            "umount " + folder,
        ):
            box.inside(f"rm {folder}/filler.; head -c 2M /dev/zero > {folder}/.filler; true")
            present = box.rules()
            succeeded, said = converge(box, allow=["192.0.2.9"], sshd={"MaxAuthTries": 5, "Banner": "none"})
            assert not succeeded and "No space left on device" in said, said
            assert box.rules() == present
            box.lets_in()
        assert box.rules() == before


# --- restored unless a connection confirms it ----------------------------------------------------------------------


@pytest.fixture
def others_key(boxes):
    """Use a key file without the operator's key, which only a new login reveals."""
    for box in boxes:
        box.inside(
            "mkdir -p /etc/ssh/keys && ssh-keygen -q -t ed25519 -N '' -f /root/others && "
            "cp /root/others.pub /etc/ssh/keys/root && mv /root/others.pub /etc/ssh/keys/ops"
        )
    yield {"AuthorizedKeysFile": "/etc/ssh/keys/%u"}
    for box in boxes:
        box.inside("rm -r /etc/ssh/keys /root/others")


def test_settings_that_lock_out_the_operator_are_restored(boxes, converge, others_key):
    before = boxes.each(lambda box: box.rules())
    succeeded, said = converge(sshd=others_key, allow=["192.0.2.9"], window=10)
    assert not succeeded
    assert said.count("the host has restored the previous state") >= len(boxes), said
    assert "Permission denied" in said
    assert boxes.each(lambda box: box.rules()) == before
    for box in boxes:
        box.lets_in()


def test_the_changes_of_a_killed_run_are_restored(boxes, start, cut):
    box = boxes[0]
    before = box.rules()
    join = cut(box)
    run = start(box, allow=["192.0.2.9"], sshd={"MaxAuthTries": 5}, window=15)
    box.until(box.armed)
    box.until(lambda: "192.0.2.9" in box.rules())
    kill(run)
    box.until(lambda: not box.armed())
    assert box.rules() == before
    assert box.sshd("MaxAuthTries") == ["6"]
    join()
    box.lets_in()


def test_a_reboot_before_the_confirmation_restores_the_old_rules(boxes, start, others_key):
    def run(box):
        process = start(box, allow=["192.0.2.9"], sshd=others_key, window=600)
        box.until(lambda: box.armed() and "192.0.2.9" in box.rules() and box.anew().returncode != 0)
        kill(process)
        box.reboot()
        box.until(lambda: box.anew().returncode == 0)
        assert not box.armed()
        assert "192.0.2.9" not in box.rules()

    boxes.each(run)


def test_an_old_connection_confirms_nothing(boxes, converge, tmp_path):
    """Keep ssh's shared connection open: the box must not accept it as a confirmation."""
    box = boxes[0]
    before = box.rules()
    (tmp_path / "ssh").write_text('#!/bin/sh\ncase " $* " in *" -O stop "*) exit 0 ;; esac\nexec ssh "$@"\n')
    (tmp_path / "ssh").chmod(0o755)
    succeeded, said = converge(box, ansible_ssh_executable=str(tmp_path / "ssh"), allow=["192.0.2.9"])
    assert not succeeded and "this is not a new connection" in said, said
    assert box.rules() == before


def test_concurrent_runs_wait_for_each_other(boxes, start, back):
    box = boxes[0]
    runs = [start(box, allow=["192.0.2.9"], sshd={"MaxAuthTries": number}) for number in (4, 4)]
    said = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert sorted("changed=1" in text.partition("PLAY RECAP")[2] for text in said) == [False, True], said
    assert box.sshd("MaxAuthTries") == ["4"]


# --- other boxes ----------------------------------------------------------------------------------------------------


def test_socket_activated_ssh_works_too(boxes, converge, others_key, back):
    def by_socket(box):
        box.inside("systemctl disable --now ssh.service; systemctl enable --now ssh.socket")
        # From Debian 12 on, the first connection starts a service that stays.
        box.lets_in()

    def by_service(box):
        # On Debian 11, the last socket-activated connection removes the runtime directory of sshd when it ends.
        box.inside(
            "systemctl disable --now ssh.socket; systemctl stop ssh.service 'ssh@*'; systemctl enable --now ssh.service"
        )

    boxes.each(by_socket)
    try:
        succeeded, said = converge(sshd={"MaxAuthTries": 4})
        assert succeeded, said
        for box in boxes:
            box.lets_in()
            assert box.sshd("MaxAuthTries") == ["4"]
        assert not converge(sshd=others_key, window=10)[0]
        for box in boxes:
            box.lets_in()
            assert box.sshd("MaxAuthTries") == ["4"]
    finally:
        boxes.each(by_service)


def test_an_operator_without_privileges_keeps_the_necessary_settings(boxes, converge, back):
    login = {"ansible_user": "ops", "login_without_privileges": True}
    refused(converge, boxes[0], "AllowUsers root keeps ops out", sshd={"AllowUsers": "root"}, **login)
    succeeded, said = converge(sshd={"AllowUsers": "ops", "PermitRootLogin": False}, **login)
    assert succeeded, said
    for box in boxes:
        box.lets_in(user="ops")
        assert box.anew().returncode != 0
    assert converge(sshd={"PasswordAuthentication": False}, **login)[0]


def test_foreign_rules_stay_unchanged(boxes, converge, back):
    box = boxes[0]
    others = "nft -s list ruleset | sed '/^table inet lifeline/,/^}/d'"
    rules = (
        "table inet firewalld { chain first { type filter hook input priority 10; tcp dport 25 drop; }; }; "
        "table ip nat { chain docker { type nat hook prerouting priority -100; tcp dport 81 redirect to :80; }; }; "
        "table inet f2b-table { set bad { type ipv4_addr; elements = { 198.51.100.7 }; }; "
        "chain f2b { type filter hook input priority -1; ip saddr @bad tcp dport 22 drop; }; }"
    )
    with undone(
        box,
        f"nft '{rules}'",
        "nft delete table inet firewalld; nft delete table ip nat; nft delete table inet f2b-table",
    ):
        before = box.inside(others)
        assert "198.51.100.7" in before and "redirect" in before
        assert converge(box, allow=["192.0.2.9"])[0]
        assert box.inside(others) == before
        assert converge(box, allow=[], allow_controller=False)[0]
        assert box.inside(others) == before


def test_names_of_protocols_and_ports_make_no_difference(boxes, converge):
    box = boxes[0]
    with undone(
        box,
        "mv /etc/protocols /root/kept 2> /dev/null; printf 'tcp 6 TCP\\n' > /etc/protocols",
        "mv /root/kept /etc/protocols 2> /dev/null || rm /etc/protocols",
    ):
        assert "changed=0" in converge(box)[1].partition("PLAY RECAP")[2]
