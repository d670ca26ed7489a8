# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate names of systemd units, and parse the output of `systemctl show`."""

from __future__ import annotations

import fnmatch
import re
from typing import Dict, Iterable, List, Optional, Tuple, TypedDict

# The kinds of units that can be stopped.
KINDS = (".service", ".socket", ".timer", ".path")

_NAME = re.compile(r"[A-Za-z0-9:_.\\-]+(?:@[A-Za-z0-9:_.\\-]*)?\Z")
_OTHER_KIND = re.compile(r"\.(target|slice|scope|mount|automount|swap|device)\Z")
_LONGEST_NAME = 250
_RUNS = ("active", "activating", "reloading", "refreshing", "deactivating", "maintenance")


class Unit(TypedDict):
    """A unit with the properties that decide whether it can be stopped, as systemd spells them."""

    Id: str
    Names: List[str]
    LoadState: str
    ActiveState: str
    UnitFileState: str
    FragmentPath: str
    TriggeredBy: List[str]
    Triggers: List[str]
    RequiredBy: List[str]
    RequisiteOf: List[str]
    BoundBy: List[str]
    ConsistsOf: List[str]
    Requires: List[str]
    Requisite: List[str]
    BindsTo: List[str]
    Wants: List[str]


# The properties of a Unit that `systemctl show` must print.
PROPERTIES = tuple(Unit.__annotations__)


def unit_name(name: object) -> str:
    """Return the full name of a unit; a name without a kind is that of a service. Raises ValueError."""
    if not isinstance(name, str) or not _NAME.match(name) or len(name) > _LONGEST_NAME:
        raise ValueError(
            f"not a name of a unit ({name!r}); write varnish, varnish.service, apache2@.service or cups.socket"
        )
    if name.endswith(KINDS):
        return name
    kind = _OTHER_KIND.search(name)
    if kind:
        raise ValueError(f"a {kind.group(1)} ({name!r}); name a service, a socket, a timer or a path")
    return name + ".service"


def is_template(name: str) -> bool:
    """Return whether a name is that of a template, such as `apache2@.service`."""
    return "@." in name


def template_of(unit: str) -> Optional[str]:
    """Return the template that an instance is made of, or None if the unit is not an instance."""
    name, at, rest = unit.partition("@")
    return f"{name}@.{rest.rpartition('.')[2]}" if at and not is_template(unit) else None


def stem(unit: str) -> str:
    """Return a unit's name without its kind."""
    return unit.rpartition(".")[0]


def matches(unit: str, patterns: Iterable[str]) -> bool:
    """Return whether one of the patterns matches a unit's name, with or without its kind."""
    return any(fnmatch.fnmatchcase(unit, pattern) or fnmatch.fnmatchcase(stem(unit), pattern) for pattern in patterns)


def parse_show(text: str) -> List[Dict[str, str]]:
    """Return the properties of each unit that `systemctl show` printed, in their order.

    A property that is printed several times, such as `Listen`, has its values one a line.
    """
    shown = []
    for block in text.split("\n\n"):
        properties: Dict[str, List[str]] = {}
        for line in block.split("\n"):
            key, equals, value = line.partition("=")
            if equals:
                properties.setdefault(key, []).append(value)
        if properties:
            shown.append({key: "\n".join(values) for key, values in properties.items()})
    return shown


def listens(properties: Dict[str, str]) -> List[Tuple[str, str]]:
    """Return the kind (`Stream`, `Datagram` and others) and the address of each socket of a socket unit.

    systemd prints `Listen=[::]:22 (Stream)`, and printed `ListenStream=[::]:22` in old versions.
    """
    found = []
    for key, value in properties.items():
        for line in value.split("\n") if key.startswith("Listen") else ():
            address, blank, kind = line.rpartition(" ")
            if key == "Listen" and blank and kind.startswith("(") and kind.endswith(")"):
                found.append((kind[1:-1], address))
            elif line:
                found.append((key[len("Listen") :], line))
    return found


def stream_addresses(properties: Dict[str, str]) -> List[str]:
    """Return the addresses at which a socket unit accepts connections."""
    return [address for kind, address in listens(properties) if kind == "Stream"]


def parse_units(text: str) -> List[Unit]:
    """Return the units that `systemctl show --property=PROPERTIES` printed, without blocks that have no name."""
    found = []
    for properties in parse_show(text):
        if "Id" in properties:
            values = {key: properties.get(key, "") for key in PROPERTIES}
            found.append(_unit(values))
    return found


def exists(unit: Unit) -> bool:
    """Return whether there is such a unit. A masked one counts, because the file behind the mask is unknown."""
    return unit["LoadState"] not in ("not-found", "")


def runs(unit: Unit) -> bool:
    """Return whether a unit is active, or about to become active or inactive."""
    return unit["ActiveState"] in _RUNS


def _unit(values: Dict[str, str]) -> Unit:
    return Unit(
        Id=values["Id"],
        Names=values["Names"].split(),
        LoadState=values["LoadState"],
        ActiveState=values["ActiveState"],
        UnitFileState=values["UnitFileState"],
        FragmentPath=values["FragmentPath"],
        TriggeredBy=values["TriggeredBy"].split(),
        Triggers=values["Triggers"].split(),
        RequiredBy=values["RequiredBy"].split(),
        RequisiteOf=values["RequisiteOf"].split(),
        BoundBy=values["BoundBy"].split(),
        ConsistsOf=values["ConsistsOf"].split(),
        Requires=values["Requires"].split(),
        Requisite=values["Requisite"].split(),
        BindsTo=values["BindsTo"].split(),
        Wants=values["Wants"].split(),
    )
