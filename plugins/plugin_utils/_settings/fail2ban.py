# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the variables of role fail2ban, because fail2ban itself accepts nearly every value and then ignores it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban import config as fail2ban_config

Number = TypeVar("Number", int, float)
# A converter of a value, and the values that it accepts.
Rule = tuple[Callable[[Any], Any], str]

_SPAN = "seconds, or a time such as 10m, 1h or 1d 12h"
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_SERVICE = re.compile(r"(?=.*[a-z])[a-z0-9][a-z0-9-]*")


# Each converter takes a value and returns it in its type, or raises ValueError. Values of -e and of ini files are text.


def _boolean(value: Any) -> bool:
    try:
        return bool(boolean(value))
    except TypeError as error:
        raise ValueError from error


def _number(value: object, kind: Callable[[Any], Number]) -> Number:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError
    number = kind(value)
    if not 0 < number < float("inf"):
        raise ValueError
    return number


def _count(value: object) -> int:
    if isinstance(value, float):
        raise ValueError
    return _number(value, int)


def _factor(value: object) -> float:
    if isinstance(value, float) or "." in str(value):
        return _number(value, float)
    return _number(value, int)


def _span(value: object, others: tuple[int, ...] = ()) -> object:
    if fail2ban_config.seconds(value) <= 0 and fail2ban_config.seconds(value) not in others:
        raise ValueError
    return value


def _ban(value: object) -> object:
    return _span(value, others=(-1,))


def _spread(value: object) -> object:
    return _span(value, others=(0,))


def _line(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError
    return value


def _lines(value: object) -> str | list[str]:
    return [_line(item) for item in value] if isinstance(value, list) and value else _line(value)


def _one_of(*allowed: str) -> Callable[[object], object]:
    def chosen(value: object) -> object:
        if value not in allowed:
            raise ValueError
        return value

    return chosen


def _port(value: object) -> str:
    text = str(value)
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError
    if _SERVICE.fullmatch(text):
        return text
    numbers = [int(end) for end in text.split(":")]
    if len(numbers) > 2 or numbers != sorted(numbers) or not all(0 < number < 65536 for number in numbers):
        raise ValueError
    return text


def _ports(value: object) -> str:
    entries = value if isinstance(value, list) else [entry.strip() for entry in str(value).split(",")]
    if not entries or isinstance(value, bool):
        raise ValueError
    return ",".join(map(_port, entries))


def _options(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError
    for key, item in value.items():
        if not isinstance(key, str) or not re.fullmatch(r"[A-Za-z][\w.-]*", key):
            raise ValueError
        if not isinstance(item, (bool, int, float)):
            _lines(item)
    return value


_THRESHOLDS: dict[str, Rule] = {
    "maxretry": (_count, "a number above 0"),
    "findtime": (_span, _SPAN),
    "bantime": (_ban, _SPAN + ", or -1 for a ban without end"),
    "bantime_increment": (_boolean, "true or false"),
    "bantime_factor": (_factor, "a number above 0"),
    "bantime_maxtime": (_span, _SPAN),
    "bantime_rndtime": (_spread, _SPAN + ", or 0"),
}
_JAIL: dict[str, Rule] = {
    **_THRESHOLDS,
    "enabled": (_boolean, "true or false"),
    "filter": (_line, "a filter's name, optionally with its options"),
    "mode": (_line, "a mode of the filter"),
    "backend": (_line, "one of fail2ban's backends, such as systemd or auto"),
    "journalmatch": (_line, "matches of the journal, joined by +"),
    "logpath": (_lines, "a path or a list of them"),
    "port": (_ports, "a port, a range such as 6000:6010, a service's name, or a list of these"),
    "protocol": (_one_of("tcp", "udp", "tcp,udp"), "tcp, udp or tcp,udp"),
    "banaction": (_line, "an action's name, optionally with its options"),
    "action": (_lines, "an action or a list of them"),
    "options": (_options, "a dictionary of fail2ban's own settings"),
}
_RESERVED = {"enabled", "ignoreip"}


def _checked(place: str, value: object, rule: Rule) -> Any:
    convert, allowed = rule
    try:
        return convert(value)
    except ValueError:
        raise SettingsError(f"{place}: wrong value ({value!r}); use {allowed}") from None


def settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the thresholds for all jails, by fail2ban's names. Raises SettingsError.

    `values` are the role's variables by their names without `fail2ban_`.
    """
    checked = {key: _checked("fail2ban_" + key, values[key], rule) for key, rule in _THRESHOLDS.items()}
    _checked("fail2ban_remember", values["remember"], (_span, _SPAN))
    longest = checked["bantime_maxtime"] if checked["bantime_increment"] else checked["bantime"]
    if fail2ban_config.seconds(values["remember"]) < fail2ban_config.seconds(longest):
        raise SettingsError(
            f"fail2ban_remember: less than a ban may last ({values['remember']!r}); use {longest} or more"
        )
    return {_own_name(key): value for key, value in checked.items()}


def _own_name(key: str) -> str:
    return key.replace("_", ".") if key in _THRESHOLDS else key


def jails(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return jails with their names and their settings by fail2ban's names. Raises SettingsError."""
    return [{"name": entry["name"], "settings": _jail(f"fail2ban_jails ({entry['name']})", entry)} for entry in entries]


def _jail(place: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    name, state = entry["name"], entry.get("state", "present")
    if not _WORD.fullmatch(name) or name.upper() in ("DEFAULT", "INCLUDES"):
        raise SettingsError(
            f"{place}: not a jail's name ({name!r}); use letters, digits and . _ -, but not DEFAULT or INCLUDES"
        )
    if state not in ("present", "absent"):
        raise SettingsError(f"{place}.state: unknown ({state!r}); use present or absent")
    values: dict[str, Any] = {}
    for key, value in entry.items():
        if key == "ignore" and value is not None:
            values["ignoreip"] = networks(place + ".ignore", value)
        elif key not in ("name", "state", "ignore") and value is not None:
            if key not in _JAIL:
                raise SettingsError(
                    f"{place}: unknown key ({key!r}); use one of name, state, ignore, {', '.join(sorted(_JAIL))}"
                )
            values[key] = _checked(f"{place}.{key}", value, _JAIL[key])
    if state == "absent" or not values.pop("enabled", True):
        return {"enabled": False}
    other = values.pop("options", {})
    clash = sorted(key for key in other if key in _RESERVED or key.replace(".", "_") in _JAIL)
    if clash:
        raise SettingsError(f"{place}.options: a setting that the jail has a key for ({clash[0]!r}); set that key")
    if "[" not in values.get("filter", "["):
        # fail2ban itself passes the mode only to the filter with the jail's name.
        values["filter"] += "[mode=%(mode)s]"
    backend = values.pop("backend", "auto" if "logpath" in values else "systemd")
    return {"enabled": True, "backend": backend, **{_own_name(key): value for key, value in values.items()}, **other}


def networks(place: str, entries: object) -> list[str]:
    """Return addresses and networks in canonical form. Raises SettingsError."""
    if not isinstance(entries, list):
        raise SettingsError(f"{place}: not a list ({entries!r}); give a list of addresses and networks")
    found = []
    for number, entry in enumerate(entries):
        try:
            if not isinstance(entry, str):
                raise ValueError
            found.append(str(ipaddress.ip_network(entry.strip())))
        except ValueError:
            raise SettingsError(
                f"{place}[{number}]: not an address or a network ({entry!r}); write it like 192.0.2.7 or 192.0.2.0/24"
            ) from None
    return found


def without_everyone(entries: Iterable[str]) -> list[str]:
    """Return addresses and networks without those of all addresses, with which no address could be banned."""
    return [entry for entry in entries if ipaddress.ip_network(entry).prefixlen > 0]
