# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Since when boxes have been down, in a small file on the controller that many processes may write at once.

It knows when a box was first and last seen down. Between two looks that are too far apart it may have been up: then it counts anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic

# Who looks more seldom doesn't know that a box was down in between.
LONGEST_GAP = 3600


def since(path, box, now):
    """Since when the box has been down, as far as the file tells, or V(now)."""
    return _since(_read(path).get(box), now)


def note(path, box, is_down, now):
    """Note that a box is down or up. Returns since when it has been down, or None. Raises SettingsError where the file can't be written."""
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        with _locked(path):
            boxes = _read(path)
            first = _since(boxes.get(box), now) if is_down else None
            if is_down:
                boxes[box] = {"first": first, "last": now}
            elif box in boxes:
                del boxes[box]
            else:
                return None
            _write(path, boxes)
            return first
    except OSError as error:
        raise SettingsError(f"lifeline_reboot_state: {path} can't be written: {error.strerror}") from error


def _since(entry, now):
    return entry["first"] if entry and 0 <= now - entry["last"] <= LONGEST_GAP else now


def _read(path):
    """What is there and makes sense; the rest is counted anew."""
    try:
        with open(path) as stream:
            boxes = json.load(stream)
    except (FileNotFoundError, ValueError):
        return {}
    except OSError as error:
        raise SettingsError(f"lifeline_reboot_state: {path} can't be read: {error.strerror}") from error
    return {box: entry for box, entry in boxes.items() if _is_entry(entry)} if isinstance(boxes, dict) else {}


def _is_entry(entry):
    return isinstance(entry, dict) and all(isinstance(entry.get(key), (int, float)) for key in ("first", "last"))


@contextlib.contextmanager
def _locked(path):
    with open(path + ".lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path, boxes):
    atomic.replace(path, json.dumps(boxes, indent=1, sort_keys=True), mode=0o600)
