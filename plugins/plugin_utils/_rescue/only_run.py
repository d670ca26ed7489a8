# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Allow one run of a playbook at a time on this controller.

A lock of the kernel would end with the task's process. So the file names the process of the whole run, and counts for
as long as that process lives: it needs no clean-up, even if the run is killed.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from typing import TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import stat


class Holder(TypedDict):
    """The run that a file names. `birth` distinguishes its process from a later one with the same pid."""

    pid: int
    birth: str | None
    since: float


def take(path: str, pid: int) -> Holder | None:
    """Name the run of process `pid` in the file, unless another run that still lives is named there.

    Returns None, or the other run. Raises SettingsError if the file can't be written.
    """
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(f"path: cannot write {path} ({error.strerror}); name another file") from error
    with os.fdopen(descriptor, "r+", encoding="utf-8", errors="replace") as stream:
        # Locked only while the file is read and written, so one of two runs that begin at once is first.
        fcntl.flock(stream, fcntl.LOCK_EX)
        holder = _holder(stream.read())
        if holder and holder["pid"] != pid and _birth(holder["pid"]) == holder["birth"]:
            return holder
        stream.seek(0)
        stream.truncate()
        json.dump({"pid": pid, "birth": _birth(pid), "since": time.time()}, stream)
    return None


def _holder(text: str) -> Holder | None:
    """Return the run that the file names, or None if it names none or is damaged."""
    try:
        value = json.loads(text)
        pid, birth, since = value["pid"], value["birth"], float(value["since"])
    except (ValueError, TypeError, KeyError):
        return None
    return {"pid": pid, "birth": birth, "since": since} if isinstance(pid, int) and isinstance(birth, str) else None


def _birth(pid: int) -> str | None:
    """Return when a process was started, in the kernel's ticks, None if there is none."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        pass
    except (OSError, OverflowError):
        return None
    try:
        found = stat.parse(Path(f"/proc/{pid}/stat").read_text(errors="replace"))
    except OSError:
        found = None
    return "unknown" if found is None else str(found.start_ticks)
