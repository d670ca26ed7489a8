# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The number of threads in an application's sidekiq.yml, also with links that a user has planted."""

from __future__ import annotations

import os
import pwd
import tempfile

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.threads import Outcome, with_threads, write

NOBODY = pwd.getpwnam("nobody")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away and change its user")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ":concurrency: 5\n"),
        (":concurrency: 99\n:queues: [a]\n", ":concurrency: 5\n:queues: [a]\n"),
        ("concurrency: 99\n", ":concurrency: 5\n"),
        ("a: 1\nb: 2", "a: 1\nb: 2\n:concurrency: 5\n"),
        ("production:\n  :concurrency: 9\n", "production:\n  :concurrency: 9\n:concurrency: 5\n"),
        (":concurrency: 1\n:concurrency: 2\n", ":concurrency: 1\n:concurrency: 5\n"),
    ],
)
def test_only_the_last_number_changes(before, after):
    assert with_threads(before, 5) == after
    assert with_threads(after, 5) == after


def test_a_file_is_written_once(tmp_path):
    path = tmp_path / "sidekiq.yml"
    path.write_text(":queues: [a]\n")
    path.chmod(0o640)
    assert write(str(path), 5, None, dry=True).after == ":queues: [a]\n:concurrency: 5\n"
    assert path.read_text() == ":queues: [a]\n"
    assert write(str(path), 5, "root").after == path.read_text() == ":queues: [a]\n:concurrency: 5\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert write(str(path), 5, "root") == Outcome(path.read_text(), path.read_text())


def test_bytes_that_are_not_utf_8_stay(tmp_path):
    path = tmp_path / "sidekiq.yml"
    path.write_bytes(b"# \xff\n")
    write(str(path), 5, "root")
    assert path.read_bytes() == b"# \xff\n:concurrency: 5\n"


@pytest.fixture
def application():
    """Create an application of the user nobody, in a folder that only root can change."""
    with tempfile.TemporaryDirectory(dir="/var/lib") as folder:
        os.chmod(folder, 0o755)
        os.makedirs(folder + "/app/config")
        for path in (folder + "/app", folder + "/app/config"):
            os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
        yield folder


@as_root
def test_a_new_file_belongs_to_the_application_s_owner(application):
    path = application + "/app/config/sidekiq.yml"
    assert write(path, 5, None) == Outcome(None, ":concurrency: 5\n")
    assert os.stat(path).st_uid == NOBODY.pw_uid


@as_root
@pytest.mark.parametrize("kind", ["file", "missing", "folder"])
def test_root_does_not_write_through_a_link_of_the_application_s_owner(application, kind):
    secret = application + "/nologin"
    if kind == "file":
        with open(secret, "w") as stream:
            stream.write("closed\n")
    if kind == "folder":
        os.rmdir(application + "/app/config")
        os.symlink(application, application + "/app/config")
        os.chown(application + "/app/config", NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)
        path = application + "/app/config/nologin"
    else:
        path = application + "/app/config/sidekiq.yml"
        os.symlink(secret, path)
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)
    if kind == "file":
        found = write(path, 5, None)
        assert found == Outcome("closed\n", "closed\n", "user nobody may not write it (Permission denied)")
        with open(secret) as stream:
            assert stream.read() == "closed\n"
    else:
        with pytest.raises(PermissionError):
            write(path, 5, None)
        assert not os.path.exists(secret)


@as_root
def test_a_secret_behind_a_link_is_not_read(application):
    secret, path = application + "/shadow", application + "/app/config/sidekiq.yml"
    with open(secret, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
        stream.write("secret\n")
    os.symlink(secret, path)
    with pytest.raises(PermissionError):
        write(path, 5, None, dry=True)


@as_root
def test_a_folder_of_several_users_is_written_as_the_worker_s_user(application):
    os.chown(application + "/app", 0, 0)
    os.chown(application + "/app/config", 0, 0)
    os.chmod(application + "/app/config", 0o777)
    path = application + "/app/config/sidekiq.yml"
    assert write(path, 5, "nobody").after == ":concurrency: 5\n"
    assert os.stat(path).st_uid == NOBODY.pw_uid
    with pytest.raises(PermissionError, match="other users can write to this folder"):
        write(path, 5, "no such user")


@pytest.mark.parametrize("kind", ["fifo", "large"])
def test_what_is_no_configuration_is_an_error(tmp_path, kind):
    path = tmp_path / "sidekiq.yml"
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(OSError, match="not a regular file|larger than 1 MB"):
        write(str(path), 5, "root")
