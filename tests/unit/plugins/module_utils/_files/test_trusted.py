# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which paths another user could redirect. `lstat` is answered with other owners, as only root can change them."""

from __future__ import annotations

import os

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._files import trusted


@pytest.fixture
def owned(monkeypatch):
    """Return a function that gives paths to another user."""
    others = {}
    real = os.lstat

    def lstat(path):
        status = real(path)
        if str(path) in others:
            fields = list(status)[:10]
            fields[4] = others[str(path)]
            return os.stat_result(fields)
        return status

    monkeypatch.setattr(os, "lstat", lstat)

    def give(path, uid=65534):
        others[str(path)] = uid

    return give


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app" / "config").mkdir(parents=True)
    (tmp_path / "app" / "config" / "x.yml").write_text("")
    return tmp_path


def test_files_of_root_and_of_this_user_are_trusted(folder):
    for path in ("app", "app/config", "app/config/x.yml", "app/new", "new/deep/file"):
        assert trusted.distrust(str(folder / path)) is None
    for path in (
        "/",
        "/etc/passwd",
        "/etc/systemd/system/new.service",
        "/usr/local/lib/new/x",
        "/var/log/new",
        "/run/new",
    ):
        assert trusted.distrust(path) is None


@pytest.mark.parametrize("path", ["app", "app/config"])
def test_a_folder_of_another_user_is_not_trusted_however_deep(folder, owned, path):
    owned(folder / path)
    message = f"{folder / path} belongs to user nobody"
    assert trusted.distrust(str(folder / "app/config/x.yml")) == message
    assert trusted.distrust(str(folder / "app/config/new")) == message
    assert trusted.distrust(str(folder / path)) == message
    assert trusted.distrust(str(folder / "other")) is None


def test_a_file_of_another_user_in_a_folder_of_root_can_be_replaced(folder, owned):
    owned(folder / "app/config/x.yml")
    assert trusted.distrust(str(folder / "app/config/x.yml")) is None


def test_a_user_without_a_name_is_given_as_a_number(folder, owned):
    owned(folder / "app", 4242424)
    assert trusted.distrust(str(folder / "app/x")) == f"{folder}/app belongs to user 4242424"


def test_a_folder_that_every_user_can_write_to_is_not_trusted(folder):
    os.chmod(folder / "app", 0o777)
    assert trusted.distrust(str(folder / "app/config/x.yml")) == f"every user can write to {folder}/app"


def test_in_a_shared_folder_only_what_exists_is_trusted(folder, owned):
    os.chmod(folder / "app", 0o1777)
    assert trusted.distrust(str(folder / "app/config/x.yml")) is None
    assert trusted.distrust(str(folder / "app/new")) == f"every user can write to {folder}/app"
    owned(folder / "app/config")
    assert trusted.distrust(str(folder / "app/config/x.yml")) == f"{folder}/app/config belongs to user nobody"


def test_a_file_of_another_user_in_a_shared_folder_is_not_trusted(folder, owned):
    os.chmod(folder / "app/config", 0o1777)
    owned(folder / "app/config/x.yml")
    assert trusted.distrust(str(folder / "app/config/x.yml")) == f"{folder}/app/config/x.yml belongs to user nobody"


def test_a_group_of_users_is_not_trusted_and_one_of_the_system_is(folder, monkeypatch):
    os.chmod(folder / "app", 0o775)
    real = os.lstat

    def group(number):
        def lstat(path):
            fields = list(real(path))[:10]
            if str(path) == str(folder / "app"):
                fields[5] = number
            return os.stat_result(fields)

        monkeypatch.setattr(os, "lstat", lstat)
        return trusted.distrust(str(folder / "app/x"))

    assert group(50) is None
    assert group(12345) == f"users of group 12345 can write to {folder}/app"


def test_a_link_is_followed_and_must_be_trusted_itself(folder, owned):
    (folder / "link").symlink_to("app/config")
    assert trusted.distrust(str(folder / "link/x.yml")) is None
    owned(folder / "app")
    assert trusted.distrust(str(folder / "link/x.yml")) == f"{folder}/app belongs to user nobody"
    owned(folder / "app", os.geteuid())
    owned(folder / "link")
    assert trusted.distrust(str(folder / "link/x.yml")) == f"{folder}/link belongs to user nobody"


def test_links_in_a_circle_end(folder):
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    assert trusted.distrust(str(folder / "a/x")).endswith("has too many links")


def test_a_path_through_a_file_cannot_be_read(folder):
    assert trusted.distrust(str(folder / "app/config/x.yml/y")).endswith("x.yml/y cannot be read: Not a directory")


def test_a_regular_file_is_opened_and_nothing_else(folder):
    with trusted.open_regular(str(folder / "app/config/x.yml")) as stream:
        assert stream.read() == b""
    os.mkfifo(folder / "fifo")
    (folder / "device").symlink_to("/dev/null")
    for name in ("fifo", "device", "app"):
        with pytest.raises(OSError, match="not a regular file"), trusted.open_regular(str(folder / name)):
            pass
    with pytest.raises(FileNotFoundError), trusted.open_regular(str(folder / "none")):
        pass
