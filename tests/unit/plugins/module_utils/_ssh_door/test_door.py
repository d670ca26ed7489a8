# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the door's actions, and its state after something failed."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import (
    change,
    door as ssh_door,
    firewall,
    restore_units,
    session as ssh_session,
    sshd_config,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door.change import Busy, DoorError
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door.door import Door, Options

SERVICE = "MainPID=412\nId=ssh.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"
GONE = "MainPID=0\nId=%s\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\n"
SOCKET = (
    "Listen=0.0.0.0:22 (Stream)\nListen=[::]:2222 (Stream)\nId=ssh.socket\nLoadState=loaded\nActiveState=%s\n"
    "UnitFileState=disabled\n"
)
FIREWALL = "MainPID=0\nId=lifeline-ssh-firewall.service\nLoadState=loaded\nActiveState=%s\nUnitFileState=%s\n"
EFFECTIVE = (
    "port 22\npermitrootlogin yes\npubkeyauthentication yes\npasswordauthentication yes\n"
    "authorizedkeysfile .ssh/authorized_keys\nauthenticationmethods any\nmaxauthtries 6\n"
)


class Place:
    """A host with sshd and nft whose files lie in a folder of the test."""

    def __init__(self, host, folder, monkeypatch):
        self.host, self.folder = host, folder
        state = folder / "state"
        for name, value in (("STATE", state), ("LOCK", folder / "lock"), ("RESTORE", folder / "restore")):
            monkeypatch.setattr(restore_units, name, str(value))
        for name, value in (("ARMED", "armed"), ("FIREWALL", "firewall.nft"), ("LISTING", "firewall.listing")):
            monkeypatch.setattr(change, name, str(state / value))
        monkeypatch.setattr(restore_units, "files", lambda nft: {str(folder / "restore"): ("#!/bin/sh\n", 0o755)})
        monkeypatch.setattr(sshd_config, "MAIN", str(folder / "sshd_config"))
        monkeypatch.setattr(sshd_config, "FOLDER", str(folder / "sshd_config.d"))
        monkeypatch.setattr(sshd_config, "DROP_IN", str(folder / "sshd_config.d" / "00-lifeline.conf"))
        monkeypatch.setattr(ssh_door, "_RELOAD_SECONDS", 0)
        monkeypatch.setattr(ssh_door.sshd, "_PRIVILEGE_SEPARATION", str(folder))
        monkeypatch.setattr(ssh_door.sshd, "user", lambda session, read: None)
        monkeypatch.setattr(sshd_config, "login_refused", lambda values, user, read: None)
        (folder / "sshd_config.d").mkdir()
        (folder / "sshd_config").write_text("Include /etc/ssh/sshd_config.d/*.conf\n")
        self.main, self.drop_in = folder / "sshd_config", folder / "sshd_config.d" / "00-lifeline.conf"
        self.listener = socket.create_server(("127.0.0.1", 0))
        port = self.listener.getsockname()[1]
        self.session = ssh_session.Session(f"192.0.2.7 51000 127.0.0.1 {port}", "ops", 700)
        host.install("nft", "sshd")
        host.answer("/usr/sbin/sshd -T", out=EFFECTIVE)
        host.answer("/usr/sbin/nft -s -n list table", code=1, err="Error: No such file or directory")
        self.units()

    def units(self, service=SERVICE, socket_state="inactive", firewall_state=("inactive", "disabled")):
        shown = [service, GONE % "sshd.service", SOCKET % socket_state, GONE % "sshd.socket"]
        own = FIREWALL % firewall_state
        self.host.answer("systemctl show", out="\n".join([*shown, own]))
        self.host.answer(
            "systemctl show --property=Id,LoadState,ActiveState,UnitFileState,MainPID,Listen -- lifeline", out=own
        )

    def greet(self, text=b"SSH-2.0-OpenSSH_9.2p1\r\n"):
        def serve():
            while True:
                try:
                    stream, _address = self.listener.accept()
                except OSError:
                    return
                with stream:
                    stream.sendall(text)

        threading.Thread(target=serve, daemon=True).start()

    def door(self, session="the one", check_mode=False):
        return Door(self.host.commands, self.session if session == "the one" else session, check_mode)

    def acts(self):
        """Return the commands that change something, without the folder of the test."""
        reads = ("systemctl show", "/usr/sbin/sshd", "/usr/sbin/nft -c", "/usr/sbin/nft -s")
        return [call.replace(str(self.folder), "") for call in self.host.calls if not call.startswith(reads)]


@pytest.fixture
def place(host, tmp_path, monkeypatch):
    place = Place(host, tmp_path, monkeypatch)
    yield place
    place.listener.close()


CLOSED = Options(["192.0.2.0/24"], {}, 60)
BOTH = Options(["192.0.2.0/24"], {"MaxAuthTries": 3}, 60)
ARM = [
    "systemctl stop lifeline-ssh-restore.timer",
    "systemctl reset-failed lifeline-ssh-restore.timer lifeline-ssh-restore.service",
    "systemd-run --quiet --on-active=60 --timer-property=AccuracySec=1s --unit=lifeline-ssh-restore.service",
    "systemctl is-active lifeline-ssh-restore.timer",
]
INSTALL = ["systemctl daemon-reload", "systemctl enable lifeline-ssh-restore-boot.service"]


def follow(host, keyword, value):
    """Let sshd report a setting that it has been given."""
    host.answer("/usr/sbin/sshd -T", out=EFFECTIVE.replace(f"{keyword} 6", f"{keyword} {value}"))


def test_the_timer_is_armed_before_anything_is_changed(place):
    place.greet()
    follow(place.host, "maxauthtries", 3)
    result = place.door().arm(BOTH)
    assert place.acts() == [
        *INSTALL,
        *ARM,
        "/usr/sbin/nft -f /state/armed/firewall.nft",
        "systemctl reload ssh.service",
    ]
    assert (result["armed"], result["changed"], result["token"]) == (True, True, change.noted("token"))
    assert result["connection"] == {"user": "ops", "address": "192.0.2.7"}
    assert place.drop_in.read_text().endswith("MaxAuthTries 3\n")
    assert int(change.noted("mark")) > 0 and change.noted("connection") == place.session.connection


def test_an_sshd_that_a_socket_has_started_is_restarted_because_it_does_not_survive_a_reload(place):
    place.greet()
    place.units(socket_state="active")
    follow(place.host, "maxauthtries", 3)
    assert place.door().arm(BOTH)["armed"]
    assert place.acts()[-1] == "systemctl restart ssh.service" and not place.host.called("systemctl reload")


@pytest.mark.parametrize(
    ("client", "server", "accepted"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "::1", True),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", True),
        ("198.51.100.5", "198.51.100.5", True),
        ("198.51.100.5", "198.51.100.6", False),
    ],
)
def test_a_connection_over_lo_is_accepted_whatever_the_list_says(place, client, server, accepted):
    session = ssh_session.Session(f"{client} 51000 {server} 22", "ops", 700)
    if accepted:
        assert place.door(session, check_mode=True).arm(CLOSED)["needed"]
    else:
        with pytest.raises(DoorError, match=f"{client}, the address of this connection, is not in the list"):
            place.door(session, check_mode=True).arm(CLOSED)


def test_a_closed_firewall_alone_does_not_reload_sshd(place):
    place.greet()
    assert place.door().arm(CLOSED)["armed"]
    assert not place.host.called("systemctl reload")
    assert change.noted("unit") == "" and not place.drop_in.exists()


def test_the_ports_are_those_of_sshd_of_its_socket_and_of_this_connection(place):
    place.greet()
    place.units(socket_state="active")
    ports = place.door().arm(CLOSED)["ports"]
    assert ports == sorted({22, 2222, int(place.session.server_port)})


@pytest.mark.parametrize(
    ("command", "err", "message"),
    [
        (
            "systemd-run",
            "Failed to start transient timer unit: Unit exists",
            "systemd-run --quiet .* failed: Failed to",
        ),
        ("systemctl is-active", "", "systemctl is-active lifeline-ssh-restore.timer failed: exit status 1"),
        ("/usr/sbin/nft -f", "Error: syntax error", "nft -f .*/state/armed/firewall.nft failed: Error: syntax error"),
        ("systemctl reload", "Job for ssh.service failed.", "systemctl reload ssh.service failed: Job for ssh.service"),
    ],
)
def test_a_step_that_fails_restores_the_previous_state(place, command, err, message):
    place.greet()
    follow(place.host, "maxauthtries", 3)
    place.host.fail(command, err)
    with pytest.raises(DoorError, match=message + r".*; the previous state was restored$"):
        place.door().arm(BOTH)
    assert place.acts()[-1] == "/restore locked"
    assert not [name for name in os.listdir(place.folder / "sshd_config.d") if name.startswith(".lifeline")]


def test_a_timer_that_cannot_be_armed_leaves_files_and_firewall_alone(place):
    follow(place.host, "maxauthtries", 3)
    place.host.fail("systemd-run", "no")
    with pytest.raises(DoorError):
        place.door().arm(BOTH)
    assert not place.host.called("/usr/sbin/nft -f") and not place.host.called("systemctl reload")
    assert not place.drop_in.exists()


def test_an_sshd_that_does_not_greet_restores_the_previous_state(place, monkeypatch):
    place.greet(b"")
    monkeypatch.setattr(ssh_door, "_GREETING_SECONDS", 0)
    with pytest.raises(DoorError, match="sshd does not answer at 127.0.0.1 port .* after the change: it closes the"):
        place.door().arm(CLOSED)
    assert place.acts()[-1] == "/restore locked"


def test_a_full_disk_before_the_change_touches_nothing(place, monkeypatch):
    def full(_self, _connection):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(change.Change, "prepare", full)
    with pytest.raises(OSError, match="No space left"):
        place.door().arm(CLOSED)
    assert place.acts() == INSTALL


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            Options(["198.51.100.0/24"], {}, 60),
            "allowed: 192.0.2.7, the address of this connection, is not in the list (198.51.100.0/24)",
        ),
        (
            Options([], {"Port": 2222}, 60),
            "settings: Port cannot be set here; use a keyword of sshd_config(5) other than Port",
        ),
    ],
)
def test_what_would_lock_out_the_operator_is_refused_before_anything_is_changed(place, options, message):
    with pytest.raises(DoorError) as raised:
        place.door().arm(options)
    assert str(raised.value).startswith(message)
    assert place.acts() == [] and not os.path.exists(restore_units.STATE)


def test_without_ssh_nothing_is_changed(place):
    with pytest.raises(DoorError) as raised:
        place.door(session=None).arm(CLOSED)
    assert str(raised.value) == (
        "not connected over SSH: a new connection cannot confirm the change, so nothing was changed"
    )
    assert place.acts() == []


def test_check_mode_reports_and_changes_nothing(place):
    follow(place.host, "maxauthtries", 3)
    result = place.door(check_mode=True).arm(BOTH)
    assert result["changed"] and not result["armed"]
    assert [one["after_header"] for one in result["diff"]] == [str(place.drop_in), change.FIREWALL]
    assert place.acts() == [] and not os.path.exists(restore_units.STATE)


def confirmed(place):
    """Bring the host into the state after a confirmed change."""
    place.greet()
    token = place.door().arm(CLOSED)["token"]
    place.host.answer("/usr/sbin/nft -s -n list table", out="table inet lifeline {\n}\n")
    session = ssh_session.Session(f"192.0.2.7 51001 127.0.0.1 {place.session.server_port}", "ops", 1 << 60)
    del place.host.calls[:]
    return place.door(session).confirm(token)


def test_a_new_connection_keeps_the_changes_for_the_next_boot(place):
    assert confirmed(place) == {
        "connection": {"user": "ops", "address": "192.0.2.7"},
        "changed": True,
        "confirmed": True,
    }
    assert place.acts() == [
        "systemctl stop lifeline-ssh-restore.timer",
        "systemctl enable --now lifeline-ssh-firewall.service",
    ]
    assert change.noted("token") is None
    assert "192.0.2.0/24" in atomic.read_text(change.FIREWALL)
    assert atomic.read_text(change.LISTING) == "table inet lifeline {\n}\n"


def test_the_second_run_changes_nothing(place):
    confirmed(place)
    place.units(firewall_state=("active", "enabled"))
    place.host.answer(
        "systemctl show --property=Id,LoadState,ActiveState,UnitFileState,MainPID,Listen -- lifeline-ssh-r",
        out="Id=lifeline-ssh-restore-boot.service\nLoadState=loaded\nUnitFileState=enabled\n",
    )
    del place.host.calls[:]
    result = place.door().arm(CLOSED)
    assert (result["changed"], result["needed"], result["armed"], result["diff"]) == (False, False, False, [])
    assert place.acts() == []


def test_a_table_that_was_removed_is_loaded_again(place):
    confirmed(place)
    place.units(firewall_state=("active", "enabled"))
    place.host.answer("/usr/sbin/nft -s -n list table", code=1)
    assert place.door().arm(CLOSED)["armed"]


def test_an_empty_list_removes_the_table_and_disables_its_unit(place):
    confirmed(place)
    place.units(firewall_state=("active", "enabled"))
    token = place.door().arm(Options([], {}, 60))["token"]
    with open(os.path.join(change.ARMED, "firewall.nft")) as stream:
        assert stream.read() == firewall.REMOVAL
    place.host.answer("/usr/sbin/nft -s -n list table", code=1)
    del place.host.calls[:]
    place.door(ssh_session.Session("192.0.2.7 51002 127.0.0.1 22", "ops", 1 << 61)).confirm(token)
    assert place.acts()[-1] == "systemctl disable --now lifeline-ssh-firewall.service"
    assert atomic.read_text(change.FIREWALL) is None and atomic.read_text(change.LISTING) is None


@pytest.mark.parametrize(
    ("session", "what"),
    [
        (ssh_session.Session("192.0.2.7 51001 127.0.0.1 22", "ops", 1), "192.0.2.7 51001 127.0.0.1 22"),
        ("the one", "192.0.2.7 51000 127.0.0.1 "),
        (None, "none over SSH"),
    ],
)
def test_an_old_connection_confirms_nothing(place, session, what):
    place.greet()
    token = place.door().arm(CLOSED)["token"]
    del place.host.calls[:]
    with pytest.raises(DoorError) as raised:
        place.door(session).confirm(token)
    assert str(raised.value).startswith(f"this is not a new connection ({what}")
    assert str(raised.value).endswith("), so it confirms nothing: the host has restored the previous state")
    assert place.acts() == ["/restore locked"]
    assert atomic.read_text(change.FIREWALL) is None


def test_a_token_of_changes_that_are_gone_confirms_nothing(place):
    with pytest.raises(DoorError, match="^the changes were not confirmed in time: the host has restored the previous"):
        place.door().confirm("0123")
    assert place.acts() == []


def test_changes_that_wait_to_be_confirmed_keep_other_runs_away(place):
    place.greet()
    place.door().arm(CLOSED)
    place.host.answer("systemctl is-active", out="active\ninactive\n", code=3)
    with pytest.raises(Busy, match="another run has changed how SSH is reached and has not confirmed it yet"):
        place.door().arm(CLOSED)


def test_changes_whose_run_and_timer_are_gone_are_undone_first(place):
    place.greet()
    place.door().arm(CLOSED)
    place.host.answer("systemctl is-active", out="inactive\ninactive\n", code=3)
    place.host.answer("systemctl is-active lifeline-ssh-restore.timer lifeline-ssh-restore.service", out="inactive\n")
    del place.host.calls[:]
    with pytest.raises(DoorError):
        place.door(session=None).arm(CLOSED)
    assert place.acts() == [
        "systemctl is-active lifeline-ssh-restore.timer lifeline-ssh-restore.service",
        "/restore locked",
    ]
