# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sshd's configuration: a file of our own beside those of others, and what all of it together means."""

from __future__ import annotations

import fnmatch
import ipaddress
import os
import re
import shlex

MAIN = "/etc/ssh/sshd_config"
FOLDER = "/etc/ssh/sshd_config.d"
# sshd takes the first value that it reads.
DROP_IN = FOLDER + "/00-lifeline.conf"
INCLUDE = "Include " + DROP_IN

_INCLUDE = re.compile(r"^(\s*include(?:\s*=\s*|\s+))(.+)$", re.IGNORECASE)
_MATCH = re.compile(r"^\s*match\b", re.IGNORECASE)


def drop_in(settings):
    """The text of the file, or None without settings."""
    if not settings:
        return None
    lines = [
        "# Written by role lifeline.fleet.ssh_lifeline. sshd takes the first value that it reads, so this file is the first."
    ]
    return "\n".join(lines + [f"{keyword} {settings[keyword]}" for keyword in sorted(settings, key=str.lower)]) + "\n"


def without_include(text):
    """The main file without the line that includes our own."""
    return "".join(line for line in text.splitlines(keepends=True) if line.strip() != INCLUDE)


def with_include(text):
    """The main file with our own at its very beginning."""
    return INCLUDE + "\n" + without_include(text)


def staged(text, folder):
    """The text, including from V(folder) what it includes from the real one."""
    return "".join(_staged_line(line, folder) + "\n" for line in text.splitlines())


def _staged_line(line, folder):
    match = _INCLUDE.match(line)
    if match is None:
        return line
    try:
        words = shlex.split(match.group(2), comments=True)
    except ValueError:
        return line  # sshd itself will say what is wrong with it
    return match.group(1) + " ".join(shlex.quote(_moved(word, folder)) for word in words)


def _moved(pattern, folder):
    path = os.path.normpath(os.path.join("/etc/ssh", pattern))
    return os.path.join(folder, os.path.basename(path)) if os.path.dirname(path) == FOLDER else pattern


def without_match(text):
    """What holds for everybody: a file's lines up to its first Match."""
    lines = []
    for line in text.splitlines(keepends=True):
        if _MATCH.match(line):
            break
        lines.append(line)
    return "".join(lines)


def effective(output):
    """What C(sshd -T) prints: each keyword in small letters, with its values."""
    values = {}
    for line in output.splitlines():
        keyword, _space, value = line.partition(" ")
        values.setdefault(keyword.lower(), []).append(value.strip())
    return values


def overridden(settings, own, whole):
    """The first of the settings that has no effect, and what has instead; or None."""
    aliases = {"challengeresponseauthentication": "kbdinteractiveauthentication"}
    for keyword in sorted(settings):
        name = keyword.lower() if keyword.lower() in own else aliases.get(keyword.lower(), keyword.lower())
        if set(own.get(name, [])) - set(whole.get(name, [])):
            return keyword, ", ".join(whole.get(name, ["nothing"]))
    return None


def ports(values):
    """Where sshd listens, by the values of C(sshd -T)."""
    found = {int(port) for port in values.get("port", []) if port.isdecimal()}
    return found | {
        int(address.rpartition(":")[2])
        for address in values.get("listenaddress", [])
        if address.rpartition(":")[2].isdecimal()
    }


class User:
    """What the box knows of a user who wants to log in."""

    def __init__(self, name, uid, groups, home, password, address, host=""):
        self.name, self.uid, self.groups, self.home, self.password = name, uid, groups, home, password
        self.address, self.host = address, host


def login_refused(values, user, read):
    """Why sshd would not let a user in under the values of C(sshd -T), or None. V(read) returns a file's text or None."""
    unlisted = _unlisted(values, user)
    if unlisted:
        return unlisted
    root = _first(values, "permitrootlogin", "prohibit-password") if user.uid == 0 else "yes"
    if root in ("no", "forced-commands-only"):
        return f"PermitRootLogin {root} keeps {user.name} out"
    methods = set()
    keys = _key_files(values, user)
    has_key = any(_has_key(read(path)) for path in keys) or any(
        _first(values, other, "none") != "none" for other in ("authorizedkeyscommand", "trustedusercakeys")
    )
    if _first(values, "pubkeyauthentication", "yes") == "yes" and has_key:
        methods.add("publickey")
    if user.password and root == "yes":
        if _first(values, "passwordauthentication", "yes") == "yes":
            methods.add("password")
        if "yes" in (
            _first(values, "kbdinteractiveauthentication", "no"),
            _first(values, "challengeresponseauthentication", "no"),
        ):
            methods.add("keyboard-interactive")
    methods.update(
        method
        for method, keyword in (("gssapi-with-mic", "gssapiauthentication"), ("hostbased", "hostbasedauthentication"))
        if _first(values, keyword, "no") == "yes"
    )
    wanted = _first(values, "authenticationmethods", "any")
    if wanted != "any" and not any(
        {part.partition(":")[0] for part in chain.split(",")} <= methods for chain in wanted.split()
    ):
        return f"AuthenticationMethods {wanted} leaves {user.name} no way to log in"
    if methods:
        return None
    return f"{user.name} could no longer log in: {'keys are off' if _first(values, 'pubkeyauthentication', 'yes') != 'yes' else 'there is no key in ' + ' or '.join(keys)}, and {'the user has no password' if not user.password else 'passwords are off'}"


def _first(values, keyword, default):
    value = values.get(keyword, [default])[0]
    return "prohibit-password" if value == "without-password" else value


def _key_files(values, user):
    tokens = {"%h": user.home, "%u": user.name, "%U": str(user.uid), "%%": "%"}
    files = []
    for pattern in " ".join(values.get("authorizedkeysfile", [".ssh/authorized_keys"])).split():
        if pattern != "none":
            files.append(os.path.join(user.home, re.sub("%[huU%]", lambda match: tokens[match.group()], pattern)))
    return files


def _has_key(text):
    return text is not None and any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())


def _unlisted(values, user):
    """Why AllowUsers and its like keep a user out. They are asked in sshd's own order."""

    def listed(keyword):
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


def _is_user(pattern, user):
    name, at, host = pattern.rpartition("@")
    if not at:
        return _is_like(user.name, pattern)
    return _is_like(user.name, name) and any(_is_host(part, user) for part in host.split(","))


def _is_host(pattern, user):
    try:
        return ipaddress.ip_address(user.address) in ipaddress.ip_network(pattern)
    except ValueError:
        return _is_like(user.address, pattern) or bool(user.host and _is_like(user.host.lower(), pattern.lower()))


def _is_like(text, pattern):
    # sshd knows * and ?, and no brackets.
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))
