# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading all logs of a host, and the logs that the user named."""

from __future__ import annotations

import gzip
import os

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log import reader
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import facts as oom_facts
from paths import BOXES

LOGS = str(BOXES / "oomlogs")


def recorded(name):
    with open(os.path.join(LOGS, name), "rb") as stream:
        return stream.read()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.log", None, "logs: no such file ({}); name a file that exists"),
        ("*.none", None, "logs: no such file ({}); name a file that exists"),
        ("", None, "logs: a directory ({0}); name its files, as in {0}*.log"),
        (
            "broken.gz",
            gzip.compress(recorded("L01_dmesg_raw.log"))[:-2000],
            (
                "logs: cannot read the file ({}: compressed file ended before the end-of-stream marker was reached); "
                "correct it, or name another one"
            ),
        ),
    ],
)
def test_an_unreadable_log_is_named(tmp_path, name, content, message):
    path = os.path.join(str(tmp_path), name)
    if content is not None:
        with open(path, "wb") as stream:
            stream.write(content)
    with pytest.raises(reader.LogError) as caught:
        reader.read_named([path])
    assert str(caught.value) == message.format(path)


def test_a_damaged_log_is_named(tmp_path):
    path = tmp_path / "damaged.xz"
    path.write_bytes(b"\xfd7zXZ\x00no such thing")
    with pytest.raises(reader.LogError) as caught:
        reader.read_named([str(path)])
    assert str(caught.value).startswith(f"logs: cannot read the file ({path}: ")


def test_a_pattern_skips_directories(tmp_path):
    (tmp_path / "a.log").mkdir()
    (tmp_path / "b.log").write_text("nothing")
    assert reader.read_named([str(tmp_path / "*.log")]).names == [str(tmp_path / "b.log")]


def test_patterns_name_each_file_once(tmp_path):
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_bytes(recorded("syslog-kernel-3.13.log"))
    sources, names, _unread = reader.read_named([str(tmp_path / "*.log"), str(tmp_path / "a.log")])
    assert names == [str(tmp_path / "a.log"), str(tmp_path / "b.log")]
    assert oom_facts.parse(sources, logs=names, now=1795300000)["kills_in_log"] == 1


def test_a_host_without_any_log_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "read_journal", lambda since: (None, "journalctl: no such file or directory"))
    monkeypatch.setattr(reader, "read_kmsg", lambda: (None, "operation not permitted"))
    monkeypatch.setattr(reader._reader, "run", lambda argv: None)
    monkeypatch.setattr(reader, "_DEFAULT_LOGS", (str(tmp_path / "syslog*"),))
    assert reader.read_box() == (
        {},
        ["journal", "dmesg"],
        {
            "journal": "journalctl: no such file or directory",
            "dmesg": "/dev/kmsg: operation not permitted, and dmesg failed",
        },
    )


def test_a_host_reads_its_rotations_but_no_other_files(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "read_journal", lambda since: ("", None))
    monkeypatch.setattr(reader, "read_kmsg", lambda: ("3,1,1,-;x\n", None))
    monkeypatch.setattr(reader, "_DEFAULT_LOGS", (str(tmp_path / "syslog*"),))
    for name in ("syslog", "syslog.1", "syslog-20261120", "syslog_app"):
        (tmp_path / name).write_text("text")
    (tmp_path / "syslog.2.gz").write_bytes(b"\x1f\x8bdamaged")
    os.utime(str(tmp_path / "syslog.1"), (1000, 1000))
    os.mkfifo(str(tmp_path / "syslog.9"))
    sources, names, unread = reader.read_box(since=2000)
    assert names == ["journal", "kmsg"] + [
        str(tmp_path / name) for name in ("syslog", "syslog-20261120", "syslog.2.gz")
    ]
    assert sorted(sources) == sorted(names[:-1])
    assert list(unread) == [str(tmp_path / "syslog.2.gz")]
