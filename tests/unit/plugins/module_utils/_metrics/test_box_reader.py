# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exporter's reader, on this machine."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import facts as probe_facts
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics import box_reader
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import watchdog


@pytest.fixture(scope="module")
def sources():
    return box_reader.read(timeout=2)


def test_memory_disks_processes_and_descriptors_are_read(sources):
    facts = probe_facts.parse(sources, 86400)
    kilobytes = int(re.search(r"^MemTotal: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE).group(1))
    assert facts["lifeline_memory"]["total_bytes"] == kilobytes * 1024
    root = next(disk for disk in facts["lifeline_disks"]["filesystems"] if disk["mount"] == "/")
    assert root["size_bytes"] == os.statvfs("/").f_frsize * os.statvfs("/").f_blocks
    table = probe_facts.process_table(sources)
    assert table[os.getpid()]["command_line"] == Path("/proc/self/cmdline").read_text().replace("\0", " ").strip()
    assert facts["lifeline_fds"]["maximum"] == int(Path("/proc/sys/fs/file-nr").read_text().split()[2])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read init's mounts")
def test_control_group_and_mounts_are_those_of_init(sources):
    assert sources["/proc/self/cgroup"] == Path("/proc/1/cgroup").read_text()
    assert sources["/proc/self/mountinfo"] == Path("/proc/1/mountinfo").read_text()


def test_tables_of_sockets_are_not_read(sources):
    assert not [
        path for path in sources if path.startswith("/proc/net/") and path.rpartition("/")[2] in ("tcp", "tcp6")
    ]


def test_init_may_be_unreadable(monkeypatch):
    read_files = _reader.read_files

    def without_init(paths, *arguments, **options):
        return read_files([path for path in paths if not path.startswith("/proc/1/")], *arguments, **options)

    monkeypatch.setattr(_reader, "read_files", without_init)
    found = box_reader.read(timeout=2)
    assert "MemTotal" in found["/proc/meminfo"]
    assert "/proc/self/cgroup" not in found


def test_long_command_lines_are_cut():
    """A user can give a process a command line of megabytes."""
    sources = {}
    words = ["sh", "-c", "echo started; read over", *(["0" * 100000] * 15)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert box_reader.read_table([process.pid], sources)
        process.stdin.close()
    assert len(sources[f"/proc/{process.pid}/cmdline"]) == 4096
    assert set(sources) == {f"/proc/{process.pid}/{name}" for name in ("stat", "oom_score_adj", "cmdline", "limits")}


def test_a_table_that_is_too_large_is_incomplete_and_has_every_process_first():
    pids = [os.getpid(), os.getppid()]
    sources = {}
    assert not box_reader.read_table(pids, sources, most=2500)
    assert {f"/proc/{pid}/stat" for pid in pids} <= set(sources)
    assert f"/proc/{pids[1]}/limits" not in sources


def test_an_incomplete_table_is_reported(monkeypatch):
    monkeypatch.setattr(box_reader, "read_table", lambda pids, sources: False)
    assert not box_reader.is_complete(box_reader.read(timeout=2))


def test_a_complete_table_is_complete(sources):
    assert box_reader.is_complete(sources)


def test_a_fifo_in_the_place_of_a_pidfile_does_not_block(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "sidekiq.pid")
    (tmp_path / "crawler").write_text("restarts 2\n")
    monkeypatch.setattr(watchdog, "PATTERNS", (str(tmp_path / "*"),))
    found = box_reader.read(timeout=2)
    assert found[str(tmp_path / "crawler")] == "restarts 2\n"
    assert str(tmp_path / "sidekiq.pid") not in found
