# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep JSON in a file on the controller, which is replaced as a whole, and renamed if it is damaged."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic


def write(path: str, value: Any) -> None:
    """Replace the file's content with a value. Only the owner can read it. Raises SettingsError."""
    try:
        atomic.replace(path, json.dumps(value), mode=0o600, folder_mode=0o700)
    except OSError as error:
        raise SettingsError(f"cannot write {path} ({error.strerror}); name another file") from error


def read(path: str, check: Callable[[Any], object]) -> tuple[Any, str | None]:
    """Return the file's value, None if there is no file, and a warning if the file was damaged.

    It is damaged if it isn't JSON, or if `check` raises ValueError for its value. It then gets another name and is
    kept. Raises SettingsError if the file can't be read.
    """
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
    except FileNotFoundError:
        return None, None
    except OSError as error:
        raise SettingsError(f"cannot read {path} ({error.strerror}); name another file") from error
    except UnicodeDecodeError as error:
        return None, _set_aside(path, error)
    try:
        value = json.loads(text)
        check(value)
    except (ValueError, RecursionError) as error:
        return None, _set_aside(path, error)
    return value, None


def _set_aside(path: str, why: Exception) -> str:
    aside = f"{path}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    try:
        os.replace(path, aside)
    except OSError as error:
        raise SettingsError(f"{path} is damaged ({why}) and cannot be renamed ({error.strerror}); remove it") from error
    return f"{path} was damaged ({why}): it is now {aside}, and a new one is begun"
