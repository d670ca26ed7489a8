# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read on the host all messages of its logs about OOM kills: the journal, the kernel's buffer, and log files."""

from __future__ import annotations

import glob
import os
import re
import stat
from typing import Iterable, NamedTuple

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.files import lzma, read_log, reason
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.journal import read_journal, read_kmsg

_DEFAULT_LOGS = ("/var/log/kern.log*", "/var/log/syslog*", "/var/log/messages*")
_LOG_NAME = re.compile(r"(?:kern\.log|syslog|messages)(?:[.-][\w.-]*)?$")

# A damaged .xz or .zst raises an error of its library's own, which has no common base with the others.
_DAMAGED: tuple[type[Exception], ...] = (OSError, EOFError, ValueError, MemoryError)
if lzma is not None:
    _DAMAGED += (lzma.LZMAError,)


class LogError(Exception):
    """A log that the user named cannot be read; the text names it and says why."""


class Logs(NamedTuple):
    """Logs that were read: their texts, the names of all logs in their order, and remarks on what was not read."""

    sources: dict[str, str]
    names: list[str]
    unread: dict[str, str]

    def add(self, name: str, text: str | None, remark: str | None) -> None:
        """Add a log under its name; its text is None if it could not be read."""
        self.names.append(name)
        if text is not None:
            self.sources[name] = text
        if remark:
            self.unread[name] = remark


def read_box(since: float | None = None) -> Logs:
    """Return all logs that the host itself has; files that were written last before `since` are left out."""
    logs = Logs({}, [], {})
    logs.add("journal", *read_journal(since))
    text, why = read_kmsg()
    if text is not None:
        logs.add("kmsg", text, None)
    else:
        text = _reader.run(["dmesg", "-r"])
        logs.add("dmesg", text, None if text is not None else f"/dev/kmsg: {why}, and dmesg failed")
    for pattern in _DEFAULT_LOGS:
        for path in sorted(glob.glob(pattern)):
            if _LOG_NAME.match(os.path.basename(path)):
                _add_file(logs, path, since)
    return logs


def _add_file(logs: Logs, path: str, since: float | None) -> None:
    try:
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode) and (since is None or status.st_mtime >= since):
            logs.add(path, *read_log(path))
    except _DAMAGED as error:
        logs.add(path, None, reason(error))


def read_named(patterns: Iterable[str]) -> Logs:
    """Return the logs that the user named.

    Raises LogError for a pattern without a file, and for a file that cannot be read.
    """
    logs = Logs({}, [], {})
    for pattern in patterns:
        paths = [pattern] if os.path.exists(pattern) else sorted(glob.glob(pattern))
        if not paths:
            raise LogError(f"logs: no such file ({pattern}); name a file that exists")
        for path in paths:
            if path in logs.names:
                continue
            if not os.path.isdir(path):
                _add_named(logs, path)
            elif path == pattern:
                raise LogError(f"logs: a directory ({path}); name its files, as in {os.path.join(path, '*.log')}")
    return logs


def _add_named(logs: Logs, path: str) -> None:
    try:
        logs.add(path, *read_log(path))
    except _DAMAGED as error:
        raise LogError(
            f"logs: cannot read the file ({path}: {reason(error)}); correct it, or name another one"
        ) from error
