# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the number of threads into an application's sidekiq.yml, with the rights of a user that may change the file."""

from __future__ import annotations

import os
import pwd
import re
import stat
from typing import NamedTuple, Optional

from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic
from ansible_collections.lifeline.fleet.plugins.module_utils._files.ownership import (
    User,
    acting_as,
    user_of,
    who_controls,
)

_LINE = re.compile(r"^:?concurrency:")
_LARGEST = 1 << 20


class Outcome(NamedTuple):
    """The result: the text before (None without a file) and after, and the reason if the file was left alone."""

    before: Optional[str]
    after: Optional[str]
    refusal: Optional[str] = None


def with_threads(text: str, threads: int) -> str:
    """Return the file's text with the number in its last line `concurrency:`, or in a new line at the end."""
    wanted = f":concurrency: {threads}"
    lines = text.splitlines()
    places = [number for number, line in enumerate(lines) if _LINE.match(line)]
    if places:
        lines[places[-1]] = wanted
    else:
        lines.append(wanted)
    return "\n".join(lines) + "\n"


def write(path: str, threads: int, user: Optional[str], dry: bool = False) -> Outcome:
    """Write the number into the file, or say only what would be done with `dry`.

    `user` acts for root in a folder that several users can write to. Raises OSError if there is no file and none can be
    created.
    """
    controller = who_controls(path, _named(user))
    with acting_as(controller):
        before = _read(path)
        after = with_threads(before or "", threads)
        if before is not None and before == after:
            return Outcome(before, before)
        if not dry:
            try:
                atomic.replace(path, after, follow_links=True)
            except OSError as error:
                if before is None:
                    raise
                return Outcome(before, before, f"{_name(controller)} may not write it ({error.strerror})")
    return Outcome(before, after)


def _read(path: str) -> Optional[str]:
    """Return the text of a regular file, or None without one. Does not wait for a FIFO."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "not a regular file", path)
        content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise OSError(0, "larger than 1 MB", path)
    return content.decode("utf-8", "surrogateescape")


def _named(user: Optional[str]) -> Optional[User]:
    try:
        entry = pwd.getpwnam(user) if user else None
    except KeyError:
        return None
    return None if entry is None else user_of(entry.pw_uid, entry.pw_gid)


def _name(user: Optional[User]) -> str:
    if user is None:
        return "this user"
    try:
        return f"user {pwd.getpwuid(user.uid).pw_name}"
    except KeyError:
        return f"user ID {user.uid}"
