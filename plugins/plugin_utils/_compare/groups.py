# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of one purpose, by the inventory's groups: these are compared with each other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError

# A group's name and its hosts.
Group = tuple[str, list[str]]

_UNSPECIFIC = ("all", "ungrouped")


# inventory is ansible.inventory.manager.InventoryManager. Ansible has no types.
def of_inventory(inventory: Any, boxes: Iterable[str], asked: Sequence[str] = ()) -> list[Group]:
    """Return the groups of the inventory as `split` does. Raises SettingsError for a group that does not exist."""
    for name in asked:
        if name not in inventory.groups:
            known = ", ".join(sorted(set(inventory.groups) - set(_UNSPECIFIC))) or "no groups"
            raise SettingsError(f"groups: the inventory has no group {name!r}; it has {known}")
    chosen = [inventory.groups[name] for name in asked] or sorted(
        (group for group in inventory.groups.values() if group.name not in _UNSPECIFIC), key=lambda group: -group.depth
    )
    return split([(group.name, {host.name for host in group.get_hosts()}) for group in chosen], boxes, bool(asked))


def split(candidates: Iterable[tuple[str, Collection[str]]], boxes: Iterable[str], asked: bool = False) -> list[Group]:
    """Return pairs of a group's name and its hosts, with each host in one group.

    `candidates` are such pairs, the most specific group first. A host is in the first group that it shares with another
    host, and the hosts that share none are together. If the groups were `asked` for, a host is in the first group that
    has it, or in none.
    """
    left = list(boxes)
    found: list[Group] = []
    for name, members in candidates:
        here = [box for box in left if box in members]
        if here and (asked or len(here) > 1):
            found.append((name, here))
            left = [box for box in left if box not in here]
    if left and not asked:
        found.append(("all" if len(found) == 0 else "others", left))
    return found
