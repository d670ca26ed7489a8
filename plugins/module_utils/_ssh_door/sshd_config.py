# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a drop-in for sshd, and judge what sshd makes of all its files together."""

from __future__ import annotations

import fnmatch
import ipaddress
import os
import re
import shlex
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

# The values of each keyword, in small letters, as `sshd -T` prints them.
Values = Mapping[str, Sequence[str]]

MAIN = "/etc/ssh/sshd_config"
FOLDER = "/etc/ssh/sshd_config.d"
# sshd takes the first value that it reads.
DROP_IN = FOLDER + "/00-lifeline.conf"
INCLUDE = "Include " + DROP_IN

_INCLUDE = re.compile(r"^(\s*include(?:\s*=\s*|\s+))(.+)$", re.IGNORECASE)
_MATCH = re.compile(r"^\s*match\b", re.IGNORECASE)


def drop_in(settings: Mapping[str, str]) -> Optional[str]:
    """Return the text of the drop-in, or None without settings."""
    if not settings:
        return None
    lines = [
        "# Written by role lifeline.fleet.ssh_lifeline. sshd takes the first value that it reads: keep this file first."
    ]
    return "\n".join(lines + [f"{keyword} {settings[keyword]}" for keyword in sorted(settings, key=str.lower)]) + "\n"


def without_include(text: str) -> str:
    """Return the main file without the line that includes the drop-in."""
    return "".join(line for line in text.splitlines(keepends=True) if line.strip() != INCLUDE)


def with_include(text: str) -> str:
    """Return the main file with the drop-in included at its very beginning."""
    return INCLUDE + "\n" + without_include(text)


def staged(text: str, folder: str) -> str:
    """Return a file that includes from `folder` what it includes from the real folder of drop-ins."""
    return "".join(_staged_line(line, folder) + "\n" for line in text.splitlines())


def _staged_line(line: str, folder: str) -> str:
    match = _INCLUDE.match(line)
    if match is None:
        return line
    try:
        words = shlex.split(match.group(2), comments=True)
    except ValueError:
        return line  # sshd itself reports what is wrong with it
    return match.group(1) + " ".join(shlex.quote(_moved(word, folder)) for word in words)


def _moved(pattern: str, folder: str) -> str:
    path = os.path.normpath(os.path.join("/etc/ssh", pattern))
    return os.path.join(folder, os.path.basename(path)) if os.path.dirname(path) == FOLDER else pattern


def without_match(text: str) -> str:
    """Return the part of a file that holds for every connection: its lines up to the first Match."""
    lines = []
    for line in text.splitlines(keepends=True):
        if _MATCH.match(line):
            break
        lines.append(line)
    return "".join(lines)


def effective(output: str) -> Dict[str, List[str]]:
    """Parse what `sshd -T` prints: the values of each keyword, in small letters."""
    values: Dict[str, List[str]] = {}
    for line in output.splitlines():
        keyword, _space, value = line.partition(" ")
        values.setdefault(keyword.lower(), []).append(value.strip())
    return values


def overridden(settings: Mapping[str, str], own: Values, whole: Values) -> Optional[Tuple[str, str]]:
    """Return the first setting without effect and the values in effect instead, or None.

    `own` is what sshd makes of the drop-in alone, `whole` what it makes of all files.
    """
    aliases = {"challengeresponseauthentication": "kbdinteractiveauthentication"}
    for keyword in sorted(settings):
        name = keyword.lower() if keyword.lower() in own else aliases.get(keyword.lower(), keyword.lower())
        if set(own.get(name, [])) - set(whole.get(name, [])):
            return keyword, ", ".join(whole.get(name, ["nothing"]))
    return None


def ports(values: Values) -> Set[int]:
    """Return the ports that sshd listens on."""
    written = list(values.get("port", [])) + [address.rpartition(":")[2] for address in values.get("listenaddress", [])]
    return {int(port) for port in written if port.isdecimal()}


class User:
    """A user that wants to log in, as the host knows it. `password` says whether it has one."""

    def __init__(
        self, name: str, uid: int, groups: Sequence[str], home: str, password: bool, address: str, host: str = ""
    ) -> None:
        self.name, self.uid, self.groups, self.home, self.password = name, uid, groups, home, password
        self.address, self.host = address, host


def login_refused(values: Values, user: User, read: Callable[[str], Optional[str]]) -> Optional[str]:
    """Return why sshd would refuse the login of a user, or None. `read` returns the text of a file, or None."""
    unlisted = _unlisted(values, user)
    if unlisted:
        return unlisted
    root = _first(values, "permitrootlogin", "prohibit-password") if user.uid == 0 else "yes"
    if root in ("no", "forced-commands-only"):
        return f"PermitRootLogin {root} keeps {user.name} out"
    methods = _methods(values, user, root, read)
    wanted = _first(values, "authenticationmethods", "any")
    if wanted != "any" and not any(
        {part.partition(":")[0] for part in chain.split(",")} <= methods for chain in wanted.split()
    ):
        return f"AuthenticationMethods {wanted} leaves {user.name} no way to log in"
    if methods:
        return None
    keys_off = _first(values, "pubkeyauthentication", "yes") != "yes"
    keys = "keys are off" if keys_off else "there is no key in " + " or ".join(_key_files(values, user))
    passwords = "passwords are off" if user.password else "the user has no password"
    return f"{user.name} could no longer log in: {keys}, and {passwords}"


def _methods(values: Values, user: User, root: str, read: Callable[[str], Optional[str]]) -> Set[str]:
    """Return the authentication methods that a user could succeed with."""
    methods = {
        method
        for method, keyword in (("gssapi-with-mic", "gssapiauthentication"), ("hostbased", "hostbasedauthentication"))
        if _first(values, keyword, "no") == "yes"
    }
    has_key = any(_has_key(read(path)) for path in _key_files(values, user)) or any(
        _first(values, other, "none") != "none" for other in ("authorizedkeyscommand", "trustedusercakeys")
    )
    if _first(values, "pubkeyauthentication", "yes") == "yes" and has_key:
        methods.add("publickey")
    if user.password and root == "yes":
        if _first(values, "passwordauthentication", "yes") == "yes":
            methods.add("password")
        # Before OpenSSH 8.7 it had the other name.
        interactive = ("kbdinteractiveauthentication", "challengeresponseauthentication")
        if any(_first(values, keyword, "no") == "yes" for keyword in interactive):
            methods.add("keyboard-interactive")
    return methods


def _first(values: Values, keyword: str, default: str) -> str:
    value = values.get(keyword, [default])[0]
    return "prohibit-password" if value == "without-password" else value


def _key_files(values: Values, user: User) -> List[str]:
    tokens = {"%h": user.home, "%u": user.name, "%U": str(user.uid), "%%": "%"}
    files = []
    for pattern in " ".join(values.get("authorizedkeysfile", [".ssh/authorized_keys"])).split():
        if pattern != "none":
            files.append(os.path.join(user.home, re.sub("%[huU%]", lambda match: tokens[match.group()], pattern)))
    return files


def _has_key(text: Optional[str]) -> bool:
    return text is not None and any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())


def _unlisted(values: Values, user: User) -> Optional[str]:
    """Return why AllowUsers, DenyUsers, AllowGroups or DenyGroups keep a user out, in sshd's own order, or None."""

    def listed(keyword: str) -> List[str]:
        return [pattern for line in values.get(keyword, []) for pattern in line.split()]

    for pattern in listed("denyusers"):
        if _is_user(pattern, user):
            return f"DenyUsers {pattern} keeps {user.name} out"
    allowed = listed("allowusers")
    if allowed and not any(_is_user(pattern, user) for pattern in allowed):
        return f"AllowUsers {' '.join(allowed)} keeps {user.name} out"
    for pattern in listed("denygroups"):
        if any(_is_like(group, pattern) for group in user.groups):
            return f"DenyGroups {pattern} keeps {user.name} out"
    allowed = listed("allowgroups")
    if allowed and not any(_is_like(group, pattern) for pattern in allowed for group in user.groups):
        return f"AllowGroups {' '.join(allowed)} keeps {user.name} out"
    return None


def _is_user(pattern: str, user: User) -> bool:
    name, at, host = pattern.rpartition("@")
    if not at:
        return _is_like(user.name, pattern)
    return _is_like(user.name, name) and any(_is_host(part, user) for part in host.split(","))


def _is_host(pattern: str, user: User) -> bool:
    try:
        return ipaddress.ip_address(user.address) in ipaddress.ip_network(pattern)
    except ValueError:
        return _is_like(user.address, pattern) or bool(user.host and _is_like(user.host.lower(), pattern.lower()))


def _is_like(text: str, pattern: str) -> bool:
    # sshd knows * and ?, and no brackets.
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))
