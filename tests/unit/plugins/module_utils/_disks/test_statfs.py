# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader, on file systems that are made for the test in a mount namespace of its own, with df as the judge."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._disks import facts as disk_facts, statfs as disks_statfs
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import mountinfo
from paths import HUNG_MOUNTS

READ = """
import json, sys
from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._disks import facts, statfs
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import mountinfo
sources = _reader.read_files(facts.SOURCES)
mounts = mountinfo.parse(sources["/proc/self/mountinfo"])
sources["statfs"] = statfs.read(mounts, float(sys.argv[1]), sys.argv[2] == "network")
json.dump(facts.parse(sources), sys.stdout)
"""
# A reader can be killed until the server has taken its request. Then it hangs, and `waited_for` finds it.
READ_AGAIN = """
import json, os, sys
from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._disks import statfs
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.mountinfo import parse
def waited_for():
    stats = _reader.read_files(_reader.process_paths(["stat"], _reader.list_pids()))
    return [mount for mount in map(statfs.mount_waited_for, stats.values()) if mount is not None]
mounts = [mount for mount in parse(open("/proc/self/mountinfo").read()) if mount.type == "fuse.silent"]
while len(waited_for()) < len(mounts):
    statfs.read(mounts, 0.3, waiting=waited_for())
before = sorted(waited_for())
text = statfs.read(mounts, 60, waiting=before)
json.dump([text, before == sorted(waited_for()) == sorted(mount.id for mount in mounts)], sys.stdout)
"""
# A process can still be killed until the server has read its request, so this may need more than one attempt.
ASK = """
import os, signal, sys
def state_of(pid):
    return open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()[0]
def reaches(pid, states):
    while state_of(pid) not in states:
        pass
for attempt in range(100):
    pid = os.fork()
    if pid == 0:
        os.statvfs(sys.argv[1])
    reaches(pid, "SD")
    os.kill(pid, signal.SIGKILL)
    reaches(pid, "DZ")
    if state_of(pid) == "D":
        break
print(state_of(pid), os.waitpid(pid, os.WNOHANG)[0])
"""
COLUMNS = "size,used,avail,pcent,itotal,iused,iavail,ipcent"


def unshared(*command):
    # With the first process of a process namespace all others in it are gone, however the test ends.
    return [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        *command,
    ]


def can_mount():
    try:
        return (
            os.geteuid() == 0
            and subprocess.run(unshared("true"), stderr=subprocess.DEVNULL, check=False).returncode == 0
        )
    except OSError:
        return False


needs_mounts = pytest.mark.skipif(
    not can_mount(), reason="only root can mount file systems, in a mount namespace of its own"
)


def run(script, *arguments):
    environment = dict(
        os.environ, PYTHONPATH=os.pathsep.join(sys.path), READ=READ, PYTHON=sys.executable, COLUMNS_OF_DF=COLUMNS
    )
    return subprocess.run(
        unshared("sh", "-euc", script, "sh", *map(str, arguments)),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
        text=True,
    )


def answer(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def number(word):
    return None if word == "-" else float(word.rstrip("%"))


MAKE = {
    "reserved": "mkfs.ext4 -q -m 10 image && mount -o loop image at && head -c 3000000 /dev/zero > at/data",
    "full": "mkfs.ext4 -q image && mount -o loop image at && { head -c 40000000 /dev/zero > at/data || :; }",
    "reserve_used_by_root": "mkfs.ext4 -q -m 50 image && mount -o loop image at"
    " && head -c 12000000 /dev/zero > at/data",
    "no_inodes_left": "mkfs.ext4 -q -N 16 image && mount -o loop image at"
    " && { for i in 1 2 3 4 5 6; do : > at/$i; done || :; }",
    "read_only": "mkfs.ext4 -q image && mount -o loop image at && mount -o remount,ro at",
    "bind": "mkfs.ext4 -q image && mount -o loop image at && mkdir at/d elsewhere && mount --bind at/d elsewhere",
    "xfs": "truncate -s 400M image && mkfs.xfs -q image && mount -o loop image at"
    " && head -c 3000000 /dev/zero > at/data",
    "btrfs": "truncate -s 200M image && mkfs.btrfs -q image && mount -o loop image at"
    " && head -c 3000000 /dev/zero > at/data",
    "squashfs": "mksquashfs /etc/hostname made -quiet -no-progress > /dev/null && mount -o loop made at",
    "memory": "mount -t tmpfs -o size=1m,nr_inodes=20 memory at && head -c 300000 /dev/zero > at/data",
}


@needs_mounts
@pytest.mark.parametrize("name", MAKE)
def test_as_df_has_it(name, tmp_path):
    for tool in re.findall(r"mkfs\.\w+|mksquashfs", MAKE[name]):
        if shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
            pytest.skip(f"there is no {tool} on this machine")
    # In memory, because writing to a disk could disturb tests that watch it.
    prepare = (
        'PATH=$PATH:/usr/sbin:/sbin; cd "$1"; mount -t tmpfs -o size=300m scratch .; cd "$1"; mkdir at;'
        " truncate -s 32M image;" + "{ %s; } 2>/dev/null;" % MAKE[name]
    )
    done = run(prepare + '"$PYTHON" -c "$READ" 5 network; echo;df -B1 --output=$COLUMNS_OF_DF at | tail -1', tmp_path)
    assert done.returncode == 0, done.stderr
    found, judged = done.stdout.splitlines()
    disks = {disk["mount"]: disk for disk in json.loads(found)["filesystems"]}
    disk = disks.pop(str(tmp_path / "at"))
    assert [
        disk[key]
        for key in (
            "size_bytes",
            "used_bytes",
            "available_bytes",
            "used_percent",
            "inodes_total",
            "inodes_used",
            "inodes_available",
            "inodes_used_percent",
        )
    ] == [
        None if at > 3 and word in ("0", "-") and disk["inodes_total"] is None else number(word)
        for at, word in enumerate(judged.split())
    ]
    # Neither as a bind mount nor otherwise is it there a second time.
    assert disk["device"] not in [other["device"] for other in disks.values()]
    assert disk["read_only"] is (name in ("read_only", "squashfs"))
    assert disk["kind"] == {"squashfs": "image", "memory": "memory", "read_only": "image"}.get(name, "local")


@needs_mounts
@pytest.mark.parametrize(
    "name",
    [
        b"a blank",
        b"a\ttab",
        b"a\nnewline",
        b"a\\backslash",
        b"a\\040trap",
        b"a#sign",
        b"a 1",
        b"\xff\xfe",
        "\u00e9\u4e2d".encode(),
    ],
)
def test_mount_points_of_any_name(name, tmp_path):
    directory = os.fsencode(tmp_path) + b"/" + name
    os.mkdir(directory)
    shown = escape(directory.decode("utf-8", "backslashreplace"))
    done = run('mount -t tmpfs -o size=1m x "$1"; "$PYTHON" -c "$READ" 5 network', os.fsdecode(directory))
    disks = {disk["mount"]: disk for disk in answer(done)["filesystems"]}
    assert (disks[shown]["size_bytes"], disks[shown]["readable"]) == (1 << 20, True)


@needs_mounts
def test_every_disk_that_df_shows_is_shown_as_df_does():
    done = run('"$PYTHON" -c "$READ" 5 network; echo; df -P -k -l')
    found, _head, *rows = done.stdout.splitlines()
    disks = {disk["mount"]: disk for disk in json.loads(found)["filesystems"]}
    judged = {row.split(None, 5)[5]: row.split(None, 5)[1:5] for row in rows}
    hidden = [mount for mount in judged if mount not in disks]
    assert all(
        mount == "/dev" or mount.startswith(("/sys/", "/proc/", "/var/lib/containers/", "/var/lib/docker/"))
        for mount in hidden
    )
    for mount in set(disks) & set(judged):
        size, _used, _available, percent = judged[mount]
        assert disks[mount]["size_bytes"] == int(size) * 1024
        # Others write to the machine's disks meanwhile.
        assert abs(disks[mount]["used_percent"] - number(percent)) <= 1
    assert "/" in disks


needs_fuse = pytest.mark.skipif(not (can_mount() and os.path.exists("/dev/fuse")), reason="needs root and /dev/fuse")


def hang(tmp_path, names, command):
    directories = [tmp_path / name for name in names]
    for directory in directories:
        directory.mkdir()
    script = 'exec "$PYTHON" "$@"'
    return run(script, HUNG_MOUNTS, *directories, "--", *command)


@needs_fuse
def test_mounts_that_never_answer(tmp_path):
    # The output ends once all processes that hold it are gone. A reader that hangs in the kernel must not hold it.
    facts = answer(hang(tmp_path, ["one", "two", "three"], [sys.executable, "-c", READ, "0.3", "network"]))
    assert facts["hung"] == sorted(str(tmp_path / name) for name in ("one", "two", "three"))
    disks = {disk["mount"]: disk for disk in facts["filesystems"]}
    one = disks[str(tmp_path / "one")]
    assert (one["hung"], one["readable"], one["size_bytes"], one["used_percent"]) == (True, False, None, None)
    assert disks["/"]["readable"] is True


@needs_fuse
def test_no_second_reader_is_sent_to_a_mount_that_hangs(tmp_path):
    """Leave no further process behind: a program may read the host every minute."""
    text, alone = answer(hang(tmp_path, ["one", "two"], [sys.executable, "-c", READ_AGAIN]))
    assert sorted(text.splitlines()) == [f"hung {tmp_path / name}" for name in ("one", "two")]
    assert alone


@needs_fuse
def test_a_reader_of_a_hung_mount_survives_signals(tmp_path):
    """Prove that the test above can fail: a process that reads such a mount survives SIGKILL."""
    done = hang(tmp_path, ["one"], [sys.executable, "-c", ASK, tmp_path / "one"])
    assert (done.returncode, done.stdout) == (0, "D 0\n")


@needs_fuse
def test_mounts_that_may_hang_are_not_read_unless_asked_for(tmp_path):
    facts = answer(hang(tmp_path, ["one"], [sys.executable, "-c", READ, "60", "local"]))
    (disk,) = [disk for disk in facts["filesystems"] if disk["mount"] == str(tmp_path / "one")]
    assert (disk["hung"], disk["readable"], facts["hung"]) == (False, False, [])


@needs_fuse
def test_the_deadline_is_one_for_all_and_not_each(tmp_path):
    mounts = mountinfo.parse(Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="backslashreplace"))
    assert disks_statfs.read(mounts, 1).count("\n") >= 1
    facts = answer(hang(tmp_path, [f"m{number}" for number in range(20)], [sys.executable, "-c", READ, "3", "network"]))
    assert len(facts["hung"]) == 20


def test_a_mount_point_that_is_not_there_is_an_error(tmp_path):
    text = f"25 1 8:1 / {tmp_path / 'no'} rw - ext4 /dev/sda1 rw\n26 1 8:2 / {tmp_path / 'nas'} rw - nfs4 nas:/x rw\n"
    statfs = disks_statfs.read(mountinfo.parse(text), 5)
    assert statfs == f"error {tmp_path / 'no'}\nerror {tmp_path / 'nas'}\n"
    assert disk_facts.parse({"/proc/self/mountinfo": text, "statfs": statfs})["unreadable"] == 2


def test_a_network_mount_that_answers(tmp_path):
    text = f"26 1 8:2 / {tmp_path} rw - nfs4 nas:/x rw\n"
    statfs = disks_statfs.read(mountinfo.parse(text), 60)
    (disk,) = disk_facts.parse({"/proc/self/mountinfo": text, "statfs": statfs})["filesystems"]
    assert disk["size_bytes"] == os.statvfs(tmp_path).f_frsize * os.statvfs(tmp_path).f_blocks
    assert (disk["kind"], disk["hung"]) == ("network", False)


def test_no_process_is_left_behind(tmp_path):
    text = f"26 1 8:2 / {tmp_path} rw - nfs4 nas:/x rw\n"
    before = set(os.listdir("/proc/self/fd"))
    disks_statfs.read(mountinfo.parse(text), 60)
    assert set(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
