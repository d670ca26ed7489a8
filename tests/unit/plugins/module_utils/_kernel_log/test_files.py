# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading log files: compressed as logs are, and large ones in blocks."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import subprocess

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log import files
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import facts as oom_facts
from paths import BOXES

LOGS = str(BOXES / "oomlogs")
NOISE = b"Oct  3 10:00:00 h app[7]: nothing of note happened in this line of the log\n" * 20000
ALL = [1494, 1536, 1578, 1620, 1662, 1720, 1762, 1807, 1849, 1897]


def recorded(name):
    with open(os.path.join(LOGS, name), "rb") as stream:
        return stream.read()


def pids(path):
    text, _remark = files.read_log(str(path))
    return sorted(event["pid"] for event in oom_facts.parse({"log": text}, logs=["log"], now=1795300000)["events"])


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
    assert pids(path) == ALL


def test_a_large_log_is_cut_to_whole_lines_around_its_kills(tmp_path):
    path = tmp_path / "messages"
    path.write_bytes(NOISE * 4 + recorded("L08_journal_short.log") + NOISE * 4)
    text, remark = files.read_log(str(path))
    assert remark is None
    assert len(text) < 400000
    assert all(line.startswith(("Oct", "Nov", "  ", "--")) for line in text.split("\n") if line)


@pytest.mark.parametrize("shift", range(-70, 10, 7))
def test_anchors_across_the_edges_of_blocks(tmp_path, shift):
    kill = b"kernel: [ 1.000001] Out of memory: Killed process 77 (x) total-vm:9kB, anon-rss:8kB, file-rss:7kB\n"
    start = files.BLOCK + shift
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
    hits, size = files.find(Stream(data), files.ANCHORS)
    assert size == len(data)
    assert [data[offset : offset + len(anchor)] for offset, anchor in hits] == [anchor for _offset, anchor in hits]
    assert [offset for offset, _anchor in hits] == [2, 20, 41, 56]


def test_words_about_killed_processes_are_no_hits(tmp_path):
    path = tmp_path / "syslog"
    path.write_bytes(NOISE.replace(b"nothing of note", b"killed process or"))
    assert files.read_log(str(path)) == ("", None)


def test_a_report_is_kept_whole_and_parts_do_not_overlap():
    header, kill = files.HEADER, files.KILL
    hits = [(1000000, header), (2000000, kill), (2001000, kill), (90000000, kill), (95000000, header)]
    parts = files.regions(hits, 100000000)
    assert parts[0] == [1000000 - files.BEFORE, 2001000 + files.AFTER]
    assert len(parts) == 3
    assert all(one[1] < other[0] for one, other in zip(parts, parts[1:]))
