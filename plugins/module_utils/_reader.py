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


def decode(data):
    """Bytes of any kind as text that JSON can carry: what is no UTF-8 becomes C(\\xff), as the kernel itself writes it."""
    return data.decode("utf-8", "backslashreplace")


def read_files(paths, sources=None, limit=None):
    """Add the text of each of V(paths) that can be read to V(sources), at most V(limit) bytes of each."""
    sources = {} if sources is None else sources
    for path in paths:
        try:
            with open(path, "rb", buffering=0) as stream:
                sources[path] = decode(stream.read() if limit is None else stream.read(limit))
        except (OSError, ValueError):
            continue
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
