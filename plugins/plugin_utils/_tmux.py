# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session of tmux with a window per host, as a project of tmuxinator or as a shell script.

No value of the inventory may become a command: a shell, tmux, tmuxinator and its ERB templates each have their own
special characters, and all of them are quoted or rejected here.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError

# A window's name and its command.
Window = tuple[str, str]
# A group's name and its windows.
Group = tuple[str, Sequence[Window]]

# If a host has two of these variables, Ansible uses the last one.
_NAMES = {
    "executable": ("ansible_ssh_executable",),
    "address": ("ansible_host", "ansible_ssh_host"),
    "port": ("ansible_port", "ansible_ssh_port"),
    "user": ("ansible_user", "ansible_ssh_user"),
    "key": ("ansible_private_key_file", "ansible_ssh_private_key_file"),
}
_ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
_SSH = ("ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh", "ansible.builtin.paramiko_ssh", None)
_LOCAL = ("local", "ansible.builtin.local")
# A word that needs no quotes in any shell. A leading = is special in zsh, and % is in some other shells.
_PLAIN = re.compile(r"(~/)?[A-Za-z0-9_./:@,+-][A-Za-z0-9_./:@,+=-]*")
# In a name, tmux expands # and %, and separates the parts of a target at : and the dot.
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def window_name(group: str | None, host: str) -> str:
    """Return the name of a host's window: its group and itself, in characters that tmux takes literally."""
    return "/".join(_UNSAFE.sub("_", name) for name in (group, host) if name is not None)


def command(host: str, variables: Mapping[str, Any], defaults: Mapping[str, object] | None = None) -> str | None:
    """Return the command line that logs in to a host, quoted for any shell.

    It is empty for this machine itself, and None for a host that is not reached over SSH. `defaults` apply without a
    variable: `executable`, `port`, `user` and `key`, and the arguments of ssh by their variables. Raises SettingsError.
    """
    connection = variables.get("ansible_connection")
    if connection in _LOCAL:
        return ""
    if connection not in _SSH:
        return None
    found = {key: _clean(host, key, value) for key, value in (defaults or {}).items() if value not in (None, "")}
    for key, names in _NAMES.items():
        for name in names:
            if variables.get(name) not in (None, ""):
                found[key] = _clean(host, name, variables[name])
    words = [found.get("executable") or "ssh"]
    for name in _ARGUMENTS:
        text = _clean(host, name, variables.get(name) or found.get(name) or "")
        try:
            words += shlex.split(text)
        except ValueError as error:
            raise SettingsError(f"{host}: {name}: wrong quotes ({text!r}); correct them: {error}") from None
    port = found.get("port")
    if port:
        if not re.fullmatch("[0-9]+", port) or not 0 < int(port) < 65536:
            raise SettingsError(f"{host}: ansible_port: not a port ({port!r}); give a number from 1 to 65535")
        words += ["-p", port]
    for option, key in (("-i", "key"), ("-l", "user")):
        value = found.get(key)
        if value:
            words += [option, value]
    # After --, ssh takes an address with a leading dash as an address.
    return " ".join(map(_quoted, [*words, "--", found.get("address") or _clean(host, "inventory_hostname", host)]))


def _clean(host: str, name: str, value: object) -> str:
    text = str(value)
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise SettingsError(f"{host}: {name}: control characters ({text!r}); give one line of plain text")
    return text


def _quoted(word: str) -> str:
    if _PLAIN.fullmatch(word):
        return word
    return "'" + word.replace("'", "'\"'\"'") + "'"


def session_name(name: object) -> str:
    """Return the name if a session can have it. Raises SettingsError."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name):
        raise SettingsError(f"tmux_session: not a session's name ({name!r}); use letters, digits, _ and -")
    return name


def tmuxinator(session: str, groups: Sequence[Group]) -> str:
    """Return the session as a project of tmuxinator."""
    lines = [
        "# Written by playbook lifeline.fleet.tmux. Start it with: tmuxinator start " + session,
        "name: " + _yaml(session),
        "windows:",
    ]
    for group, windows in groups:
        lines.append("  # " + _UNSAFE.sub("_", group))
        lines += [f"  - {_yaml(name)}: {_yaml(line)}" for name, line in windows]
    return "\n".join(lines) + "\n"


def _yaml(text: str) -> str:
    # JSON is YAML. tmuxinator reads the file as an ERB template, whose tags begin with <.
    return json.dumps(text).replace("<", "\\u003c")


_SCRIPT = """#!/bin/sh
# Written by playbook lifeline.fleet.tmux: makes the session if there is none, and attaches to it.
if ! tmux has-session -t {target} 2> /dev/null; then
    set -e
{windows}
    tmux select-window -t {target}:^
    set +e
fi
[ -z "${{TMUX:-}}" ] || exec tmux switch-client -t {target}
exec tmux attach-session -t {target}
"""


def script(session: str, groups: Sequence[Group]) -> str:
    """Return the session as a shell script that needs only tmux."""
    lines, first = [], True
    for group, windows in groups:
        lines.append("    # " + _UNSAFE.sub("_", group))
        for name, line in windows:
            begin = (
                ["tmux", "new-session", "-d", "-s", session]
                if first
                else ["tmux", "new-window", "-d", "-t", "=" + session + ":"]
            )
            # A shell follows the connection, so the window stays. tmux runs several words as a program, without its
            # shell.
            run = ["sh", "-c", line + '; exec "${SHELL:-/bin/sh}"'] if line else []
            lines.append("    " + " ".join(map(_quoted, [*begin, "-n", name, *run])))
            first = False
    return _SCRIPT.format(target=_quoted("=" + session), windows="\n".join(lines))
