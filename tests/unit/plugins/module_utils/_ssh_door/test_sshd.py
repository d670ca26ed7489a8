# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of sshd are planned, what sshd is asked about them, and what is refused."""

from __future__ import annotations

import glob
import os
import pathlib
import pwd
import re
import shlex

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import session as ssh_session, sshd, sshd_config
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door.change import DoorError

ME = pwd.getpwuid(os.getuid()).pw_name
SESSION = ssh_session.Session("fe80::7%eth0 51000 198.51.100.1 22", ME, 700)
EFFECTIVE = "port 22\nmaxauthtries 6\npubkeyauthentication yes\npasswordauthentication yes\nauthorizedkeysfile none\n"


@pytest.fixture
def etc(tmp_path, monkeypatch):
    """Return the folder that stands for /etc/ssh."""
    folder = tmp_path / "ssh"
    (folder / "sshd_config.d").mkdir(parents=True)
    monkeypatch.setattr(sshd_config, "MAIN", str(folder / "sshd_config"))
    monkeypatch.setattr(sshd_config, "FOLDER", str(folder / "sshd_config.d"))
    monkeypatch.setattr(sshd_config, "DROP_IN", str(folder / "sshd_config.d/00-lifeline.conf"))
    monkeypatch.setattr(sshd_config, "INCLUDE", f"Include {folder}/sshd_config.d/00-lifeline.conf")
    monkeypatch.setattr(sshd, "_PRIVILEGE_SEPARATION", str(tmp_path / "run-sshd"))
    (folder / "sshd_config").write_text("# main\n")
    return folder


@pytest.fixture
def staged(host):
    """Record the texts that sshd is asked about, and report the value of MaxAuthTries that sshd would read first."""
    host.install("sshd")
    seen = []

    def look(argv):
        path = argv[argv.index("-f") + 1]
        folder = os.path.join(os.path.dirname(path), "sshd_config.d")
        texts = {"main": pathlib.Path(path).read_text()}
        texts.update((name, pathlib.Path(folder, name).read_text()) for name in sorted(os.listdir(folder)))
        seen.append(texts)

    def report(argv):
        tries = re.findall(r"MaxAuthTries (\d+)", included(argv[argv.index("-f") + 1]))
        return 0, EFFECTIVE.replace("maxauthtries 6", f"maxauthtries {(tries or ['6'])[0]}"), ""

    def included(path):
        parts = []
        for line in pathlib.Path(path).read_text().splitlines(True):
            words = shlex.split(line, comments=True)
            found = sorted(glob.glob(words[1])) if words[:1] == ["Include"] else None
            parts += [line] if found is None else [included(name) for name in found]
        return "".join(parts)

    host.answer("/usr/sbin/sshd -t", then=look)
    host.answer("/usr/sbin/sshd -T", then=report)
    return seen


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"PasswordAuthentication": False, "UseDNS": True}, {"PasswordAuthentication": "no", "UseDNS": "yes"}),
        ({"MaxAuthTries": 3, "Banner": None}, {"MaxAuthTries": "3"}),
        ({"AllowUsers": ["ops", "admin@192.0.2.*"]}, {"AllowUsers": "ops admin@192.0.2.*"}),
    ],
)
def test_values_are_written_as_sshd_reads_them(settings, found):
    assert sshd.lines(settings) == found


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"match": "user x"}, "settings: match cannot be set here; use a keyword of sshd_config(5) other than"),
        ({"MaxAuthTries 3\nPort": 1}, "settings: MaxAuthTries 3\nPort cannot be set here"),
        ({"Banner\n": "x"}, "settings: Banner\n cannot be set here"),
        (
            {"Banner": {"a": 1}},
            "settings: Banner is a dictionary ({'a': 1}); give a text, a number, a boolean or a list",
        ),
        (
            {"Banner": "none\nPort 23"},
            "settings: Banner is empty or has several lines ('none\\nPort 23'); give one line",
        ),
        ({"AllowUsers": []}, "settings: AllowUsers is empty or has several lines ([]); give one line"),
    ],
)
def test_a_setting_that_cannot_be_one_line_of_sshd_config_is_refused(settings, message):
    with pytest.raises(DoorError) as raised:
        sshd.lines(settings)
    assert str(raised.value).startswith(message)


def test_without_sshd_there_is_nothing_to_plan_unless_there_are_settings(host, etc):
    nothing = sshd.Sshd(host.commands, {}, None)
    nothing.plan()
    assert (nothing.files, nothing.values, host.calls) == ({}, {}, [])
    with pytest.raises(DoorError) as raised:
        sshd.Sshd(host.commands, {"MaxAuthTries": 3}, None).plan()
    assert str(raised.value) == (
        "settings: sshd is not installed on this host; install openssh-server or remove the settings"
    )


def test_without_settings_our_file_and_our_line_are_removed(host, etc, staged):
    (etc / "sshd_config").write_text(sshd_config.INCLUDE + "\n# main\n")
    (etc / "sshd_config.d/00-lifeline.conf").write_text("MaxAuthTries 3\n")
    daemon = sshd.Sshd(host.commands, {}, SESSION)
    daemon.plan()
    assert daemon.files == {sshd_config.MAIN: "# main\n", sshd_config.DROP_IN: None}
    assert daemon.values["maxauthtries"] == ["6"]
    assert staged == [{"main": "# main\n"}]


def test_sshd_is_asked_for_this_connection_about_all_files_together(host, etc, staged):
    (etc / "sshd_config.d/50-cloud.conf").write_text("PasswordAuthentication yes\n")
    (etc / "sshd_config.d/folder").mkdir()
    sshd.Sshd(host.commands, {}, SESSION).plan()
    assert staged == [{"main": "# main\n", "50-cloud.conf": "PasswordAuthentication yes\n"}]
    assert host.called("/usr/sbin/sshd -T")[0].endswith(
        f" -C user={ME},host=fe80::7,addr=fe80::7,laddr=198.51.100.1,lport=22"
    )
    assert os.listdir(host.commands.tmpdir) == []


def test_a_line_of_others_that_is_read_first_puts_our_include_before_it(host, etc, staged):
    (etc / "sshd_config").write_text("MaxAuthTries 9\n")
    daemon = sshd.Sshd(host.commands, {"MaxAuthTries": 3}, None)
    daemon.plan()
    assert daemon.files[sshd_config.MAIN] == sshd_config.INCLUDE + "\nMaxAuthTries 9\n"
    assert daemon.files[sshd_config.DROP_IN].endswith("MaxAuthTries 3\n")


def test_a_folder_that_is_included_already_leaves_the_main_file_alone(host, etc, staged):
    (etc / "sshd_config").write_text(f"Include {etc}/sshd_config.d/*.conf\nMaxAuthTries 9\n")
    daemon = sshd.Sshd(host.commands, {"MaxAuthTries": 3}, None)
    daemon.plan()
    assert list(daemon.files) == [sshd_config.DROP_IN]
    assert daemon.values["maxauthtries"] == ["3"]


def test_a_setting_that_stays_without_effect_is_named_with_what_overrides_it(host, etc, staged):
    # sshd reports 9 for all files together, and 3 for our file alone.
    def report(argv):
        own = staged[-1]["main"].endswith("MaxAuthTries 3\n")
        return 0, EFFECTIVE.replace("maxauthtries 6", "maxauthtries " + ("3" if own else "9")), ""

    host.answer("/usr/sbin/sshd -T", then=report)
    with pytest.raises(DoorError) as raised:
        sshd.Sshd(host.commands, {"MaxAuthTries": 3}, None).plan()
    assert str(raised.value) == (
        "settings: sshd would not follow MaxAuthTries 3, another line of its configuration says 9; "
        "remove that line or the setting"
    )


def test_what_sshd_refuses_is_named_with_the_line(host, etc, staged):
    # As OpenSSH 9.2 says it, about the file that it was given.
    host.answer("/usr/sbin/sshd -t", then=lambda argv: (255, "", f"{argv[-1]}: line 2: invalid time value.\r\n"))
    with pytest.raises(DoorError) as raised:
        sshd.Sshd(host.commands, {"LoginGraceTime": "soon"}, None).plan()
    assert str(raised.value) == (
        "settings: sshd refuses its configuration with these settings (LoginGraceTime soon): "
        f"{sshd_config.DROP_IN}: line 2: invalid time value."
    )


def test_a_login_that_would_no_longer_work_is_refused_only_with_settings(host, etc, staged):
    host.answer("/usr/sbin/sshd -T", out=EFFECTIVE.replace("passwordauthentication yes", "passwordauthentication no"))
    sshd.Sshd(host.commands, {}, SESSION, {"/etc/shadow": f"{ME}:!:1\n"}.get).plan()
    with pytest.raises(DoorError, match="settings: these would lock out the user of this connection: " + ME):
        sshd.Sshd(host.commands, {"PasswordAuthentication": False}, SESSION, {"/etc/shadow": f"{ME}:!:1\n"}.get).plan()


@pytest.mark.parametrize(
    ("shadow", "password"),
    [(f"{ME}:$y$x:1\n", True), (f"{ME}:!$y$x:1\n", False), (f"{ME}:*:1\n", False), (f"{ME}::1\n", False), (None, True)],
)
def test_a_user_without_an_entry_is_taken_to_have_a_password(shadow, password):
    user = sshd.user(SESSION, {"/etc/shadow": shadow}.get)
    assert (user.password, user.name, user.uid, user.address) == (password, ME, os.getuid(), "fe80::7")


def test_a_file_of_keys_is_read_and_everything_else_is_not(tmp_path):
    (tmp_path / "keys").write_bytes(b"ssh-ed25519 AAAA \xff\n")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "endless").symlink_to("/dev/zero")
    assert sshd.read_regular(str(tmp_path / "keys")) == "ssh-ed25519 AAAA \udcff\n"
    for name in ("fifo", "endless", "", "none"):
        assert sshd.read_regular(str(tmp_path / name)) is None


def test_a_fifo_in_place_of_keys_does_not_block(host, etc, staged, tmp_path):
    def read(path):
        """Read a file, but not the one that only root may read."""
        return None if path == "/etc/shadow" else sshd.read_regular(path)

    os.mkfifo(tmp_path / "fifo")
    values = EFFECTIVE.replace("authorizedkeysfile none", f"authorizedkeysfile {tmp_path}/fifo")
    host.answer("/usr/sbin/sshd -T", out=values.replace("passwordauthentication yes", "passwordauthentication no"))
    with pytest.raises(DoorError, match=f"there is no key in {tmp_path}/fifo"):
        sshd.Sshd(host.commands, {"PasswordAuthentication": False}, SESSION, read).plan()
