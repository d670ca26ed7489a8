# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of logs on the box: real files, compressed as logs are, large ones in blocks, and a stand-in for journalctl."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import stat
import subprocess

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log import reader as log_reader
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import facts as oom_facts
from paths import BOXES

LOGS = str(BOXES / "oomlogs")
NOISE = b"Oct  3 10:00:00 h app[7]: nothing of note happened in this line of the log\n" * 20000


def recorded(name):
    with open(os.path.join(LOGS, name), "rb") as stream:
        return stream.read()


def pids(path):
    sources, names, _remarks = log_reader.read_named([str(path)])
    return sorted(event["pid"] for event in oom_facts.parse(sources, logs=names, now=1795300000)["events"])


WHOLE = [1494, 1536, 1578, 1620, 1662, 1720, 1762, 1807, 1849, 1897]


@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("around", [b"", NOISE], ids=["small", "large"])
def test_compressed_rotations(tmp_path, suffix, around):
    data = around + recorded("L01_dmesg_raw.log") + around
    path = tmp_path / ("kern.log.2" + suffix)
    if suffix == ".zst":
        if shutil.which("zstd") is None:
            pytest.skip("zstd is not installed")
        path.write_bytes(subprocess.run(["zstd", "-qc"], input=data, stdout=subprocess.PIPE, check=True).stdout)
    else:
        pack = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[suffix]
        path.write_bytes(pack(data))
    assert pids(path) == WHOLE


def test_a_large_log_is_cut_to_whole_lines_around_its_kills(tmp_path):
    path = tmp_path / "messages"
    path.write_bytes(NOISE * 4 + recorded("L08_journal_short.log") + NOISE * 4)
    text, remark = log_reader.read_log(str(path))
    assert remark is None
    assert len(text) < 400000
    assert all(line.startswith(("Oct", "Nov", "  ", "--")) for line in text.split("\n") if line)


@pytest.mark.parametrize("shift", range(-70, 10, 7))
def test_anchors_across_the_edges_of_blocks(tmp_path, shift):
    kill = b"kernel: [ 1.000001] Out of memory: Killed process 77 (x) total-vm:9kB, anon-rss:8kB, file-rss:7kB\n"
    start = log_reader.BLOCK + shift
    path = tmp_path / "syslog"
    path.write_bytes((NOISE * 2)[: start - 1] + b"\n" + kill + NOISE)
    assert pids(path) == [77]


def test_every_hit_is_found_once():
    class Stream:
        def __init__(self, data):
            self.data = data

        def read(self, size):
            chunk, self.data = self.data[: min(size, 13)], self.data[min(size, 13) :]
            return chunk

    data = b"..illed process 1...invoked oom-killer...illed process 2illed process 3.."
    hits, size = log_reader.find(Stream(data), log_reader.ANCHORS)
    assert size == len(data)
    assert [data[offset : offset + len(anchor)] for offset, anchor in hits] == [anchor for _offset, anchor in hits]
    assert [offset for offset, _anchor in hits] == [2, 20, 41, 56]


def test_words_about_killed_processes_are_no_hits(tmp_path):
    path = tmp_path / "syslog"
    path.write_bytes(NOISE.replace(b"nothing of note", b"killed process or"))
    assert log_reader.read_log(str(path)) == ("", None)


def test_a_report_is_kept_whole_and_parts_do_not_overlap():
    header, kill = log_reader.HEADER, log_reader.KILL
    hits = [(1000000, header), (2000000, kill), (2001000, kill), (90000000, kill), (95000000, header)]
    parts = log_reader.regions(hits, 100000000)
    assert parts[0] == [1000000 - log_reader.BEFORE, 2001000 + log_reader.AFTER]
    assert len(parts) == 3
    assert all(one[1] < other[0] for one, other in zip(parts, parts[1:]))


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(log_reader.LogError, match="missing.log: there is no such file"):
        log_reader.read_named([str(tmp_path / "missing.log")])
    with pytest.raises(log_reader.LogError, match="is a directory"):
        log_reader.read_named([str(tmp_path)])
    broken = tmp_path / "broken.gz"
    broken.write_bytes(gzip.compress(recorded("L01_dmesg_raw.log"))[:-2000])
    with pytest.raises(log_reader.LogError, match="broken.gz cannot be read"):
        log_reader.read_named([str(broken)])
    damaged = tmp_path / "damaged.xz"
    damaged.write_bytes(b"\xfd7zXZ\x00" + b"no such thing")
    with pytest.raises(log_reader.LogError, match="damaged.xz cannot be read"):
        log_reader.read_named([str(damaged)])


def test_patterns_name_each_file_once(tmp_path):
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_bytes(recorded("syslog-kernel-3.13.log"))
    sources, names, _remarks = log_reader.read_named([str(tmp_path / "*.log"), str(tmp_path / "a.log")])
    assert names == [str(tmp_path / "a.log"), str(tmp_path / "b.log")]
    assert oom_facts.parse(sources, logs=names, now=1795300000)["kills_in_log"] == 1


def journalctl(folder, script):
    """A program that behaves as some journalctl does."""
    path = folder / "journalctl"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_journal_with_a_search_of_its_own(tmp_path):
    program = journalctl(tmp_path, f'cat "{os.path.join(os.path.abspath(LOGS), "L10_journal_json.log")}"\n')
    text, reason = log_reader.read_journal(program=program)
    assert reason is None
    assert oom_facts.parse({"journal": text}, now=1795300000)["kills_in_log"] == 10


@pytest.mark.parametrize(
    "complaint", ["Compiled without pattern matching support", "journalctl: unrecognized option '--output-fields=x'"]
)
def test_journal_of_an_older_systemd(tmp_path, complaint):
    script = 'case "$*" in *-g*|*output-fields*) echo "%s" >&2; exit 1;; esac\ncat "%s"\n'
    log = os.path.join(os.path.abspath(LOGS), "L10_journal_json.log")
    text, reason = log_reader.read_journal(program=journalctl(tmp_path, script % (complaint, log)))
    assert reason is None
    assert oom_facts.parse({"journal": text}, now=1795300000)["kills_in_log"] == 10


def test_journal_that_cannot_be_read(tmp_path):
    assert log_reader.read_journal(program=str(tmp_path / "none"))[0] is None
    hint = "Hint: You are currently not seeing messages from other users and the system."
    text, reason = log_reader.read_journal(program=journalctl(tmp_path, f"echo '{hint}' >&2\n"))
    assert (text, reason) == (None, hint)
    log = os.path.join(os.path.abspath(LOGS), "L10_journal_json.log")
    text, reason = log_reader.read_journal(program=journalctl(tmp_path, f"echo '{hint}' >&2\ncat '{log}'\n"))
    assert reason == hint
    assert oom_facts.parse({"journal": text}, now=1795300000)["kills_in_log"] == 10
    text, reason = log_reader.read_journal(program=journalctl(tmp_path, "exec sleep 30\n"), timeout=0.2)
    assert text is None
    assert "longer than" in reason


def test_journal_without_entries(tmp_path):
    assert log_reader.read_journal(program=journalctl(tmp_path, "exit 1\n")) == ("", None)
