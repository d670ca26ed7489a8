# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read from log files, plain or compressed, the parts that concern OOM kills.

Logs are large and kills are rare. A file is searched block by block for a few fixed strings, and only the lines around
them become text, so memory stays bounded however large the log is.
"""

from __future__ import annotations

import errno
import gzip
import os
import subprocess
from types import ModuleType
from typing import IO, Callable, ContextManager, List, Protocol, Sequence, Tuple, cast

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader

bz2: ModuleType | None
lzma: ModuleType | None
try:
    import bz2
except ImportError:  # a Python built without it
    bz2 = None
try:
    import lzma
except ImportError:
    lzma = None

Hit = Tuple[int, bytes]
Part = List[int]

# Every kill by a kernel has the first of these; a kernel's report begins with the second.
KILL, HEADER = b"illed process", b"invoked oom-killer"
ANCHORS = (KILL, HEADER)
USERSPACE_ANCHORS = (b"systemd-oomd", b"earlyoom")

WHOLE = 1 << 20  # a log up to this size is read whole
USERSPACE_LIMIT = 32 << 20  # larger logs are not searched for kills by programs
_COMPRESSION = 8  # how much larger a compressed log may be than its file
BLOCK = 1 << 20
OVERLAP = 64
BEFORE, AFTER, REPORT = 32 << 10, 8 << 10, 2 << 20
MOST = 32 << 20  # bytes around hits that are parsed per log, the newest ones


def reason(error: BaseException) -> str:
    """Return in a few words why reading failed."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


class Stream(Protocol):
    """A stream of bytes that is read from its beginning."""

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, none at the end."""


class _Zstd:
    """The output of `zstd -dc` as a stream. Python can decompress zstd only since 3.14."""

    def __init__(self, path: str) -> None:
        try:
            # run_command holds all output in memory, and these logs may be larger than it.
            self._program = subprocess.Popen(  # pylint: disable=ansible-bad-function
                ["zstd", "-dcq", "--", path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise OSError(error.errno, f"the program zstd could not be started: {reason(error)}") from error
        self._output = cast(IO[bytes], self._program.stdout)
        self._ended = False

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, none at the end. Raises OSError if the file is damaged."""
        data = self._output.read(size)
        if not data:
            self._ended = True
            if self._program.wait() != 0:
                raise OSError(errno.EIO, "zstd could not decompress it")
        return data

    def __enter__(self) -> _Zstd:
        return self

    def __exit__(self, *unused: object) -> None:
        self._output.close()
        if not self._ended:
            self._program.kill()
        self._program.wait()


_MAGIC = ((b"\x1f\x8b", "gz"), (b"BZh", "bz2"), (b"\xfd7zXZ\x00", "xz"), (b"\x28\xb5\x2f\xfd", "zst"))


def _opener(path: str) -> tuple[Callable[[], ContextManager[Stream]], bool]:
    """Return a function that opens a log, and whether its stream can seek.

    The first bytes tell how a log is compressed; its name is not used.
    """
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


def find(stream: Stream, anchors: Sequence[bytes]) -> tuple[list[Hit], int]:
    """Return the places of `anchors` in a stream, as sorted pairs of offset and anchor, and the stream's length."""
    hits: list[Hit] = []
    position = kept = 0
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
            # A match that ends within the kept part was found with the block before.
            found = buffer.find(anchor, max(0, kept - len(anchor) + 1), end)
            while found >= 0:
                # Programs log killed processes as well; only the kernel's message has a number next.
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


def regions(hits: Sequence[Hit], size: int) -> list[Part]:
    """Return the parts of a log around its hits, as sorted pairs of offsets that do not overlap.

    A report is kept whole, from its header to the kill.
    """
    found: list[Part] = []
    header: int | None = None
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


def _seek(stream: Stream, position: int, target: int) -> None:
    """Move forward in a stream, also in one that can only be read."""
    seek = getattr(stream, "seek", None)
    if seek is not None:
        seek(target)
        return
    while position < target:
        data = stream.read(min(BLOCK, target - position))
        if not data:
            return
        position += len(data)


def _read_all(stream: Stream, most: int) -> bytes:
    chunks: list[bytes] = []
    while most > 0:
        data = stream.read(min(BLOCK, most))
        if not data:
            break
        chunks.append(data)
        most -= len(data)
    return b"".join(chunks)


def _cut(stream: Stream, parts: Sequence[Part]) -> str:
    """Return the text of the parts of a stream, in whole lines."""
    texts: list[str] = []
    position = 0
    for start, end in parts:
        _seek(stream, position, start)
        data = _read_all(stream, end - start)
        position = start + len(data)
        if start > 0:
            data = data[data.find(b"\n") + 1 :]
        texts.append(_reader.decode(data))
    # The line between two parts keeps the parser from joining messages across the gap.
    return "\n--\n".join(texts)


def read_log(path: str) -> tuple[str, str | None]:
    """Return the parts of a log that concern kills as text, and a remark if not all of it was searched, else None.

    Raises OSError, EOFError or an error of the log's compression.
    """
    opener, seekable = _opener(path)
    remark = None
    with opener() as stream:
        size = os.path.getsize(path)
        if seekable and size <= WHOLE:
            return _reader.decode(_read_all(stream, WHOLE)), None
        anchors: tuple[bytes, ...] = ANCHORS + USERSPACE_ANCHORS
        if size * (1 if seekable else _COMPRESSION) > USERSPACE_LIMIT:
            anchors, remark = ANCHORS, "large: searched for kills by the kernel, not for those by programs"
        hits, size = find(stream, anchors)
    parts = regions(hits, size)
    if _keep_newest(parts):
        remark = "too many kills: the oldest were not read"
    if not parts:
        return "", remark
    with opener() as stream:
        return _cut(stream, parts), remark


def _keep_newest(parts: list[Part]) -> bool:
    """Drop the oldest parts that exceed `MOST` bytes, and return whether there were any."""
    total = sum(end - start for start, end in parts)
    dropped = total > MOST
    while total > MOST:
        start, end = parts.pop(0)
        total -= end - start
        if not parts:
            total = MOST
            parts.append([end - MOST, end])
    return dropped
