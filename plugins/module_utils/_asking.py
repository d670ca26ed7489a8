# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set deadlines for calls that have none."""

from __future__ import annotations

import threading
from typing import Callable, List, TypeVar

_Answer = TypeVar("_Answer")


def within(seconds: float, call: Callable[[], _Answer]) -> _Answer:
    """Return what a call returns, or raise what it raises. Raises TimeoutError if it takes longer than `seconds`.

    Looking up a name, and some drivers, have no time limit of their own. The thread that still waits for them is left
    behind, and ends with the program.
    """
    answers: List[_Answer] = []
    errors: List[BaseException] = []

    def run() -> None:
        try:
            answers.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(max(seconds, 0))
    if thread.is_alive():
        raise TimeoutError(f"no answer within {seconds:g} s")
    if errors:
        raise errors[0]
    return answers[0]
