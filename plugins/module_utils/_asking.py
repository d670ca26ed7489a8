# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong between a box and a server that it asks, and how long the box waits for it."""

from __future__ import annotations

import threading


class Failure(Exception):
    """A server that can't be asked, or gives no usable answer: a sentence for people, and its cause in a word for playbooks."""

    def __init__(self, cause, message):
        super().__init__(message)
        self.cause = cause


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
