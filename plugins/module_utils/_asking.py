# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deadlines for calls that know none of their own."""

from __future__ import annotations

import threading


def within(seconds, call):
    """What V(call) returns or raises. Raises TimeoutError where that takes longer than V(seconds).

    Looking up a name, and some drivers, know no time limit of their own. The thread that waits for them is left behind, and ends with
    the program.
    """
    done = {}

    def run():
        try:
            done["value"] = call()
        except BaseException as error:
            done["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(max(seconds, 0))
    if thread.is_alive():
        raise TimeoutError(f"no answer within {seconds:g} s")
    if "error" in done:
        raise done["error"]
    return done["value"]
