# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session of tmux with a window a box: what of the inventory goes into it, and the two ways in which it is written.

What stands in an inventory is nobody's program: a shell, tmux, tmuxinator and its ERB each have words of their own that must not be said.
"""

from __future__ import annotations

import json
import re
import shlex

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError

# Of two names for the same, Ansible takes the second.
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
# A word that needs no quotes in any shell. zsh has a meaning for = at the beginning, and some have one for %.
_PLAIN = re.compile(r"(~/)?[A-Za-z0-9_./:@,+-][A-Za-z0-9_./:@,+=-]*")
# Neither # nor %, with which tmux runs programs and writes the time, nor what separates a target's parts.
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def window_name(group, host):
    """The name of a box's window: its group's and its own."""
    return "/".join(_UNSAFE.sub("_", name) for name in (group, host) if name is not None)


def command(host, variables, defaults=None):
    """What logs in to a box: a command line for any shell, V("") for this machine itself, None where it is not reached by SSH.

    Raises SettingsError.
    """
    connection = variables.get("ansible_connection")
    if connection in _LOCAL:
        return ""
    if connection not in _SSH:
        return None
    found = dict(defaults or {})
    for key, names in _NAMES.items():
        for name in names:
            if variables.get(name) not in (None, ""):
                found[key] = _clean(host, name, variables[name])
    words = [found.get("executable") or "ssh"]
    for name in _ARGUMENTS:
        text = _clean(host, name, variables.get(name) or "")
        try:
            words += shlex.split(text)
        except ValueError as error:
            raise SettingsError(f"{host}: {name} is {text!r}, which has an end of quotes too few: {error}") from None
    if found.get("port"):
        if not found["port"].isdecimal() or not 0 < int(found["port"]) < 65536:
            raise SettingsError(f"{host}: the port is {found['port']!r}: it must be a number from 1 to 65535")
        words += ["-p", found["port"]]
    for option, key in (("-i", "key"), ("-l", "user")):
        if found.get(key):
            words += [option, found[key]]
    # An address that begins with a dash is none of ssh's options.
    return " ".join(map(_quoted, [*words, "--", found.get("address") or _clean(host, "inventory_hostname", host)]))


def _clean(host, name, value):
    text = str(value)
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise SettingsError(f"{host}: {name} is {text!r}: it must be one line without control characters")
    return text


def _quoted(word):
    if _PLAIN.fullmatch(word):
        return word
    return "'" + word.replace("'", "'\"'\"'") + "'"


def session_name(name):
    """The session's name, if it can be one. Raises SettingsError."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name):
        raise SettingsError(f"tmux_session is {name!r}: it must be letters, digits, _ and -")
    return name


def tmuxinator(session, groups):
    """The session in tmuxinator's format. V(groups) are pairs of a group's name and its windows, and those are of a name and a command."""
    lines = [
        "# Written by playbook lifeline.fleet.tmux. Start it with: tmuxinator start " + session,
        "name: " + _yaml(session),
        "windows:",
    ]
    for group, windows in groups:
        lines.append("  # " + _UNSAFE.sub("_", group))
        lines += [f"  - {_yaml(name)}: {_yaml(line)}" for name, line in windows]
    return "\n".join(lines) + "\n"


def _yaml(text):
    # JSON is YAML. The file is a template of ERB, whose tags begin with <.
    return json.dumps(text).replace("<", "\\u003c")


_SCRIPT = """#!/bin/sh
# Written by playbook lifeline.fleet.tmux: makes the session where there is none, and goes there.
if ! tmux has-session -t {target} 2> /dev/null; then
    set -e
{windows}
    tmux select-window -t {target}:^
    set +e
fi
[ -z "${{TMUX:-}}" ] || exec tmux switch-client -t {target}
exec tmux attach-session -t {target}
"""


def script(session, groups):
    """The session as a script of tmux's own commands."""
    lines, first = [], True
    for group, windows in groups:
        lines.append("    # " + _UNSAFE.sub("_", group))
        for name, line in windows:
            begin = (
                ["tmux", "new-session", "-d", "-s", session]
                if first
                else ["tmux", "new-window", "-d", "-t", "=" + session + ":"]
            )
            # The window stays when the connection ends. Several words are a program to tmux, and no line for its shell.
            run = ["sh", "-c", line + '; exec "${SHELL:-/bin/sh}"'] if line else []
            lines.append("    " + " ".join(map(_quoted, [*begin, "-n", name, *run])))
            first = False
    return _SCRIPT.format(target=_quoted("=" + session), windows="\n".join(lines))
