# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says of fail2ban, looked through before a box is touched: fail2ban itself takes nearly anything for a value."""

from __future__ import annotations

import ipaddress
import re

from ansible_collections.lifeline.fleet.plugins.module_utils import _fail2ban
from ansible_collections.lifeline.fleet.plugins.plugin_utils._errors import SettingsError

_SPAN = "seconds, or a span of time such as 10m, 1h or 1d 12h"
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LINE = re.compile(r"[^\x00-\x1f\x7f]*")


def _boolean(value):
    return isinstance(value, bool)


def _count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _span(value):
    try:
        return _fail2ban.seconds(value) > 0
    except ValueError:
        return False


def _ban(value):
    return str(value) == "-1" or _span(value)


def _spread(value):
    return value == 0 and not isinstance(value, bool) or _span(value)


def _factor(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _line(value):
    return isinstance(value, str) and value.strip() != "" and _LINE.fullmatch(value) is not None


def _lines(value):
    return _line(value) or isinstance(value, list) and bool(value) and all(map(_line, value))


def _port(value):
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return False
    ends = str(value).split(":")
    if len(ends) <= 2 and all(end.isdecimal() for end in ends):
        numbers = [int(end) for end in ends]
        return all(0 < number < 65536 for number in numbers) and numbers == sorted(numbers)
    return re.fullmatch(r"[a-z0-9][a-z0-9-]*[a-z][a-z0-9-]*|[a-z][a-z0-9-]*", str(value)) is not None


def _ports(value):
    entries = value if isinstance(value, list) else str(value).replace(" ", "").split(",")
    return bool(entries) and not isinstance(value, bool) and all(map(_port, entries))


def _options(value):
    return isinstance(value, dict) and all(
        isinstance(key, str) and re.fullmatch(r"[A-Za-z][\w.-]*", key) and (
            isinstance(item, (bool, int, float)) or _lines(item)) for key, item in value.items())


_THRESHOLDS = {
    "maxretry": (_count, "a number above 0"),
    "findtime": (_span, _SPAN),
    "bantime": (_ban, _SPAN + ", or -1 for ever"),
    "bantime_increment": (_boolean, "true or false"),
    "bantime_factor": (_factor, "a number above 0"),
    "bantime_maxtime": (_span, _SPAN),
    "bantime_rndtime": (_spread, _SPAN + ", or 0"),
}
_JAIL = {
    **_THRESHOLDS,
    "enabled": (_boolean, "true or false"),
    "filter": (_line, "a filter's name, perhaps with its options"),
    "mode": (_line, "a mode of the filter"),
    "backend": (_line, "one of fail2ban's backends, such as systemd or auto"),
    "journalmatch": (_line, "matches of the journal, joined by +"),
    "logpath": (_lines, "a path or a list of them"),
    "port": (_ports, "a port, a range such as 6000:6010, a service's name, or a list of these"),
    "protocol": (lambda value: isinstance(value, str) and re.fullmatch(r"(tcp|udp|sctp)(,(tcp|udp|sctp))*", value), "tcp, udp, or tcp,udp"),
    "banaction": (_line, "an action's name, perhaps with its options"),
    "action": (_lines, "an action or a list of them"),
    "ignore": (lambda value: True, ""),
    "options": (_options, "a dictionary of fail2ban's own settings"),
}
_RESERVED = {"enabled", "ignoreip", "maxretry", "findtime", "bantime"}


def settings(values):
    """The thresholds of all jails by fail2ban's names, of the role's variables. Raises SettingsError."""
    for key, (right, allowed) in _THRESHOLDS.items():
        if not right(values[key]):
            raise SettingsError("fail2ban_%s is %r: it must be %s" % (key, values[key], allowed))
    if not _span(values["remember"]):
        raise SettingsError("fail2ban_remember is %r: it must be %s" % (values["remember"], _SPAN))
    longest = values["bantime_maxtime"] if values["bantime_increment"] else values["bantime"]
    if _fail2ban.seconds(values["remember"]) < _fail2ban.seconds(longest):
        raise SettingsError("fail2ban_remember is %r, less than a ban may last (%s): the ban would be forgotten"
                            % (values["remember"], longest))
    return {key.replace("_", "."): values[key] for key in _THRESHOLDS}


def jails(entries):
    """Jails as fail2ban writes them: the name, and its settings. Raises SettingsError."""
    return [{"name": entry["name"], "settings": _jail("fail2ban_jails (%s)" % entry["name"], entry)} for entry in entries]


def _jail(place, entry):
    name, state = entry["name"], entry.get("state", "present")
    if not _WORD.fullmatch(name) or name.upper() in ("DEFAULT", "INCLUDES"):
        raise SettingsError("%s: a jail's name must be letters, digits and . _ -, and not DEFAULT or INCLUDES" % place)
    if state not in ("present", "absent"):
        raise SettingsError("%s.state is %r: it must be present or absent" % (place, state))
    values = {key: value for key, value in entry.items() if key not in ("name", "state") and value is not None}
    for key, value in values.items():
        if key not in _JAIL:
            raise SettingsError("%s has the unknown key %r: known are name, state, %s" % (place, key, ", ".join(sorted(_JAIL))))
        right, allowed = _JAIL[key]
        if not right(value):
            raise SettingsError("%s.%s is %r: it must be %s" % (place, key, value, allowed))
    if state == "absent" or not values.get("enabled", True):
        return {"enabled": False}
    other = values.pop("options", {})
    clash = sorted(key for key in other if key in _RESERVED or key.replace(".", "_") in _JAIL)
    if clash:
        raise SettingsError("%s.options has %s, which is a key of the jail itself" % (place, clash[0]))
    result = {"enabled": True, "backend": values.pop("backend", "auto" if "logpath" in values else "systemd")}
    if "ignore" in values:
        result["ignoreip"] = networks(place + ".ignore", values.pop("ignore"))
    if "filter" in values and "[" not in values["filter"]:
        # fail2ban itself gives the mode only to the filter of the jail's own name.
        values["filter"] += "[mode=%(mode)s]"
    if "port" in values:
        port = values["port"]
        values["port"] = ",".join(map(str, port)) if isinstance(port, list) else str(port).replace(" ", "")
    result.update((key.replace("_", ".") if key in _THRESHOLDS else key, value) for key, value in values.items() if key != "enabled")
    result.update(other)
    return result


def networks(place, entries):
    """Addresses and networks. Raises SettingsError."""
    if not isinstance(entries, list):
        raise SettingsError("%s is %r: it must be a list of addresses and networks" % (place, entries))
    found = []
    for number, entry in enumerate(entries):
        try:
            if not isinstance(entry, str):
                raise ValueError
            found.append(str(ipaddress.ip_network(entry.strip())))
        except ValueError:
            raise SettingsError("%s[%d] is %r: it must be an IPv4 or IPv6 address or network, such as 192.0.2.7 or 192.0.2.0/24"
                                % (place, number, entry)) from None
    return found


def somebody(entries):
    """The addresses and networks without those that hold everybody: who lets in everybody still wants to ban somebody."""
    return [entry for entry in entries if ipaddress.ip_network(entry).prefixlen > 0]
