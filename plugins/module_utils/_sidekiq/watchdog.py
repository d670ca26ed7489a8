# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the records of sidekiq-watchdog about the workers since boot: one file per worker, with lines `key value`."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Sources, Watchdog, WatchdogNote

FOLDER = "/run/lifeline/watchdog"
STATE = FOLDER + "/%s"
PIDFILE = "/run/%s/sidekiq.pid"
# Shell patterns of the files that both readers read.
PATTERNS = (STATE % "*", PIDFILE % "*")
# No record and no pidfile has as many bytes.
LARGEST = 4096


def parse(text: str) -> WatchdogNote:
    """Parse the file of one worker."""
    noted = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
    restarts = noted.get("restarts", "").strip()
    return {
        "restarts": int(restarts) if _is_number(restarts, 9) else 0,
        "given_up": "given_up" in noted,
        "paused": "paused" in noted,
    }


def read(sources: Sources) -> Watchdog:
    """Return the records and the pidfiles among `sources`, which are texts by path."""
    prefix = FOLDER + "/"
    return {
        "noted": {path[len(prefix) :]: parse(text) for path, text in sources.items() if path.startswith(prefix)},
        "pids": {
            path: int(text.strip())
            for path, text in sources.items()
            if path.startswith("/run/") and path.endswith(".pid") and _is_number(text.strip(), 11)
        },
    }


def _is_number(text, digits):
    # isdecimal() alone accepts the digits of other scripts.
    return text.isascii() and text.isdecimal() and len(text) <= digits
