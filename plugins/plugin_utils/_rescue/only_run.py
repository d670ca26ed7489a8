# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a playbook at a time on this controller.

A task's process ends with the task, and would take a lock of the kernel's with it. So the file names the process of the whole run, and
counts for as long as that one lives: nothing has to be given back, and a run that was killed leaves nothing behind.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import stat


def take(path, pid):
    """Note in the file that the run of process V(pid) is the one. Returns None, or who it is instead: C(pid) and C(since)."""
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(f"{path} can't be written: {error.strerror}") from error
    with os.fdopen(descriptor, "r+", encoding="utf-8", errors="replace") as stream:
        # Only while the file is read and written: of two runs that begin at once, one is first.
        fcntl.flock(stream, fcntl.LOCK_EX)
        holder = _holder(stream.read())
        if holder and holder["pid"] != pid and _birth(holder["pid"]) == holder["birth"]:
            return {"pid": holder["pid"], "since": holder["since"]}
        stream.seek(0)
        stream.truncate()
        json.dump({"pid": pid, "birth": _birth(pid), "since": time.time()}, stream)
    return None


def _holder(text):
    """Who the file names, or None where it names nobody; what is damaged names nobody either."""
    try:
        holder = json.loads(text)
        return (
            holder
            if isinstance(holder["pid"], int) and isinstance(holder["birth"], str) and float(holder["since"])
            else None
        )
    except (ValueError, TypeError, KeyError):
        return None


def _birth(pid):
    """What tells a process from a later one of the same number: when it was started, where the kernel says so. None where it is no more."""
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
