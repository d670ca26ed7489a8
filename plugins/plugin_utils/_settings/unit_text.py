# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quote texts for systemd: the words of a command, and a file of environment variables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError

_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# systemd ignores a variable whose value has them, as it does with bytes that are not UTF-8.
_NO_CHARACTERS = re.compile("[\0\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
# The escapes in a file of environment variables (man page systemd.exec) and in a command (systemd.service).
_OF_VALUES = {ord(char): "\\" + char for char in '\\"`$'}
_OF_WORDS = {**{ord(char): "\\" + char for char in '\\"'}, ord("$"): "$$", ord("%"): "%%", ord("\n"): "\\n"}


def words(command: Iterable[str]) -> str:
    """Return the words of a command as systemd reads them in ExecStart, each unchanged for the program."""
    return " ".join(word if _PLAIN.fullmatch(word) else f'"{word.translate(_OF_WORDS)}"' for word in command)


def environment(variables: object, label: str) -> str:
    """Return environment variables as the text of systemd's EnvironmentFile, with one variable per entry.

    true and false are written like that, and null leaves a variable out. Raises SettingsError, which begins with
    `label`.
    """
    if not isinstance(variables, Mapping):
        raise SettingsError(f"{label}: not a dictionary ({variables!r}); write names with their values")
    lines = []
    for name, value in variables.items():
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise SettingsError(f"{label}: not a name of an environment variable ({name!r}); use letters, _ and digits")
        if value is None:
            continue
        if isinstance(value, bool):
            text = str(value).lower()
        elif isinstance(value, (str, int, float)):
            text = str(value)
        else:
            kind = type(value).__name__
            raise SettingsError(f"{label}: {name}: not a text ({kind}); write a text, a number, true, false or null")
        if _NO_CHARACTERS.search(text):
            raise SettingsError(
                f"{label}: {name}: has a character that systemd does not take (NUL, or not valid in UTF-8); remove it"
            )
        lines.append(f'{name}="{text.translate(_OF_VALUES)}"\n')
    return "".join(lines)
