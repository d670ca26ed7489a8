# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log actions on hosts and their results to a file of JSON lines on the controller. Many runs may write at once."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError


def append(path, box, event, values):
    """Append a line with the time, the host, the event and `values`. Raises SettingsError.

    It is a single write to the end of the file, so lines of several runs don't mix.
    """
    line = json.dumps(
        {"time": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), "box": box, "event": event, **values}
    )
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line.encode() + b"\n")
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SettingsError(f"the log {path} can't be written: {error.strerror}") from error
