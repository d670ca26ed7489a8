# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One variable's values on all its layers, where Ansible itself hands out only the topmost."""

from __future__ import annotations

from ansible.inventory.helpers import sort_groups
from ansible.vars.plugins import get_vars_from_inventory_sources, get_vars_from_path

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError


def layers(name, task_vars):
    """Pairs of a layer's name and V(name)'s raw value there, the least specific first: all, groups, host, then the play.

    Read are the inventory and the C(group_vars) and C(host_vars) beside it and beside the play; the last pair is what Ansible
    itself would take, extra variables included. A layer that doesn't set the variable is left out.
    """
    found = []
    hostvars = task_vars.get("hostvars")
    host = None if hostvars is None else hostvars._inventory.get_host(task_vars["inventory_hostname"])
    if host is not None:
        for entity in _entities(host, hostvars._inventory):
            for values in _values(entity, hostvars, task_vars.get("ansible_search_path", ())):
                if name in values:
                    found.append((f"{name} of {entity.name}", values[name]))
    if name in task_vars:
        found.append((name, task_vars[name]))
    return found


def _entities(host, inventory):
    groups = sort_groups(group for group in host.get_groups() if group.name != "all")
    return [inventory.groups["all"], *groups, host]


def _values(entity, hostvars, search_path):
    """The variables that the inventory holds for a group or host, then those of the files beside it and beside the play."""
    # A host's own get_vars() adds magic variables, which are not wanted and not free.
    yield entity.vars
    yield get_vars_from_inventory_sources(hostvars._loader, hostvars._inventory._sources, [entity], "task")
    for path in search_path:
        yield get_vars_from_path(hostvars._loader, path, [entity], "task")


def by_name(layers):
    """One list of dictionaries out of V(layers), pairs of a layer's name and its list: entries of one name are one.

    A later entry replaces, key by key, what the entries of its name before it said. Raises SettingsError with a sentence that names
    the layer, the entry and what would be right.
    """
    merged = {}
    for origin, entries in layers:
        if entries is None:
            continue
        if not isinstance(entries, list):
            raise SettingsError(f"{origin} is {entries!r}: it must be a list of dictionaries with a name each")
        names = []
        for number, entry in enumerate(entries):
            name = entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str) or not name:
                raise SettingsError(f"{origin}[{number}] is {entry!r}: it must be a dictionary with a name")
            if name in names:
                raise SettingsError(f"{origin} names {name!r} twice: a name may stand once in each layer")
            names.append(name)
            merged.setdefault(name, {}).update(entry)
    return list(merged.values())
