# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write an archive of texts on the controller, for its owner only, as a whole or not at all."""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Mapping
from datetime import datetime

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic


def file_name(box: str, now: datetime) -> str:
    """Return the archive's name for a host at a time in UTC. No host's name can make it leave its folder."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '_', box).lstrip('.') or 'box'}-{now.strftime('%Y%m%dT%H%M%SZ')}"


def write(folder: str, name: str, members: Mapping[str, str], now: datetime) -> str:
    """Write FOLDER/NAME.tar.gz with texts by relative path, all below one folder NAME. Returns its path.

    Raises SettingsError if the folder can't be written.
    """
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for path, text in sorted(members.items()):
            _add(archive, f"{name}/{path}", text, now)
    try:
        staged = atomic.Staged(
            os.path.join(folder, name + ".tar.gz"), content.getvalue(), mode=0o600, folder_mode=0o700
        )
        try:
            # Two runs in the same second are two archives.
            return _place(staged.name, folder, name)
        finally:
            staged.discard()
    except OSError as error:
        raise SettingsError(f"cannot write the evidence to {folder} ({error.strerror}); name another folder") from error


def _add(archive: tarfile.TarFile, path: str, text: str, now: datetime) -> None:
    content = text.encode("utf-8", "surrogateescape")
    member = tarfile.TarInfo(path)
    member.size, member.mtime, member.mode = len(content), int(now.timestamp()), 0o600
    archive.addfile(member, io.BytesIO(content))


def _place(unfinished: str, folder: str, name: str) -> str:
    """Give the file its name, never that of another archive."""
    number = 0
    while True:
        path = os.path.join(folder, f"{name}{f'-{number}' if number else ''}.tar.gz")
        try:
            os.link(unfinished, path)
            return path
        except FileExistsError:
            number += 1
