# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill /data to FILL_PERCENT as df counts it, a fifth of it with a log that was deleted but is still open.

With FILL_ONCE it does so only the first time: started anew, it holds nothing.
"""

from __future__ import annotations

import os
import pathlib
import signal

once = pathlib.Path("/run/disk-filled")
if os.environ.get("FILL_ONCE") and once.exists():
    signal.pause()
once.touch()

pathlib.Path("/data/pages.db").unlink(missing_ok=True)
data = os.statvfs("/data")
used = (data.f_blocks - data.f_bfree) * data.f_frsize
room = used + data.f_bavail * data.f_frsize
wanted = room * int(os.environ["FILL_PERCENT"]) // 100 - used

with open("/data/access.log", "wb") as deleted:
    os.posix_fallocate(deleted.fileno(), 0, max(wanted // 5, 1))
    os.unlink("/data/access.log")
    with open("/data/pages.db", "wb") as pages:
        os.posix_fallocate(pages.fileno(), 0, max(wanted - wanted // 5, 1))
    pathlib.Path("/run/disk-filler/settled").touch()
    signal.pause()
