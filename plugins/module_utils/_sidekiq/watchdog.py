# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the watchdog on a box has noted of its workers since boot: one file a worker, a line C(key value) each."""

from __future__ import annotations

FOLDER = "/run/lifeline/watchdog"
STATE = FOLDER + "/%s"
PIDFILE = "/run/%s/sidekiq.pid"
# What a shell makes of these are the sources.
PATTERNS = (STATE % "*", PIDFILE % "*")


def parse(text):
    """C(restarts), a number, and C(given_up) and C(paused), true or false."""
    noted = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
    restarts = noted.get("restarts", "").strip()
    return {
        "restarts": int(restarts) if restarts.isdecimal() and len(restarts) < 10 else 0,
        "given_up": "given_up" in noted,
        "paused": "paused" in noted,
    }


def read(sources):
    """What has been noted of all workers, by name, and the numbers that their pidfiles give, by path."""
    prefix = FOLDER + "/"
    return {
        "noted": {path[len(prefix) :]: parse(text) for path, text in sources.items() if path.startswith(prefix)},
        "pids": {
            path: int(text)
            for path, text in sources.items()
            if path.endswith("/sidekiq.pid") and text.strip().isdecimal() and len(text) < 12
        },
    }
