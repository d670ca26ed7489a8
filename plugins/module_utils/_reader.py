# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read files and programs of the host into sources.

Sources are what parsers know of a host: a dictionary of texts. The name of a file's text is its path; what is not in a
file has a plain name (`statfs`, `fds`, `dmesg`). What could not be read is not in the dictionary. Parsers never touch
the host themselves.
"""

from __future__ import annotations

import os
import subprocess
from typing import Dict, Iterable, List, Optional, Sequence


def decode(data: bytes) -> str:
    r"""Return bytes as text that JSON can carry: a byte that is not UTF-8 becomes `\xff`, as the kernel writes it."""
    return data.decode("utf-8", "backslashreplace")


def read(path: str, limit: Optional[int] = None) -> str:
    """Return the text of a file, at most `limit` bytes of it. Raises OSError, or ValueError for a NUL in the path."""
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


def list_pids() -> List[int]:
    """Return the ids of all processes that this user can see, in ascending order."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())


def process_paths(names: Sequence[str], pids: Iterable[int]) -> List[str]:
    """Return the paths of the files of each process, such as `/proc/1/stat`."""
    return [f"/proc/{pid}/{name}" for pid in pids for name in names]


def run(argv: Sequence[str], timeout: float = 10) -> Optional[str]:
    """Return what a program prints in the C locale; None if it is missing, fails or takes over `timeout` seconds."""
    environment = dict(os.environ, LC_ALL="C", LANGUAGE="")
    try:
        # Ansible's run_command has no time limit.
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
