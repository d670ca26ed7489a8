# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history: many writers, damaged files, full disks, bounds, and what it tells."""

from __future__ import annotations

import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import HistoryError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import prune, store as history_store
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History, Kill, Reading, Sample
from paths import ROOT

DAY = 86400
# Not so long ago that it is forgotten.
NOW = int(time.time()) - 1000
FINDING = {
    "check": "disk_used_percent",
    "severity": "critical",
    "subject": "/",
    "value": 96,
    "threshold": 95,
    "unit": "%",
    "message": "/ is 96 % full, 305M left",
}

# One run: a process that opens the history anew for each of its boxes, as the forks of Ansible do.
RUN = """
import sys
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History, Reading, Sample
path, run, boxes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sys.stdin.readline()
for box in range(boxes):
    with History(path, create=True) as history:
        history.recent("box%d" % box, ["memory_used_bytes"])
        history.record(Reading("box%d" % box, "health", verdict="ok", samples=[
            Sample("memory_used_bytes", "", run, 1000), Sample("disk_used_bytes", "/mnt/%d" % run, box)], state={"kernel": run}))
        assert not history.notes, history.notes
"""


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "history.db")


def record(path, box="web1", taken=None, **more):
    with History(path, create=True) as history:
        history.record(Reading(box, "health", time.time() if taken is None else taken, **more))
        return history.notes


def value(number, subject=""):
    return [Sample("memory_used_bytes", subject, number, 1000)]


def ask(path, question):
    """What another program than ours sees."""
    database = sqlite3.connect(path)
    try:
        return database.execute(question).fetchall()
    finally:
        database.close()


def values(path, box="web1"):
    with History(path) as history:
        return [point.value for point in history.series(box, "memory_used_bytes")]


def test_a_reading_comes_back_as_it_was(path):
    taken = round(time.time(), 3)
    sample, kill = (
        Sample("worker_rss_bytes", "sidekiq", 5, 10, 7.5),
        Kill(taken - 60, 25910, "ruby", "kernel", "system", None, 1 << 30),
    )
    record(
        path,
        taken=taken,
        verdict="critical",
        booted=1000.0,
        samples=[*value(3), sample],
        findings=[FINDING],
        kills=[kill],
    )
    with History(path) as history:
        assert history.boxes() == ["web1"]
        latest = history.latest()["web1"]
        assert latest[1:] == ("web1", taken, "health", "critical", 1000.0)
        assert history.readings("web1", since=taken, source="health") == [latest]
        assert history.samples(latest.reading) == [value(3)[0], sample]
        assert history.series("web1", "worker_rss_bytes", "sidekiq") == [(taken, 5, 10, 7.5)]
        # What doesn't say since when it counts has counted since the box was booted.
        assert history.recent("web1", ["memory_used_bytes"]) == {("memory_used_bytes", ""): [(taken, 3, 1000, 1000.0)]}
        assert (
            history.findings("web1")
            == history.findings(reading=latest.reading)
            == [dict(FINDING, box="web1", taken=taken)]
        )
        assert history.kills(since=taken - 61) == [("web1", kill)]
        assert (
            history.kills(since=taken)
            == history.findings(since=taken + 1)
            == history.series("web2", "memory_used_bytes")
            == []
        )


def test_numbers_larger_than_any_of_sqlite(path):
    record(path, samples=[Sample("memory_used_bytes", "", 1 << 64, 1 << 70)])
    assert values(path) == [float(1 << 64)]


def test_series_are_oldest_first_and_as_long_as_asked(path):
    for number in range(20):
        record(path, taken=NOW + number, samples=value(number))
        record(path, "web2", NOW + number, samples=value(100))
    assert values(path) == list(range(20))
    with History(path) as history:
        assert [point.value for point in history.series("web1", "memory_used_bytes", last=3)] == [17, 18, 19]
        assert [point.value for point in history.series("web1", "memory_used_bytes", since=NOW + 17)] == [17, 18, 19]
        few = history.recent("web1", ["memory_used_bytes"])["memory_used_bytes", ""]
    assert [point.value for point in few] == [4, 12, 16, 19]


def test_a_kill_is_kept_once_however_often_it_is_read(path):
    kill = Kill(NOW, 25910, "ruby")
    for killed in (NOW, NOW + 0.4, NOW + 1.0):
        record(path, kills=[kill._replace(killed=killed)])
    record(
        path,
        kills=[kill._replace(pid=1), kill._replace(killed=NOW + 999), Kill(None, 5, "perl"), Kill(None, 5, "perl")],
    )
    record(path, "web2", kills=[kill])
    with History(path) as history:
        assert sorted((box, kill.pid, kill.killed) for box, kill in history.kills() if kill.killed) == [
            ("web1", 1, NOW),
            ("web1", 25910, NOW),
            ("web1", 25910, NOW + 999),
            ("web2", 25910, NOW),
        ]
        assert sum(kill.killed is None for _box, kill in history.kills()) == 1


def test_state_is_kept_where_it_has_changed(path):
    record(path, taken=NOW + 100, state={"kernel": "6.1.0", "package:a": "1", "package:b": "1"}, whole=("package:",))
    record(path, taken=NOW + 200, state={"kernel": "6.1.0", "package:a": "1", "package:b": "1"}, whole=("package:",))
    record(path, taken=NOW + 300, state={"kernel": "6.1.1"})
    record(path, taken=NOW + 400, state={"package:a": "2", "package:c": "1"}, whole=("package:",))
    record(
        path,
        taken=NOW + 500,
        state={"package:b": "1", "package:a": "2", "package:c": "1", "cpus": 2},
        whole=("package:",),
    )
    with History(path) as history:
        assert history.state("web1", NOW + 250) == {"kernel": "6.1.0", "package:a": "1", "package:b": "1"}
        assert history.state("web1") == {
            "kernel": "6.1.1",
            "package:a": "2",
            "package:b": "1",
            "package:c": "1",
            "cpus": 2,
        }
        changes = [
            (NOW + 300, "kernel", "6.1.0", "6.1.1"),
            (NOW + 400, "package:a", "1", "2"),
            (NOW + 400, "package:b", "1", None),
            (NOW + 400, "package:c", None, "1"),
            (NOW + 500, "package:b", None, "1"),
        ]
        # Nobody had looked for packages before the first reading, nor ever for CPUs before the last.
        assert history.changes("web1", 0) == changes
        assert history.changes("web1", NOW + 350) == changes[1:]
    assert ask(path, "SELECT count(*) FROM states") == [(4 + 1 + 3 + 2,)]


def test_fifty_runs_at_once_lose_nothing(path, tmp_path):
    runs, boxes = 50, 4
    (tmp_path / "run.py").write_text(RUN)
    processes = [
        subprocess.Popen(
            [sys.executable, tmp_path / "run.py", path, str(run), str(boxes)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for run in range(runs)
    ]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    errors = [process.communicate()[1] for process in processes]
    assert not any(errors), errors
    with History(path) as history:
        assert len(history.readings()) == runs * boxes
        for box in range(boxes):
            assert sorted(point.value for point in history.series(f"box{box}", "memory_used_bytes")) == list(
                range(runs)
            )
            assert all(history.series(f"box{box}", "disk_used_bytes", f"/mnt/{run}") for run in range(runs))
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]
    assert [entry for entry in os.listdir(tmp_path) if "damaged" in entry] == []


def damage_head(path):
    Path(path).write_bytes(b"this is no database " * 100)


def damage_pages(path):
    with open(path, "r+b") as file:
        for page in range(1, os.path.getsize(path) // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 4000)


def cut_off(path):
    os.truncate(path, 5000)


DAMAGE = pytest.mark.parametrize("damage", [damage_head, damage_pages, cut_off])


def fold_in(path):
    """Bring all into the one file, so that its damage isn't mended out of the log."""
    database = sqlite3.connect(path)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


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
def test_a_damaged_file_is_not_touched_by_who_only_reads(path, damage):
    for number in range(50):
        record(path, samples=value(number))
    fold_in(path)
    damage(path)
    with pytest.raises(HistoryError, match="is damaged"):
        values(path)
    assert not any(".damaged-" in entry for entry in os.listdir(os.path.dirname(path)))


def test_many_that_find_it_damaged_set_it_aside_once(path, tmp_path):
    record(path, samples=value(1))
    fold_in(path)
    damage_head(path)
    told = RUN.replace("assert not history.notes, history.notes", "[print(note) for note in history.notes]")
    (tmp_path / "run.py").write_text(told)
    processes = [
        subprocess.Popen(
            [sys.executable, tmp_path / "run.py", path, str(run), "3"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for run in range(12)
    ]
    answers = [process.communicate("\n") for process in processes]
    assert not any(errors for _output, errors in answers), answers
    assert sum(output.count("was damaged") for output, _errors in answers) == 1
    with History(path) as history:
        assert len(history.readings()) == 36


def test_what_is_another_programs_file_is_left_alone(path):
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (a)")
    other.commit()
    other.close()
    before = Path(path).read_bytes()
    with pytest.raises(HistoryError, match="no history of lifeline.fleet: name another file"):
        record(path)
    assert Path(path).read_bytes() == before


def test_the_history_of_a_later_release_is_left_alone(path):
    record(path)
    ask(path, "PRAGMA user_version = 99")
    with pytest.raises(HistoryError, match="has version 99, and this release of lifeline.fleet knows version 1"):
        record(path)


@pytest.mark.parametrize(
    ("name", "words"), [(".", "name a file in it"), ("/dev/null", "is no file"), ("file/history.db", "can't be opened")]
)
def test_what_can_be_no_file_is_named(tmp_path, name, words):
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryError, match=words):
        record(str(tmp_path / name))


def test_nothing_is_made_by_who_only_reads(path):
    with pytest.raises(HistoryError, match="nothing has been recorded there yet"):
        values(path)
    assert not os.path.exists(path)


def test_folders_are_made_and_links_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "new" / "folder" / "history.db")
    record(str(tmp_path / "link"), samples=value(1))
    assert (tmp_path / "link").is_symlink()
    assert values(str(tmp_path / "new" / "folder" / "history.db")) == [1]


@pytest.fixture
def public():
    """A folder that everybody may look into, which those of the tests aren't."""
    with tempfile.TemporaryDirectory(prefix="history.") as folder:
        os.chmod(folder, 0o755)
        yield folder


def as_nobody(action, *arguments):
    """What an action answers that runs as a user who may not write: root may write everywhere."""
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
def test_who_may_not_write_is_told_and_may_read(public):
    path = os.path.join(public, "history.db")
    refused = f"HistoryError: the history {path} can't be opened (Permission denied): name a file"
    assert as_nobody(record, path).startswith(refused)
    record(path, samples=value(1))
    assert as_nobody(record, path).startswith(refused)
    assert as_nobody(values, path) == "[1]"
    fold_in(path)
    assert as_nobody(values, path) == "[1]"
    os.chmod(path, 0o666)
    answer = as_nobody(record, path)
    assert answer.startswith(f"HistoryError: the history {path} can't be written")
    assert "in a folder that you may write to" in answer


GROW = """
import sys
from ansible_collections.lifeline.fleet.plugins.module_utils import _errors
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import store
try:
    for number in range(50):
        with store.History(sys.argv[1], create=True) as history:
            history.record(store.Reading("web1", "health", samples=[
                store.Sample("m%d" % metric, "s" * 500, 1) for metric in range(200)]))
except _errors.HistoryError as error:
    print(error)
"""


def test_a_file_that_may_not_grow_is_said_and_nothing_is_half_written(path):
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
    assert done.stdout.startswith(f"the history {path} can't be used") or "is full" in done.stdout
    with History(path) as history:
        assert {len(history.samples(reading.reading)) for reading in history.readings()} <= {1, 200}
    record(path, samples=value(2))
    assert values(path) == [1, 2]


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("mount"), reason="only root can mount a small disk")
def test_a_disk_that_is_full(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "lifeline-test", disk], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        path = str(disk / "history.db")
        record(path, samples=value(1))
        with pytest.raises(HistoryError, match="is full: make room"):
            for number in range(500):
                record(path, samples=[Sample(f"m{metric}", "", number) for metric in range(200)])
        assert values(path) == [1]
        assert ask(path, "PRAGMA integrity_check") == [("ok",)]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_another_programs_lock_is_waited_for_and_then_named(path):
    record(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with (
        pytest.raises(HistoryError, match="is locked by another program"),
        History(path, create=True, wait=0.1) as history,
    ):
        history.record(Reading("web1", "health"))
    # Who only reads isn't in the way of who writes, nor the other way round.
    assert values(path) == []
    other.execute("COMMIT")
    record(path, samples=value(1))
    assert values(path) == [1]


def test_what_is_too_old_is_forgotten(path, monkeypatch):
    now = time.time()
    kill = Kill(now - 40 * DAY, 1, "ruby")
    with History(path, create=True) as history:
        for number in range(600):
            history.record(
                Reading("web1", "health", now - 40 * DAY + number, samples=value(number), findings=[FINDING])
            )
        history.record(
            Reading(
                "web1",
                "health",
                now - 40 * DAY,
                kills=[kill],
                state={"kernel": 1, "cpus": 2, "gone:a": 1},
                whole=("gone:",),
            )
        )
        history.record(Reading("web1", "health", now - 39 * DAY, state={"kernel": 2}, whole=("gone:",)))
        history.record(
            Reading(
                "web1", "health", now - 5, samples=value(1), state={"kernel": 3}, kills=[kill._replace(killed=now - 9)]
            )
        )
        assert len(history.readings()) > 1
    monkeypatch.setattr(prune, "_EVERY_SECONDS", 0)
    record(path, taken=now, samples=value(2))
    with History(path) as history:
        assert [reading.taken for reading in history.readings()] == [round(now - 5, 3), round(now, 3)]
        assert len(history.findings()) == 0
        assert [kill.killed for _box, kill in history.kills()] == [now - 9]
        # What still holds is never too old.
        assert history.state("web1") == {"kernel": 3, "cpus": 2}
        assert history.changes("web1", now - 30 * DAY) == [(round(now - 5, 3), "kernel", 2, 3)]
    assert ask(path, "SELECT count(*) FROM samples") == [(2,)]
    assert ask(path, "SELECT count(*) FROM states WHERE value IS NULL") == [(0,)]


def test_forgetting_is_done_once_an_hour(path):
    now = time.time()
    record(path, taken=now)
    record(path, taken=now - 40 * DAY)
    with History(path) as history:
        assert len(history.readings()) == 2


def test_a_history_stays_below_its_size_and_keeps_the_newest(path):
    size = 1 << 19
    with History(path, size=size, create=True) as history:
        for number in range(1500):
            history.record(
                Reading(
                    f"web{number % 7}",
                    "health",
                    samples=[Sample(f"m{metric}", "", 1 << 40, number) for metric in range(20)],
                )
            )
            assert prune._used(history._database) <= size
        readings = [reading.reading for reading in history.readings()]
    assert 400 < len(readings) < 1000
    assert readings == list(range(1501 - len(readings), 1501))
    fold_in(path)
    assert os.path.getsize(path) < 1.5 * size
    # One that is to be smaller from now on becomes smaller.
    with History(path, size=size // 4, create=True) as history:
        history.record(Reading("web1", "health"))
        assert len(history.readings()) > 40
    fold_in(path)
    assert os.path.getsize(path) < size // 2
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


def test_any_sqlite_tool_can_read_it(path):
    record(
        path,
        taken=NOW + 0.25,
        verdict="ok",
        samples=value(5),
        findings=[FINDING],
        kills=[Kill(NOW, 5, "ruby")],
        state={"kernel": "6.1"},
    )
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW))
    assert ask(path, "SELECT box, time, source, verdict FROM reading_list") == [("web1", when, "health", "ok")]
    assert ask(path, "SELECT box, time, metric, value, capacity FROM sample_list") == [
        ("web1", when, "memory_used_bytes", 5, 1000)
    ]
    assert ask(path, "SELECT box, time, severity, message FROM finding_list") == [
        ("web1", when, "critical", FINDING["message"])
    ]
    assert ask(path, "SELECT box, time, pid, killer FROM kill_list") == [("web1", when, 5, "kernel")]
    assert ask(path, "SELECT box, time, name, value FROM state_list") == [("web1", when, "kernel", '"6.1"')]


def test_the_examples_of_the_documentation(path):
    text = (ROOT / "docs" / "history.md").read_text()
    questions = [textwrap.dedent(question) for question in re.findall(r"(?m)^(    SELECT(?:.|\n    )*;)$", text)]
    assert len(questions) == 3
    for number in range(3):
        record(
            path,
            "crawler2",
            NOW + 10 * number,
            samples=value(100 + number),
            findings=[FINDING],
            kills=[Kill(NOW + 15, 5, "ruby", rss_bytes=5 << 20)],
        )
    dangers, hours, kills = (ask(path, question) for question in questions)
    seconds = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW + after)) for after in (10, 15, 20)]
    assert dangers == [("crawler2", 3, seconds[2], FINDING["message"])]
    assert [hour[0] for hour in hours] in (["crawler2"], ["crawler2"] * 2)
    assert hours[-1][3] == 10.2
    assert kills == [("crawler2", seconds[1], "ruby", 5, seconds[0], 10)]


def test_the_file_is_not_waited_for_at_each_reading(path):
    """The log is folded in when it has grown: it is there after one reading, and no larger than that after many."""
    record(path, samples=value(0))
    assert os.path.getsize(path + "-wal") > 0
    for number in range(100):
        record(path, samples=[Sample(f"m{metric}", "", number) for metric in range(20)])
    assert os.path.getsize(path + "-wal") < 2 * history_store._LOG_SIZE
