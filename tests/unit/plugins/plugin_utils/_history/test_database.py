# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection of a history: many writers, damaged files, full disks and locks."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import HistoryError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import database as history_database
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.database import Database
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Reading, Sample
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History
from histories import RUN, ask, cut_off, damage_head, damage_pages, fold_in, record, value, values

DAMAGE = pytest.mark.parametrize("damage", [damage_head, damage_pages, cut_off])


def start(tmp_path, path, runs, boxes):
    """Start many runs at once and return what each has printed, after checking that none failed."""
    (tmp_path / "run.py").write_text(RUN)
    processes = [
        subprocess.Popen(
            [sys.executable, tmp_path / "run.py", path, str(run), str(boxes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for run in range(runs)
    ]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate() for process in processes]
    assert not any(errors for _output, errors in answers), answers
    return [output for output, _errors in answers]


def test_fifty_runs_at_once_lose_nothing(path, tmp_path):
    runs, boxes = 50, 4
    assert not any(start(tmp_path, path, runs, boxes))
    with History(path) as history:
        assert len(history.readings()) == runs * boxes
        for box in range(boxes):
            assert sorted(point.value for point in history.series(f"box{box}", "memory_used_bytes")) == list(
                range(runs)
            )
            assert all(history.series(f"box{box}", "disk_used_bytes", f"/mnt/{run}") for run in range(runs))
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]
    assert [entry for entry in os.listdir(tmp_path) if "damaged" in entry] == []


def test_many_runs_that_find_a_damaged_file_set_it_aside_once(path, tmp_path):
    record(path, samples=value(1))
    fold_in(path)
    damage_head(path)
    outputs = start(tmp_path, path, 12, 3)
    assert sum(output.count("was damaged") for output in outputs) == 1
    with History(path) as history:
        assert len(history.readings()) == 36


@DAMAGE
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(path, damage):
    for number in range(50):
        record(path, samples=value(number))
    fold_in(path)
    damage(path)
    notes = record(path, samples=value(7))
    assert values(path) == [7]
    aside = [entry for entry in os.listdir(os.path.dirname(path)) if ".damaged-" in entry]
    assert len([entry for entry in aside if not entry.endswith(("-wal", "-shm"))]) == 1
    assert len(notes) == 1
    assert all(words in notes[0] for words in (path, "was damaged", aside[0].partition("-wal")[0], ".recover"))
    assert record(path, samples=value(8)) == []
    assert values(path) == [7, 8]


@DAMAGE
def test_reading_leaves_a_damaged_file_alone(path, damage):
    for number in range(50):
        record(path, samples=value(number))
    fold_in(path)
    damage(path)
    with pytest.raises(HistoryError, match="is damaged .*; move it away"):
        values(path)
    assert not any(".damaged-" in entry for entry in os.listdir(os.path.dirname(path)))


def test_the_file_of_another_program_is_left_alone(path):
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (a)")
    other.commit()
    other.close()
    before = Path(path).read_bytes()
    with pytest.raises(HistoryError, match="is a SQLite file, but no history of lifeline.fleet; name another file"):
        record(path)
    assert Path(path).read_bytes() == before


def test_the_history_of_a_later_release_is_left_alone(path):
    record(path)
    ask(path, "PRAGMA user_version = 99")
    with pytest.raises(HistoryError, match="has version 99, but this release of lifeline.fleet reads version 1; "):
        record(path)


def test_a_history_that_is_not_open_says_so(path):
    with pytest.raises(HistoryError, match="is not open; use it in a `with` statement"):
        Database(path, create=True, wait=1).ask("SELECT 1")


def test_a_failed_transaction_leaves_nothing(path):
    with History(path, create=True) as history:

        def fail(connection):
            connection.execute("INSERT INTO boxes (name) VALUES ('web1')")
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            history.database.write(fail)
        assert history.database.ask("SELECT * FROM boxes") == []


def test_a_statement_that_sqlite_rejects_is_a_history_error(path):
    with History(path, create=True) as history, pytest.raises(HistoryError, match="cannot be used: no such table"):
        history.database.ask("SELECT * FROM missing")


GROW = """
import sys
from ansible_collections.lifeline.fleet.plugins.module_utils import _errors
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import records, store
try:
    for number in range(50):
        with store.History(sys.argv[1], create=True) as history:
            history.record(records.Reading("web1", "health", samples=[
                records.Sample(f"m{metric}", "s" * 500, 1) for metric in range(200)]))
except _errors.HistoryError as error:
    print(error)
"""


def test_a_file_that_may_not_grow_is_an_error_and_no_reading_is_cut(path):
    record(path, samples=value(1))
    fold_in(path)
    done = subprocess.run(
        [sys.executable, "-c", GROW, path],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000)),
    )
    assert done.stdout.startswith(f"the history {path} cannot be used") or "is full" in done.stdout
    with History(path) as history:
        assert {len(history.samples(reading.reading)) for reading in history.readings()} <= {1, 200}
    record(path, samples=value(2))
    assert values(path) == [1, 2]


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("mount"), reason="only root can mount a small disk")
def test_a_full_disk_is_an_error_and_keeps_what_was_recorded(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "lifeline-test", disk], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        path = str(disk / "history.db")
        record(path, samples=value(1))
        with pytest.raises(HistoryError, match="cannot grow because its disk is full; make room"):
            for number in range(500):
                record(path, samples=[Sample(f"m{metric}", "", number) for metric in range(200)])
        assert values(path) == [1]
        assert ask(path, "PRAGMA integrity_check") == [("ok",)]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_the_lock_of_another_program_is_waited_for_and_then_an_error(path):
    record(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with (
        pytest.raises(HistoryError, match="is locked by another program .*; end that program"),
        History(path, create=True, wait=0.1) as history,
    ):
        history.record(Reading("web1", "health"))
    # Readers and writers are not in each other's way.
    assert values(path) == []
    other.execute("COMMIT")
    record(path, samples=value(1))
    assert values(path) == [1]


def test_the_log_is_folded_in_only_when_it_has_grown(path):
    record(path, samples=value(0))
    assert os.path.getsize(path + "-wal") > 0
    for number in range(100):
        record(path, samples=[Sample(f"m{metric}", "", number) for metric in range(20)])
    assert os.path.getsize(path + "-wal") < 2 * history_database.LOG_SIZE
