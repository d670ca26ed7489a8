# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file on the controller that is replaced as a whole: who reads it reads all of the old one or all of the new one."""

from __future__ import annotations

import os
import tempfile


def replace(path, content, mode):
    """Write the bytes V(content) in the place of what is there, and make the folder where there is none. Raises OSError."""
    # A link that stands in its place stays one.
    path = os.path.realpath(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor, new = tempfile.mkstemp(prefix=".lifeline.", dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(new, mode)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise
