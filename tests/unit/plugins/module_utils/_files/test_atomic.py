# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file is replaced as a whole or not at all, with the mode and owner that were asked for."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "file")


@pytest.fixture
def synced(monkeypatch):
    """Record each sync to the disk: "file" or "folder", in order."""
    found, sync = [], os.fsync

    def note(descriptor):
        found.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    return found


def test_the_mode_does_not_depend_on_the_umask(path):
    before = os.umask(0o077)
    try:
        atomic.replace(path, "one", mode=0o644)
        first = os.stat(path).st_ino
        atomic.replace(path, b"two \xff", mode=0o640)
    finally:
        os.umask(before)
    with open(path, "rb") as stream:
        assert stream.read() == b"two \xff"
    assert (mode(path), os.stat(path).st_ino != first) == (0o640, True)
    assert os.listdir(os.path.dirname(path)) == ["file"]


def test_without_a_mode_that_of_the_old_file_stays(path):
    atomic.replace(path, "")
    assert mode(path) == 0o644
    os.chmod(path, 0o600)
    atomic.replace(path, "new")
    assert mode(path) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_owner_is_set(path):
    atomic.replace(path, "", owner=(65534, 65533))
    assert (os.stat(path).st_uid, os.stat(path).st_gid) == (65534, 65533)


def test_surrogates_become_the_bytes_that_they_stand_for(path):
    atomic.replace(path, "\udcff\r\n")
    assert atomic.read_text(path) == "\udcff\r\n"
    with open(path, "rb") as stream:
        assert stream.read() == b"\xff\r\n"


def test_a_folder_is_created_with_the_mode_asked_for(tmp_path):
    path = str(tmp_path / "new" / "file")
    atomic.replace(path, "text", folder_mode=0o700)
    assert mode(tmp_path / "new") == 0o700
    assert atomic.read_text(path) == "text"


def test_a_missing_folder_is_an_error_if_it_is_not_to_be_created(tmp_path):
    with pytest.raises(FileNotFoundError):
        atomic.replace(str(tmp_path / "new" / "file"), "text", folder_mode=None)
    assert os.listdir(tmp_path) == []


def test_a_relative_path_is_written_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    atomic.replace("file", "text")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(("durable", "expected"), [(True, ["file", "folder"]), (False, [])])
def test_only_a_durable_file_waits_for_the_disk(path, synced, durable, expected):
    atomic.replace(path, "text", durable=durable)
    assert synced == expected


@pytest.mark.parametrize(("follow", "stays"), [(True, True), (False, False)])
def test_a_link_is_followed_only_if_asked(tmp_path, follow, stays):
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.parent.mkdir()
    target.write_text("old")
    link.symlink_to(target)
    atomic.replace(str(link), "new", follow_links=follow)
    assert (link.is_symlink(), link.read_text()) == (stays, "new")
    assert target.read_text() == ("new" if follow else "old")


@pytest.mark.parametrize("failing", ["fsync", "replace", "fchmod"])
def test_a_failure_leaves_the_old_file_and_nothing_else(path, monkeypatch, failing):
    atomic.replace(path, "old")

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(OSError, match="No space left"):
        atomic.replace(path, "new")
    assert atomic.read_text(path) == "old"
    assert os.listdir(os.path.dirname(path)) == ["file"]


def test_a_folder_is_never_replaced(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError):
        atomic.replace(str(tmp_path / "file"), "text")
    assert os.listdir(tmp_path) == ["file"]


def test_a_link_in_the_place_of_the_unfinished_file_is_not_written_through(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "file.new").symlink_to("precious")
    atomic.replace(str(tmp_path / "file"), "new", name=str(tmp_path / "file.new"))
    assert (tmp_path / "precious").read_text() == "precious"
    assert sorted(os.listdir(tmp_path)) == ["file", "precious"]


_WRITE = (
    "import signal, sys\n"
    "from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic\n"
    "signal.signal(signal.SIGXFSZ, getattr(signal, sys.argv[2]))\n"
    "atomic.replace(sys.argv[1], 'new' * 100000, name=sys.argv[1] + '.new')"
)


@pytest.mark.parametrize(("disposition", "left"), [("SIG_DFL", ["file", "file.new"]), ("SIG_IGN", ["file"])])
def test_a_writer_that_is_cut_off_leaves_the_old_file_as_it_was(path, disposition, left):
    """The kernel lets it write 4 KB: then it kills it, or refuses the rest as a full disk would."""
    atomic.replace(path, "old\n")
    done = subprocess.run(
        [sys.executable, "-c", _WRITE, path, disposition],
        check=False,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert done.returncode == (-signal.SIGXFSZ if disposition == "SIG_DFL" else 1), done.stderr
    assert atomic.read_text(path) == "old\n"
    assert sorted(os.listdir(os.path.dirname(path))) == left
    atomic.replace(path, "next\n", name=path + ".new")
    assert os.listdir(os.path.dirname(path)) == ["file"]


def test_staged_content_is_discarded_or_placed(path):
    staged = atomic.Staged(path, "new")
    assert not os.path.exists(path)
    assert os.path.basename(staged.name).startswith(atomic.PREFIX)
    staged.discard()
    staged.discard()
    assert os.listdir(os.path.dirname(path)) == []
    staged = atomic.Staged(path, "new")
    staged.place()
    assert atomic.read_text(path) == "new"


def test_a_missing_file_has_no_text_and_an_unreadable_one_is_an_error(tmp_path):
    assert atomic.read_text(str(tmp_path / "missing")) is None
    with pytest.raises(IsADirectoryError):
        atomic.read_text(str(tmp_path))


@pytest.mark.parametrize(("number", "raises"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_a_file_system_without_syncing_of_folders_is_no_error(tmp_path, monkeypatch, number, raises):
    def refuse(_descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    if raises:
        with pytest.raises(OSError):
            atomic.sync_folder(str(tmp_path))
    else:
        atomic.sync_folder(str(tmp_path))
