# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the kernel's messages from the journal and from the kernel's own buffer."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import threading
from collections import deque
from typing import Iterable, NamedTuple, Sequence

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.files import MOST, reason

# The rows of the table of processes are wanted too: before kernel 5.1 they are the only source of the victim's user.
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
_UNKNOWN_OPTION = re.compile(r"(?i)pattern matching|unrecognized option|invalid option|unknown option|unknown argument")
_NOT_ALL = re.compile(r"(?i)not seeing messages|permission|no journal files")
_MOST_RECORDS = 1000000


class _Answer(NamedTuple):
    """The output of `journalctl`, why it is missing or not all, and whether an option was unknown to the program."""

    text: str | None
    reason: str | None
    unknown_option: bool = False


def read_journal(
    since: float | None = None, timeout: float = 60, program: str = "journalctl"
) -> tuple[str | None, str | None]:
    """Return the kernel's messages of all boots that concern kills as lines of JSON, and why they cannot be read.

    `since` is in seconds since 1970; messages up to an hour older are returned as well. `journalctl` can search since
    version 237, if it was built to. If it cannot, all messages of the kernel are read and searched here.
    """
    common = [program, "--no-pager", "-o", "json"]
    if since is not None:
        common.append(f"--since=@{int(max(0, since - 3600))}")
    fields = "--output-fields=" + _FIELDS
    answer = _Answer(None, None)
    for options in ([fields, "-g", _PATTERN], [fields], []):
        answer = _journalctl(common + options + _MATCHES, timeout)
        if not answer.unknown_option:
            break
    if answer.unknown_option:
        return None, answer.reason
    why = answer.reason
    if why is None:
        # With the format JSON, journalctl does not say that it hides messages from this user.
        why = _journalctl([program, "--no-pager", "-n", "0"], timeout).reason
    return answer.text or (None if why else answer.text), why


def _journalctl(argv: Sequence[str], timeout: float) -> _Answer:
    """Run `journalctl` for at most `timeout` seconds, and keep the lines of its output that concern kills."""
    environment = dict(os.environ, LC_ALL="C", LANGUAGE="", SYSTEMD_COLORS="0", SYSTEMD_PAGER="")
    try:
        # run_command has no time limit, and holds all output in memory.
        program = subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
    except OSError as error:
        return _Answer(None, f"{argv[0]}: {reason(error)}")
    timer = threading.Timer(timeout, program.kill)
    said: list[bytes] = []
    errors = program.stderr
    listener = threading.Thread(target=lambda: said.append(errors.read(65536) if errors else b""), daemon=True)
    timer.start()
    listener.start()
    try:
        kept = _relevant_lines(program.stdout or ())
        code = program.wait()
    finally:
        timer.cancel()
        if program.stdout:
            program.stdout.close()
    listener.join(5)
    if code < 0:
        return _Answer(None, f"journalctl took longer than {int(timeout)} seconds")
    return _judge(kept, code, _reader.decode(b"".join(said)).strip())


def _relevant_lines(lines: Iterable[bytes]) -> bytes:
    """Return the lines that concern kills, at most `MOST` bytes of the newest."""
    kept: deque[bytes] = deque()
    size = 0
    for line in lines:
        if _WORDS.search(line):
            kept.append(line)
            size += len(line)
            while size > MOST:
                size -= len(kept.popleft())
    return b"".join(kept)


def _judge(kept: bytes, code: int, error: str) -> _Answer:
    """Return what the exit code and the errors of `journalctl` say about its output."""
    if code != 0 and _UNKNOWN_OPTION.search(error):
        return _Answer(None, error, True)
    if _NOT_ALL.search(error):
        # The user may see some of the journal, and not all of the kernel's messages.
        return _Answer(_reader.decode(kept) if kept else None, error.splitlines()[0])
    if code != 0 and error:
        return _Answer(None, error.splitlines()[0])
    return _Answer(_reader.decode(kept), None)


def read_kmsg(path: str = "/dev/kmsg") -> tuple[str | None, str | None]:
    """Return the records of the kernel's buffer in the format of `/dev/kmsg`, and why they cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        return None, reason(error)
    found: list[bytes] = []
    try:
        # The size of the buffer is bounded, but messages may come faster than they are read.
        for _record in range(_MOST_RECORDS):
            try:
                data = os.read(descriptor, 16384)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno == errno.EPIPE:  # overwritten while it was read: go on with the oldest that is left
                    continue
                if found:
                    break
                return None, reason(error)
            if not data:
                break
            found.append(data)
    finally:
        os.close(descriptor)
    return _reader.decode(b"".join(found)), None
