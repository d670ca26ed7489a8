# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change and its undoing, with real files, the real script, and programs that record how they were called."""

from __future__ import annotations

import errno
import os
import subprocess

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import (
    change as ssh_door_change,
    restore_units as where,
)

PROGRAM = '#!/bin/sh\necho "$(basename "$0") $*" >> %s\n%s\n'


class Place:
    """The files of a host in a folder of the test."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.state, self.bin = folder, folder / "state", folder / "bin"
        self.calls = folder / "calls"
        self.bin.mkdir()
        for name, value in (("STATE", self.state), ("LOCK", folder / "lock")):
            monkeypatch.setattr(where, name, str(value))
        for name in ("ARMED", "FIREWALL", "LISTING"):
            monkeypatch.setattr(
                ssh_door_change, name, str(self.state / {"ARMED": "armed"}.get(name, "firewall." + name.lower()))
            )
        (folder / "main").write_text("old main\n")
        self.main, self.drop_in = str(folder / "main"), str(folder / "drop-in")
        self.program("systemctl", 'case "$*" in *is-failed* | *ssh.socket*) exit 1 ;; esac')
        for name in ("nft", "logger"):
            self.program(name, "")

    def program(self, name, does):
        path = self.bin / name
        path.write_text(PROGRAM % (self.calls, does))
        path.chmod(0o755)

    def change(self, **options):
        return ssh_door_change.Change(
            {self.main: "new main\n", self.drop_in: "new\n"}, "table {\n}\n", "old table\n", "ssh.service", **options
        )

    def armed(self):
        change = self.change()
        change.prepare("1 2 3 4")
        change.replace()
        return change

    def restore(self, *arguments):
        script = where.files("/usr/sbin/nft")[where.RESTORE][0].replace("PATH=/usr", f"PATH={self.bin}:/usr")
        subprocess.run(["sh", "-c", script, "restore", *arguments], check=True, cwd="/")
        return self.calls.read_text().splitlines() if self.calls.exists() else []

    def texts(self):
        return [atomic.read_text(path) for path in (self.main, self.drop_in)]


@pytest.fixture
def place(tmp_path, monkeypatch):
    return Place(tmp_path, monkeypatch)


OLD, NEW = ["old main\n", None], ["new main\n", "new\n"]


def test_a_change_that_is_not_confirmed_is_undone(place):
    os.chmod(place.main, 0o600)
    place.armed()
    assert place.texts() == NEW
    calls = place.restore()
    assert place.texts() == OLD and os.stat(place.main).st_mode & 0o777 == 0o600
    assert "nft -f armed/previous.nft" in calls and "systemctl reload ssh.service" in calls
    assert not os.path.exists(ssh_door_change.ARMED)


def test_a_change_that_is_confirmed_stays(place):
    place.armed()
    ssh_door_change.keep_firewall()
    ssh_door_change.forget_armed()
    assert place.restore() == [] and place.texts() == NEW
    assert atomic.read_text(ssh_door_change.FIREWALL) == "table {\n}\n"
    assert sorted(os.listdir(place.state)) == ["firewall.firewall"]


def test_a_restore_that_was_interrupted_is_completed(place):
    place.armed()
    os.rename(ssh_door_change.ARMED + f"/old.{sorted([place.main, place.drop_in]).index(place.main)}", place.main)
    place.restore()
    assert place.texts() == OLD


def test_a_run_that_was_killed_before_it_changed_anything_leaves_nothing_behind(place):
    place.change().prepare("1 2 3 4")
    place.restore()
    assert place.texts() == OLD
    place.change().prepare("1 2 3 4")
    assert [name for name in os.listdir(place.folder) if name.startswith(".lifeline.")].__len__() == 2


def test_the_table_is_removed_if_the_previous_one_cannot_be_restored(place):
    place.program("nft", '[ "$1" = delete ]')
    place.armed()
    assert "nft delete table inet lifeline" in place.restore()


def test_an_sshd_that_failed_is_started(place):
    place.program("systemctl", 'case "$*" in *is-active*) exit 3 ;; esac')
    place.armed()
    calls = place.restore()
    assert calls[-2:] == ["systemctl reset-failed ssh.service", "systemctl start --no-block ssh.service"]


def test_an_sshd_that_a_socket_has_started_is_restarted_because_it_does_not_survive_a_reload(place):
    place.program("systemctl", "")
    place.armed()
    calls = place.restore()
    assert calls[-1] == "systemctl restart ssh.service" and "systemctl reload ssh.service" not in calls


def test_files_are_restored_even_if_no_program_works(place):
    for name in ("nft", "systemctl", "logger"):
        place.program(name, "exit 1")
    place.armed()
    place.restore()
    assert place.texts() == OLD and not os.path.exists(ssh_door_change.ARMED)


@pytest.mark.parametrize("number", range(14))
def test_a_disk_that_fills_up_at_any_moment_changes_nothing(place, monkeypatch, number):
    sync, left = os.fsync, [number]

    def full(descriptor):
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] -= 1
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    change = place.change()
    try:
        change.prepare("1 2 3 4")
    except OSError:
        assert os.listdir(place.state) == []
        assert not [name for name in os.listdir(place.folder) if name.startswith(".lifeline.")]
    else:
        assert number >= 11 and ssh_door_change.noted("token") == change.token
    assert place.texts() == OLD


def test_the_mark_is_noted_without_new_space(place):
    place.armed()
    ssh_door_change.note_mark(1234567)
    assert int(ssh_door_change.noted("mark")) == 1234567


def test_other_users_cannot_open_the_lock(place):
    old = place.folder / "lock"
    old.write_text("")
    os.chmod(old, 0o644)
    with ssh_door_change.lock():
        assert os.stat(old).st_mode & 0o777 == 0o600
    old.unlink()
    place.armed()
    place.restore()
    assert os.stat(old).st_mode & 0o777 == 0o600


def test_a_lock_that_is_a_link_is_not_followed(place):
    (place.folder / "lock").symlink_to(place.folder / "target")
    with pytest.raises(OSError), ssh_door_change.lock():
        pass
    assert not (place.folder / "target").exists()


def test_the_lock_is_held_by_one_run_at_a_time(place):
    with ssh_door_change.lock(), pytest.raises(ssh_door_change.Busy), ssh_door_change.lock():
        pass
