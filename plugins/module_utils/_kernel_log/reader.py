# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads, on the box, what its logs tell of OOM kills: the journal, the kernel's own buffer, and log files with their
rotations.

Logs are large and kills are rare. A file is searched block by block for a few fixed strings, and only the
surroundings of what
is found become text; memory stays bounded however large the log is.
"""

from __future__ import annotations

import errno
import glob
import gzip
import os
import re
import stat
import subprocess
import threading

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader

try:
    import bz2
except ImportError:  # a Python built without it
    bz2 = None
try:
    import lzma
except ImportError:
    lzma = None

DEFAULT_LOGS = ("/var/log/kern.log*", "/var/log/syslog*", "/var/log/messages*")
_LOG_NAME = re.compile(r"(?:kern\.log|syslog|messages)(?:[.-][\w.-]*)?$")

# What every kernel kill has, and what begins its report.
KILL, HEADER = b"illed process", b"invoked oom-killer"
ANCHORS = (KILL, HEADER)
USERSPACE_ANCHORS = (b"systemd-oomd", b"earlyoom")

WHOLE = 1 << 20  # a log up to this size is read whole
USERSPACE_LIMIT = 32 << 20  # larger logs are not searched for what programs killed
BLOCK = 1 << 20
OVERLAP = 64
BEFORE, AFTER, REPORT = 32 << 10, 8 << 10, 2 << 20
MOST = 32 << 20  # bytes of surroundings that are parsed of one log, the newest ones


class LogError(Exception):
    """A log that was asked for cannot be read; the text names it and says why."""


def _reason(error):
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


# --- one file ---------------------------------------------------------------------------------------------------------


class _Zstd:
    """What C(zstd -dc) makes of a file, as a stream. Python reads zstd itself only since 3.14."""

    def __init__(self, path):
        try:
            # run_command holds all output in memory, and these logs may be larger than it.
            self.program = subprocess.Popen(  # pylint: disable=ansible-bad-function
                ["zstd", "-dcq", "--", path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise OSError(error.errno, f"needs zstd, which could not be started: {_reason(error)}") from error
        self.ended = False

    def read(self, size):
        data = self.program.stdout.read(size)
        if not data:
            self.ended = True
            if self.program.wait() != 0:
                raise OSError(errno.EIO, "zstd could not decompress it")
        return data

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.program.stdout.close()
        if not self.ended:
            self.program.kill()
        self.program.wait()


_MAGIC = ((b"\x1f\x8b", "gz"), (b"BZh", "bz2"), (b"\xfd7zXZ\x00", "xz"), (b"\x28\xb5\x2f\xfd", "zst"))


def _opener(path):
    """How to open a log: by what it begins with, not by its name. Returns a function, and whether the stream can
    seek."""
    with open(path, "rb", buffering=0) as stream:
        head = stream.read(6) or b""
    kind = next((name for magic, name in _MAGIC if head.startswith(magic)), None)
    if kind is None:
        return lambda: open(path, "rb", buffering=0), True
    if kind == "gz":
        return lambda: gzip.open(path, "rb"), False
    if kind == "zst":
        return lambda: _Zstd(path), False
    library = bz2 if kind == "bz2" else lzma
    if library is None:
        raise OSError(errno.ENOSYS, f"this Python was built without support for .{kind}")
    return lambda: library.open(path, "rb"), False


def find(stream, anchors):
    """The places of V(anchors) in a stream, as sorted pairs of offset and anchor, and the stream's length."""
    hits, position, kept = [], 0, 0
    buffer = bytearray(OVERLAP + BLOCK)
    view = memoryview(buffer)
    readinto = getattr(stream, "readinto", None)
    while True:
        if readinto is not None:
            count = readinto(view[kept : kept + BLOCK])
        else:
            data = stream.read(BLOCK)
            count = len(data)
            view[kept : kept + count] = data
        if not count:
            break
        end = kept + count
        start = position - kept
        for anchor in anchors:
            # What ends within the kept part was found with the block before.
            found = buffer.find(anchor, max(0, kept - len(anchor) + 1), end)
            while found >= 0:
                # Logs speak of killed processes in many words; the kernel's have a number next.
                after = buffer[found + len(anchor) + 1 : min(end, found + len(anchor) + 2)]
                if anchor != KILL or not after or after.isdigit():
                    hits.append((start + found, anchor))
                found = buffer.find(anchor, found + 1, end)
        position += count
        keep = min(OVERLAP, end)
        view[:keep] = bytes(view[end - keep : end])
        kept = keep
    hits.sort()
    return hits, position


def regions(hits, size):
    """The parts of a log around its hits, as sorted pairs of offsets that do not overlap: a report whole, from
    header to kill."""
    found = []
    header = None
    for offset, anchor in hits:
        start, end = max(0, offset - BEFORE), min(size, offset + AFTER)
        if anchor == HEADER:
            header = offset
        elif anchor == KILL and header is not None and offset - header <= REPORT:
            start = min(start, header)
        if found and start <= found[-1][1]:
            found[-1][1] = max(found[-1][1], end)
            found[-1][0] = min(found[-1][0], start)
            while len(found) > 1 and found[-1][0] <= found[-2][1]:
                last = found.pop()
                found[-1][1] = max(found[-1][1], last[1])
        else:
            found.append([start, end])
    return found


def _skip(stream, count, seekable, position):
    if seekable:
        stream.seek(position + count)
        return
    while count > 0:
        data = stream.read(min(BLOCK, count))
        if not data:
            return
        count -= len(data)


def _cut(stream, parts, seekable):
    """The text of the parts of a stream, in whole lines."""
    texts, position = [], 0
    for start, end in parts:
        _skip(stream, start - position, seekable, position)
        chunks, wanted = [], end - start
        while wanted > 0:
            data = stream.read(min(BLOCK, wanted))
            if not data:
                break
            chunks.append(data)
            wanted -= len(data)
        position = end - wanted
        data = b"".join(chunks)
        if start > 0:
            data = data[data.find(b"\n") + 1 :]
        texts.append(_reader.decode(data))
    # What stands between two parts is not there: the parser must not join across it.
    return "\n--\n".join(texts)


def read_log(path):
    """What a log tells of kills, as text, and a remark where not all of it was searched or None. Raises OSError,
    EOFError."""
    opener, seekable = _opener(path)
    remark = None
    with opener() as stream:
        if seekable:
            size = os.fstat(stream.fileno()).st_size
            if size <= WHOLE:
                return _reader.decode(_read_all(stream, WHOLE)), None
        anchors = ANCHORS + USERSPACE_ANCHORS
        if (size if seekable else os.path.getsize(path) * 8) > USERSPACE_LIMIT:
            anchors, remark = ANCHORS, "large: searched for kills by the kernel, not for those by programs"
        hits, size = find(stream, anchors)
    parts = regions(hits, size)
    total = sum(end - start for start, end in parts)
    while total > MOST:
        start, end = parts.pop(0)
        total -= end - start
        if not parts:
            total = MOST
            parts.append([end - MOST, end])
        remark = "too many kills: the oldest were not read"
    if not parts:
        return "", remark
    with opener() as stream:
        return _cut(stream, parts, seekable), remark


def _read_all(stream, most):
    chunks = []
    while most > 0:
        data = stream.read(most)
        if not data:
            break
        chunks.append(data)
        most -= len(data)
    return b"".join(chunks)


# --- the box's own logs
# -------------------------------------------------------------------------------------------------

# The table's rows are wanted too: before kernel 5.1 they alone tell the victim's user.
_PATTERN = (
    r"(?i)oom|kill(ed|ing)? process|out of memory|^ *\[ *[0-9]+\] +[0-9]+ +[0-9]+ +[0-9]+ |\[ +pid +\]|cpuset="
    r"|memory: usage|of limit of|cgroup stats"
    r"|due to memory|sending sig|,task=|Comm: "
)
_FIELDS = "MESSAGE,_TRANSPORT,_SOURCE_MONOTONIC_TIMESTAMP,SYSLOG_IDENTIFIER,SYSLOG_FACILITY"
_MATCHES = ["_TRANSPORT=kernel", "+", "_SYSTEMD_UNIT=systemd-oomd.service", "+", "_SYSTEMD_UNIT=earlyoom.service"]
_WORDS = re.compile(
    rb"oom|ill(?:ed|ing)? process|out of memory|pid +\]|\[ *\d+\] +\d+ +\d+ |cpuset=|memory: usage|of limit of"
    rb"|cgroup stats|due to memory"
    rb"|sending SIG|,task=|Comm: |\"MESSAGE\" ?: ?\[",
    re.IGNORECASE,
)


def read_journal(since=None, timeout=60, program="journalctl"):
    """The kernel's messages of all boots that concern kills, as lines of JSON, and a reason where they cannot be
    read or None.

    C(journalctl) can search since version 237, if built to; where it cannot, all of the kernel's messages are read
    and searched here.
    """
    common = [program, "--no-pager", "-o", "json"]
    if since is not None:
        common.append(f"--since=@{int(max(0, since - 3600))}")
    grep = ["-g", _PATTERN]
    reason = None
    for options in (["--output-fields=" + _FIELDS] + grep, ["--output-fields=" + _FIELDS], []):
        text, reason, unknown = _journal(common + options + _MATCHES, timeout)
        if not unknown:
            # With the output format JSON, journalctl is silent about what it does not show to this user.
            if reason is None:
                reason = _journal([program, "--no-pager", "-n", "0"], timeout)[1]
            return text or (None if reason else text), reason
    return None, reason


def _journal(argv, timeout):
    """Text, reason, and whether the program does not know an option."""
    environment = dict(os.environ, LC_ALL="C", LANGUAGE="", SYSTEMD_COLORS="0", SYSTEMD_PAGER="")
    try:
        # run_command knows no time limit, and holds all output in memory.
        program = subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
    except OSError as error:
        return None, f"{argv[0]}: {_reason(error)}", False
    timer = threading.Timer(timeout, program.kill)
    said = []
    listener = threading.Thread(target=lambda: said.append(program.stderr.read(65536)), daemon=True)
    timer.start()
    listener.start()
    kept, size = [], 0
    try:
        for line in program.stdout:
            if _WORDS.search(line):
                kept.append(line)
                size += len(line)
                while size > MOST:
                    size -= len(kept.pop(0))
        code = program.wait()
    finally:
        timer.cancel()
        program.stdout.close()
    listener.join(5)
    error = _reader.decode(b"".join(said)).strip()
    if code < 0:
        return None, f"journalctl took longer than {int(timeout)} seconds", False
    if code != 0 and re.search(
        r"(?i)pattern matching|unrecognized option|invalid option|unknown option|unknown argument", error
    ):
        return None, error, True
    if re.search(r"(?i)not seeing messages|permission|no journal files", error):
        # What a user may see of the journal is less than what the kernel wrote.
        return _reader.decode(b"".join(kept)) if kept else None, error.splitlines()[0], False
    if code != 0 and error:
        return None, error.splitlines()[0], False
    return _reader.decode(b"".join(kept)), None, False


def read_kmsg(path="/dev/kmsg"):
    """The records of the kernel's buffer as C(/dev/kmsg) gives them, and a reason where they cannot be read or None."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        return None, _reason(error)
    found = []
    try:
        # The buffer's size is bounded, but messages may come faster than they are read.
        for _record in range(1000000):
            try:
                data = os.read(descriptor, 16384)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno == errno.EPIPE:  # overwritten while it was read: go on with the oldest that is left
                    continue
                if found:
                    break
                return None, _reason(error)
            if not data:
                break
            found.append(data)
    finally:
        os.close(descriptor)
    return _reader.decode(b"".join(found)), None


def read_box(since=None):
    """All that the box itself has: sources, the names of those that are logs, and why others could not be read."""
    sources, names, unread = {}, [], {}

    def add(name, text, reason):
        names.append(name)
        if text is not None:
            sources[name] = text
        if reason:
            unread[name] = reason

    add("journal", *read_journal(since))
    text, reason = read_kmsg()
    if text is not None:
        add("kmsg", text, None)
    else:
        text = _reader.run(["dmesg", "-r"])
        add("dmesg", text, None if text is not None else f"/dev/kmsg: {reason}, and dmesg failed")
    for pattern in DEFAULT_LOGS:
        for path in sorted(glob.glob(pattern)):
            if not _LOG_NAME.match(os.path.basename(path)):
                continue
            try:
                status = os.stat(path)
                if not stat.S_ISREG(status.st_mode) or since is not None and status.st_mtime < since:
                    continue
                add(path, *read_log(path))
            except (OSError, EOFError, ValueError, MemoryError) as error:
                add(path, None, _reason(error))
            except Exception as error:  # what a damaged .xz or .zst raises has no common base
                if lzma is None or not isinstance(error, lzma.LZMAError):
                    raise
                add(path, None, _reason(error))
    return sources, names, unread


def read_named(patterns):
    """The logs that were asked for. Raises LogError for a pattern without a file, and for a file that cannot be
    read."""
    sources, names, remarks = {}, [], {}
    for pattern in patterns:
        paths = [pattern] if os.path.exists(pattern) else sorted(glob.glob(pattern))
        if not paths:
            raise LogError(f"log {pattern}: there is no such file")
        for path in paths:
            if path in names:
                continue
            if os.path.isdir(path):
                if path == pattern:
                    raise LogError(f"log {path}: is a directory; name files, as in {os.path.join(path, '*.log')}")
                continue
            try:
                sources[path], remark = read_log(path)
            except Exception as error:
                if (
                    isinstance(error, (OSError, EOFError, ValueError))
                    or lzma is not None
                    and isinstance(error, lzma.LZMAError)
                ):
                    raise LogError(f"log {path} cannot be read: {_reason(error)}") from error
                raise
            names.append(path)
            if remark:
                remarks[path] = remark
    return sources, names, remarks
