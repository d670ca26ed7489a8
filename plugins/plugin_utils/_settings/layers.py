# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of one variable on all layers of the inventory. Ansible itself returns only the topmost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible.inventory.helpers import sort_groups
from ansible.vars.plugins import get_vars_from_inventory_sources, get_vars_from_path

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError

# A layer's name, and what it sets. Ansible has no types, and variables can hold anything.
Layer = tuple[str, Any]
Entry = dict[str, Any]


def layers(name: str, task_vars: Mapping[str, Any]) -> list[Layer]:
    """Return pairs of a layer's name and the raw value of a variable there, least specific first.

    The order is all, groups, host, play. The layers are the inventory and the group_vars and host_vars beside it and
    beside the play. The last pair is the value that Ansible itself uses, extra variables included. A layer that does
    not set the variable is left out.
    """
    found = []
    hostvars: Any = task_vars.get("hostvars")
    host = None if hostvars is None else hostvars._inventory.get_host(task_vars["inventory_hostname"])
    if host is not None:
        for entity in _entities(host, hostvars._inventory):
            for values in _values(entity, hostvars, task_vars.get("ansible_search_path", ())):
                if name in values:
                    found.append((f"{name} of {entity.name}", values[name]))
    if name in task_vars:
        found.append((name, task_vars[name]))
    return found


def _entities(host: Any, inventory: Any) -> list[Any]:
    """Return the groups of a host and the host itself, least specific first."""
    groups = sort_groups(group for group in host.get_groups() if group.name != "all")
    return [inventory.groups["all"], *groups, host]


def _values(entity: Any, hostvars: Any, search_path: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the variables of a group or host: those in the inventory, then those in files beside it and the play."""
    # A host's get_vars() also builds the magic variables, which takes time and is not needed.
    yield entity.vars
    yield get_vars_from_inventory_sources(hostvars._loader, hostvars._inventory._sources, [entity], "task")
    for path in search_path:
        yield get_vars_from_path(hostvars._loader, path, [entity], "task")


def by_name(layers: Iterable[Layer]) -> list[Entry]:
    """Return one list of dictionaries for the lists of all layers, with one entry per name.

    A later entry replaces, key by key, the earlier entries of its name. Raises SettingsError.
    """
    merged: dict[str, Entry] = {}
    for origin, entries in layers:
        if entries is None:
            continue
        if not isinstance(entries, list):
            raise SettingsError(f"{origin}: not a list ({entries!r}); give a list of dictionaries with a name each")
        names = []
        for number, entry in enumerate(entries):
            name = entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str) or not name:
                raise SettingsError(f"{origin}[{number}]: no name ({entry!r}); give a dictionary with a name")
            if name in names:
                raise SettingsError(f"{origin}: the same name twice ({name!r}); use it once in each layer")
            names.append(name)
            merged.setdefault(name, {}).update(entry)
    return list(merged.values())
