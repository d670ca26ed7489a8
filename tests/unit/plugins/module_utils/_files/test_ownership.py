# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that are used below folders of other users."""

from __future__ import annotations

import os
import pwd
import tempfile

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._files import ownership
from ansible_collections.lifeline.fleet.plugins.module_utils._files.ownership import User, acting_as, who_controls

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away and change its user")

NOBODY = pwd.getpwnam("nobody")
SHARED = User(12345, 12345, [12345])


@pytest.fixture
def folder():
    """Create a folder that only root can change, unlike that of tmp_path."""
    with tempfile.TemporaryDirectory(dir="/var/lib") as path:
        os.chmod(path, 0o755)
        yield path


def give(path):
    os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)


def test_only_root_controls_its_own_folders(folder):
    os.mkdir(folder + "/config")
    assert who_controls(folder + "/config/sidekiq.yml") is None
    assert who_controls(folder + "/missing/sidekiq.yml") is None


@pytest.mark.parametrize("part", ["", "/config", "/config/sidekiq.yml"])
def test_the_owner_of_any_part_controls_the_path(folder, part):
    os.mkdir(folder + "/config")
    open(folder + "/config/sidekiq.yml", "w").close()
    give(folder + part)
    assert who_controls(folder + "/config/sidekiq.yml").uid == NOBODY.pw_uid


def test_the_owner_of_a_link_controls_the_path(folder):
    os.symlink("/etc", folder + "/config")
    give(folder + "/config")
    assert who_controls(folder + "/config/nologin").uid == NOBODY.pw_uid


@pytest.mark.parametrize(
    "target", ["{}/shared/sidekiq.yml", "../shared/sidekiq.yml", "../config/../shared/./sidekiq.yml"]
)
def test_a_link_of_root_is_followed(folder, target):
    os.mkdir(folder + "/config")
    os.mkdir(folder + "/shared")
    give(folder + "/shared")
    os.symlink(target.format(folder), folder + "/config/sidekiq.yml")
    assert who_controls(folder + "/config/sidekiq.yml").uid == NOBODY.pw_uid


def test_a_loop_of_links_is_an_error(folder):
    os.symlink("b", folder + "/a")
    os.symlink("a", folder + "/b")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        who_controls(folder + "/a/sidekiq.yml")


@pytest.mark.parametrize("mode", [0o1777, 0o757, 0o775])
def test_a_folder_that_others_can_write_to_is_not_root_s_alone(folder, mode):
    os.chown(folder, 0, NOBODY.pw_gid)
    os.chmod(folder, mode)
    assert who_controls(folder + "/sidekiq.yml", SHARED) == SHARED
    with pytest.raises(PermissionError, match="other users can write to this folder"):
        who_controls(folder + "/sidekiq.yml")


def test_in_a_sticky_folder_a_file_of_root_s_is_root_s(folder):
    os.chmod(folder, 0o1777)
    open(folder + "/sidekiq.yml", "w").close()
    assert who_controls(folder + "/sidekiq.yml") is None


def test_a_folder_that_root_s_group_can_write_to_is_root_s(folder):
    os.chmod(folder, 0o775)
    assert who_controls(folder + "/sidekiq.yml") is None


def test_a_user_without_a_passwd_entry_has_the_file_s_group():
    assert ownership.user_of(3000000, 3000001) == User(3000000, 3000001, [3000001])


def test_acting_as_a_user_has_the_rights_of_that_user_only(folder):
    path = folder + "/root's"
    os.mkdir(folder + "/own")
    give(folder + "/own")
    groups = os.getgroups()
    with acting_as(ownership.user_of(NOBODY.pw_uid, NOBODY.pw_gid)):
        with pytest.raises(PermissionError):
            os.mkdir(path)
        open(folder + "/own/file", "w").close()
    assert (os.geteuid(), os.getegid(), os.getgroups()) == (0, 0, groups)
    assert os.stat(folder + "/own/file").st_uid == NOBODY.pw_uid


def test_the_rights_are_root_s_again_after_an_error():
    with pytest.raises(KeyError), acting_as(SHARED):
        raise KeyError
    assert os.geteuid() == 0


@pytest.mark.parametrize("user", [None, User(0, 0, [0])])
def test_acting_as_root_changes_nothing(user):
    with acting_as(user):
        assert os.geteuid() == 0


def test_a_folder_is_opened_through_a_link_of_root_s(folder):
    os.mkdir(folder + "/real")
    os.symlink("real", folder + "/link")
    descriptor = ownership.open_folder(folder + "/link")
    with open(f"/proc/self/fd/{descriptor}/file", "w"):
        os.close(descriptor)
    assert os.listdir(folder + "/real") == ["file"]


def test_a_link_of_another_user_is_not_followed(folder):
    os.symlink("/etc", folder + "/link")
    give(folder + "/link")
    with pytest.raises(OSError, match="Not a directory|Too many levels of symbolic links"):
        ownership.open_folder(folder + "/link")


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_what_is_no_folder_is_an_error(folder, kind):
    if kind == "file":
        open(folder + "/" + kind, "w").close()
    with pytest.raises(OSError, match="No such file or directory|Not a directory"):
        ownership.open_folder(folder + "/" + kind)
