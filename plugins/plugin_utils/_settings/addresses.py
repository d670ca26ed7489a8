# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merge lists of addresses and networks of all layers of the inventory, and report every wrong entry."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable
from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import layers as settings_layers

# Pairs of the name of a layer and its list, None for a layer without one.
Layers = Iterable[tuple[str, Any]]
Entry = dict[str, Any]

_KEYS = {"name", "address", "state"}


def merged(layers: Layers) -> list[str]:
    """Return the addresses and networks of all layers, in their order and in canonical form. Raises SettingsError.

    An entry is an address or a network, or a dictionary with a `name` and an `address` or a list of them. The name of a
    plain entry is the entry itself.
    """
    named = [(origin, _named(origin, entries)) for origin, entries in layers if entries is not None]
    found: dict[str, None] = {}
    for entry in settings_layers.by_name(named):
        if entry.get("state") != "absent":
            found.update(dict.fromkeys(entry["addresses"]))
    return list(found)


def _named(origin: str, entries: object) -> list[Entry]:
    if not isinstance(entries, list):
        raise SettingsError(f"{origin}: not a list ({entries!r}); give a list of addresses and networks")
    result: dict[str, Entry] = {}
    for number, entry in enumerate(entries):
        one = _entry(f"{origin}[{number}]", entry)
        # The same entry twice does no harm.
        if result.setdefault(one["name"], one) != one:
            raise SettingsError(f"{origin}: the same name twice ({one['name']!r}); remove one of the entries")
    return list(result.values())


def _entry(place: str, entry: object) -> Entry:
    if not isinstance(entry, dict):
        network = _network(place, entry)
        return {"name": network, "addresses": [network], "state": "present"}
    name, state = entry.get("name"), entry.get("state", "present")
    unknown = sorted(set(map(str, entry)) - _KEYS)
    if not isinstance(name, str) or not name or unknown:
        raise SettingsError(
            f"{place}: neither an address nor a named entry ({entry!r}); give an address or a network, or a dictionary "
            "with a name, an address, and optionally a state"
        )
    if state not in ("present", "absent"):
        raise SettingsError(f"{place}.state: unknown ({state!r}); use present or absent")
    if entry.get("address") is None:
        if state == "present":
            raise SettingsError(f"{place}: no address ({name!r}); add one, or set state to absent")
        # The name of a plain entry is its address.
        with contextlib.suppress(SettingsError):
            name = _network(place, name)
        return {"name": name, "state": state}
    addresses = entry["address"] if isinstance(entry["address"], list) else [entry["address"]]
    return {
        "name": name,
        "addresses": [_network(f"{place} ({name})", address) for address in addresses],
        "state": state,
    }


def _network(place: str, value: object) -> str:
    """Return an address or a network in canonical form."""
    example = "192.0.2.7, 192.0.2.0/24 or 2001:db8::/48"
    if not isinstance(value, str):
        raise SettingsError(f"{place}: not an address or a network ({value!r}); write it like {example}")
    try:
        network = ipaddress.ip_network(value.strip(), strict=False)
    except ValueError:
        raise SettingsError(f"{place}: not an address or a network ({value!r}); write it like {example}") from None
    if "%" in value or getattr(network.network_address, "ipv4_mapped", None):
        raise SettingsError(
            f"{place}: an address with an interface, or IPv4 written as IPv6 ({value!r}); write it like {example}"
        )
    try:
        ipaddress.ip_network(value.strip())
    except ValueError:
        address = value.strip().partition("/")[0]
        raise SettingsError(
            f"{place}: a network with bits set beyond its prefix ({value!r}); use {network} or {address}"
        ) from None
    return str(network.network_address if network.num_addresses == 1 else network)
