# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read files in folders of other users, who may put a FIFO, a device or a link to one in their place."""

from __future__ import annotations

import os
import stat
from typing import Optional

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader


def read(path: str, limit: int) -> Optional[str]:
    """Return at most `limit` bytes of a regular file as text, or None for everything else. Follows no link at the end.

    A FIFO would block the reader, and to open a device such as /dev/watchdog has effects.
    """
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb", buffering=0) as stream:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return _reader.decode(stream.read(limit))
    except (OSError, ValueError):
        pass
    return None
