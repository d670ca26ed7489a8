# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log the actions on hosts and their results as lines of JSON in a file on the controller."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError


def append(path: str, box: str, event: str, values: Mapping[str, Any]) -> None:
    """Add a line with the time, the host, the event and the values. Many runs may write at once: lines don't mix.

    Raises SettingsError if the line can't be written as a whole; what was written of it is then removed.
    """
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    line = json.dumps({"time": now, "box": box, "event": event, **values}).encode() + b"\n"
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            written = os.write(descriptor, line)
            if written < len(line):
                _take_back(descriptor, written)
                raise OSError(0, f"only {written} of {len(line)} bytes were written; is the disk full?")
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SettingsError(f"cannot write the log {path} ({error.strerror}); name another file") from error


def _take_back(descriptor: int, written: int) -> None:
    """Remove the bytes that were written last, unless another run has written behind them."""
    end = os.lseek(descriptor, 0, os.SEEK_CUR)
    if os.fstat(descriptor).st_size == end:
        os.ftruncate(descriptor, end - written)
