# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace all files or none, on the real file system, with renames that a test lets fail."""

from __future__ import annotations

import errno
import os

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic, together
from ansible_collections.lifeline.fleet.plugins.module_utils._files.together import File, FilesError


@pytest.fixture
def pair(tmp_path):
    """Return two files of which the first exists with a mode of its own."""
    (tmp_path / "one").write_text("old\n")
    os.chmod(tmp_path / "one", 0o640)
    return [File(str(tmp_path / "one"), "new\n"), File(str(tmp_path / "deep/two"), b"\xff\n", 0o600)]


def listed(folder):
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mode & 0o7777)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


BEFORE = {"one": (b"old\n", 0o640)}


def failing(monkeypatch, method, numbers):
    """Let the calls of a method of `Staged` with these numbers fail."""
    real, count = getattr(atomic.Staged, method), []

    def fail(self, *arguments, **options):
        count.append(1)
        if len(count) in numbers:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, *arguments, **options)

    monkeypatch.setattr(atomic.Staged, method, fail)


def test_all_files_are_written_with_their_modes(pair, tmp_path):
    together.replace(pair)
    assert listed(tmp_path) == {"one": (b"new\n", 0o644), "deep/two": (b"\xff\n", 0o600)}
    assert [File(file.path, file.content, file.mode).changed for file in pair] == [False, False]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_full_disk_while_the_contents_are_written_changes_nothing(pair, tmp_path, monkeypatch, number):
    failing(monkeypatch, "__init__", {number})
    with pytest.raises(FilesError, match=r"(one|two) cannot be written: No space left on device$"):
        together.replace(pair)
    assert listed(tmp_path) == BEFORE


@pytest.mark.parametrize("number", [1, 2])
def test_a_rename_that_fails_restores_the_files_before_it(pair, tmp_path, monkeypatch, number):
    failing(monkeypatch, "place", {number})
    name = ["one", "two"][number - 1]
    with pytest.raises(FilesError, match=f"{name} cannot be written: No space left on device$"):
        together.replace(pair)
    assert listed(tmp_path) == BEFORE


def test_a_file_that_was_not_there_is_removed_again(tmp_path, monkeypatch):
    files = [File(str(tmp_path / name), "x") for name in ("a", "b")]
    failing(monkeypatch, "place", {2})
    with pytest.raises(FilesError):
        together.replace(files)
    assert listed(tmp_path) == {}


def test_a_file_that_cannot_be_restored_is_named(pair, tmp_path, monkeypatch):
    failing(monkeypatch, "place", {2, 3})
    with pytest.raises(FilesError) as raised:
        together.replace(pair)
    assert str(raised.value) == (
        f"{tmp_path}/deep/two cannot be written: No space left on device; "
        f"these could not be restored and have their new content: {tmp_path}/one"
    )


def test_the_same_content_with_another_mode_is_a_change(tmp_path):
    (tmp_path / "one").write_text("x")
    os.chmod(tmp_path / "one", 0o644)
    assert not File(str(tmp_path / "one"), "x").changed
    assert File(str(tmp_path / "one"), "x", 0o600).changed


def test_a_relative_path_and_a_folder_are_refused(tmp_path):
    with pytest.raises(FilesError, match=r"relative path \('etc/x'\); give an absolute one"):
        File("etc/x", "")
    with pytest.raises(FilesError, match=f"^{tmp_path} cannot be read: not a regular file$"):
        File(str(tmp_path), "")


def test_a_fifo_is_refused_and_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "a")
    with pytest.raises(FilesError, match=f"^{tmp_path}/a cannot be read: not a regular file$"):
        File(str(tmp_path / "a"), "")


def test_a_folder_that_another_user_can_change_is_refused(tmp_path):
    (tmp_path / "app").mkdir()
    os.chmod(tmp_path / "app", 0o777)
    with pytest.raises(FilesError) as raised:
        File(str(tmp_path / "app/config.yml"), "")
    assert str(raised.value) == (
        f"{tmp_path}/app/config.yml is not safe to write: every user can write to {tmp_path}/app; "
        "use a folder that belongs to root alone"
    )
    assert os.listdir(tmp_path / "app") == []


def test_a_program_is_asked_about_the_new_content_under_the_same_name(host, tmp_path):
    seen = []

    def look(argv):
        with open(argv[1]) as stream:
            seen.append((os.path.basename(argv[1]), stream.read()))
        return 1, f"{argv[1]}:1: bad\n", ""

    host.answer("check", then=look)
    file = File(str(tmp_path / "a.service"), "new\n", command=["check", "%s"])
    assert file.refused(host.commands) == f"{tmp_path}/a.service:1: bad"
    assert seen == [("a.service", "new\n")] and os.listdir(host.commands.tmpdir) == []


def test_a_program_that_says_nothing_is_named_by_its_exit_status(host, tmp_path):
    host.answer("check", code=3)
    assert File(str(tmp_path / "a"), "new", command=["check", "%s"]).refused(host.commands) == "exit status 3"
    host.answer("check")
    assert File(str(tmp_path / "a"), "new", command=["check", "%s"]).refused(host.commands) is None


def test_content_that_stays_is_not_checked(host, tmp_path):
    (tmp_path / "a").write_text("same")
    assert File(str(tmp_path / "a"), "same", 0o600, ["check", "%s"]).refused(host.commands) is None
    assert File(str(tmp_path / "a"), "other").refused(host.commands) is None
    assert host.calls == []


def test_the_diff_hides_secrets(pair):
    assert pair[0].diff()["before"] == "old\n" and pair[0].diff()["after"] == "new\n"
    secret = File(pair[0].path, "password", secret=True).diff()
    assert (secret["before"], secret["after"]) == ("", "(secret)\n")
