# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remember since when hosts have been down, in a file on the controller that many processes may write at once.

The file has the times at which each host was first and last seen down.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from typing import TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic

# If checks are further apart than this, a host may have been up in between, so its time down starts again.
LONGEST_GAP = 3600


class Entry(TypedDict):
    """The times at which a host was first and last seen down."""

    first: float
    last: float


def since(path: str, box: str, now: float) -> float:
    """Return since when the host has been down according to the file, or `now`. Raises SettingsError."""
    return _since(_read(path).get(box), now)


def note(path: str, box: str, is_down: bool, now: float) -> float | None:
    """Note that a host is down or up. Returns since when it has been down, or None. Raises SettingsError."""
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        with _locked(path):
            boxes = _read(path)
            first = None
            if is_down:
                first = _since(boxes.get(box), now)
                boxes[box] = {"first": first, "last": now}
            elif box in boxes:
                del boxes[box]
            else:
                return None
            _write(path, boxes)
            return first
    except OSError as error:
        raise SettingsError(
            f"lifeline_reboot_state: cannot write {path} ({error.strerror}); set another file"
        ) from error


def _since(entry: Entry | None, now: float) -> float:
    return entry["first"] if entry and 0 <= now - entry["last"] <= LONGEST_GAP else now


def _read(path: str) -> dict[str, Entry]:
    """Return the entries that make sense; the others are forgotten."""
    try:
        with open(path) as stream:
            boxes = json.load(stream)
    except (FileNotFoundError, ValueError):
        return {}
    except OSError as error:
        raise SettingsError(
            f"lifeline_reboot_state: cannot read {path} ({error.strerror}); set another file"
        ) from error
    return {box: entry for box, entry in boxes.items() if _is_entry(entry)} if isinstance(boxes, dict) else {}


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(key), (int, float)) for key in ("first", "last"))


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    with open(path + ".lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: str, boxes: dict[str, Entry]) -> None:
    atomic.replace(path, json.dumps(boxes, indent=1, sort_keys=True), mode=0o600)
