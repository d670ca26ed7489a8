# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader that runs on the box: files and programs in, sources out.

A box, as every parser sees it, is its B(sources): a dictionary of source name to text. The name of a file is its path;
what no file holds has a plain name (C(statfs), C(fds), C(dmesg)). What could not be read is not in the dictionary.
Reading is all that happens here: what the text means is the parsers' business, and they never touch the box.
"""

from __future__ import annotations

import os
import subprocess
from typing import Dict, Iterable, Optional


def decode(data):
    """Bytes of any kind as text that JSON can carry: what is no UTF-8 becomes C(\\xff), as the kernel itself writes it."""
    return data.decode("utf-8", "backslashreplace")


def read(path: str, limit: Optional[int] = None) -> str:
    """Return the text of a file, at most `limit` bytes of it. Raises OSError, and ValueError if the path holds a NUL."""
    with open(path, "rb", buffering=0) as stream:
        return decode(stream.read() if limit is None else stream.read(limit))


def read_or_none(path: str, limit: Optional[int] = None) -> Optional[str]:
    """Return the text of a file, at most `limit` bytes of it, or None if it cannot be read."""
    try:
        return read(path, limit)
    except (OSError, ValueError):
        return None


def read_files(
    paths: Iterable[str], sources: Optional[Dict[str, str]] = None, limit: Optional[int] = None
) -> Dict[str, str]:
    """Add the text of each of the files that can be read to `sources`, at most `limit` bytes of each; return it."""
    sources = {} if sources is None else sources
    for path in paths:
        text = read_or_none(path, limit)
        if text is not None:
            sources[path] = text
    return sources


def list_pids():
    """The numbers of all processes that this user can see, in ascending order."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())


def process_paths(names, pids):
    """The paths of the files V(names) of each process, as in C(/proc/1/stat)."""
    return [f"/proc/{pid}/{name}" for pid in pids for name in names]


def run(argv, timeout=10):
    """The standard output of a program in the C locale as text, or None where it is missing, fails or takes too long."""
    environment = dict(os.environ, LC_ALL="C", LANGUAGE="")
    try:
        # run_command knows no time limit.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return decode(done.stdout) if done.returncode == 0 else None
