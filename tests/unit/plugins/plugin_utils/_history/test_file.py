# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a history: who may open it, and how it is set aside."""

from __future__ import annotations

import os
import stat
import tempfile
import threading

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import HistoryError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import file as history_file
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Reading
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History
from histories import fold_in, record, value, values


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (".", "name a file in it, such as "),
        ("/dev/null", "the history /dev/null is not a regular file; name a file"),
        ("file/history.db", r"cannot be opened \(File exists\); name a file that"),
    ],
)
def test_a_path_that_cannot_be_a_file_is_an_error(tmp_path, name, words):
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryError, match=words):
        record(str(tmp_path / name))


def test_reading_creates_no_file(path):
    with pytest.raises(HistoryError, match="cannot be opened .*; nothing has been recorded there yet"):
        values(path)
    assert not os.path.exists(path)


def test_folders_are_created_and_links_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "new" / "folder" / "history.db")
    record(str(tmp_path / "link"), samples=value(1))
    assert (tmp_path / "link").is_symlink()
    assert values(str(tmp_path / "new" / "folder" / "history.db")) == [1]
    assert history_file.resolve(str(tmp_path / "link")) == str(tmp_path / "new" / "folder" / "history.db")


def test_the_size_of_a_log_and_the_inode_of_a_missing_file(path):
    assert (history_file.log_size(path), history_file.inode(path)) == (0, None)


def test_a_file_is_set_aside_with_its_companions_once(path):
    for suffix in ("", "-wal", "-shm"):
        with open(path + suffix, "w") as file:
            file.write(suffix)
    seen = history_file.inode(path)
    name = history_file.set_aside(path, seen)
    folder = os.path.dirname(path)
    assert sorted(os.listdir(folder)) == sorted(os.path.basename(name) + suffix for suffix in ("", "-shm", "-wal"))
    assert history_file.set_aside(path, seen) is None
    # A new file has another inode than the damaged one.
    with open(path, "w"):
        pass
    assert history_file.set_aside(path, -1) is None
    assert os.path.exists(path)


def test_two_damaged_files_of_one_second_get_two_names(path, monkeypatch):
    monkeypatch.setattr(history_file.time, "strftime", lambda *_arguments: "now")
    names = []
    for _number in range(2):
        with open(path, "w"):
            pass
        names.append(history_file.set_aside(path, history_file.inode(path)))
    assert names == [f"{path}.damaged-now", f"{path}.damaged-now-2"]


def test_a_file_that_is_held_is_not_set_aside(path):
    with open(path, "w"):
        pass
    done = []
    waiting = threading.Thread(target=lambda: done.append(history_file.set_aside(path, history_file.inode(path))))
    with history_file.held(path, create=False):
        waiting.start()
        waiting.join(0.2)
        assert not done and os.path.exists(path)
    waiting.join(30)
    assert done and not os.path.exists(path)


@pytest.fixture
def public():
    """Return a folder that every user may look into; the folders of the tests are private."""
    with tempfile.TemporaryDirectory(prefix="history.") as folder:
        os.chmod(folder, 0o755)
        yield folder


def as_nobody(action, *arguments):
    """Return what an action returns, or its error, when a user runs it who may not write: root may write everywhere."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            answer = str(action(*arguments))
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with open(reader) as answer:
        return answer.read()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can try what another user may do")
def test_another_user_may_neither_write_nor_read(public):
    path = os.path.join(public, "history.db")
    refused = f"HistoryError: the history {path} cannot be opened (Permission denied); name a file"
    assert as_nobody(record, path).startswith(refused)
    record(path, samples=value(1))
    assert as_nobody(record, path).startswith(refused)
    assert as_nobody(values, path).startswith(refused)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can try what another user may do")
def test_a_history_in_a_folder_that_cannot_be_written_is_read(public):
    path = os.path.join(public, "history.db")
    record(path, samples=value(1))
    fold_in(path)
    os.chown(path, 65534, 65534)
    assert as_nobody(values, path) == "[1]"
    answer = as_nobody(record, path)
    assert answer.startswith(f"HistoryError: the history {path} cannot be written")
    assert "in a folder that you may write to" in answer


def modes(path):
    return {
        suffix: stat.S_IMODE(os.stat(path + suffix).st_mode)
        for suffix in ("", "-wal", "-shm")
        if os.path.exists(path + suffix)
    }


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_only_the_owner_can_read_the_file_and_its_companions(path, umask):
    before = os.umask(umask)
    try:
        with History(path, create=True) as history:
            history.record(Reading("web1", "health"))
            assert modes(path) == {"": 0o600, "-wal": 0o600, "-shm": 0o600}
    finally:
        os.umask(before)


def test_a_history_that_others_could_read_is_restricted(path):
    with History(path, create=True) as history:
        history.record(Reading("web1", "health"))
        for suffix in ("", "-wal", "-shm"):
            os.chmod(path + suffix, 0o664)
        record(path)
        assert modes(path) == {"": 0o600, "-wal": 0o600, "-shm": 0o600}


def test_a_reader_changes_no_mode(path):
    record(path, samples=value(1))
    os.chmod(path, 0o640)
    assert values(path) == [1]
    assert modes(path)[""] == 0o640


def test_a_link_in_place_of_the_log_is_not_followed(path, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("")
    victim.chmod(0o644)
    os.symlink(victim, path + "-wal")
    os.close(history_file._open(path, create=True))
    assert stat.S_IMODE(victim.stat().st_mode) == 0o644


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_history_of_another_owner_keeps_its_mode_and_is_used(public):
    path = os.path.join(public, "history.db")
    record(path, samples=value(1))
    fold_in(path)
    os.chmod(public, 0o777)
    os.chmod(path, 0o666)
    assert as_nobody(record, path) == "[]"
    assert modes(path)[""] == 0o666
