# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A text file that others read at any time: whoever opens it gets all of the new text, or all of the old."""

from __future__ import annotations

import contextlib
import os


def replace(path, text):
    """Write V(text) beside V(path), then give it that name. What fails raises OSError and leaves the old file as it was.

    Nobody waits for the disk: the text is stale in a minute, and a disk that hangs is what it may have to tell of.
    """
    new = path + ".new"
    # Of a run that was killed; and what others have put there is nothing to write through.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, 0o644)
            stream.write(text.encode("utf-8"))
        os.replace(new, path)
    except OSError:
        os.unlink(new)
        raise
