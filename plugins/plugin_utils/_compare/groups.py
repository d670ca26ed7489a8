# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boxes of one purpose, by the inventory's groups: those are compared with each other."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError

_EVERYBODY = ("all", "ungrouped")


def of_inventory(inventory, boxes, asked=()):
    """As C(split), of Ansible's inventory. Raises SettingsError for a group that it doesn't have."""
    for name in asked:
        if name not in inventory.groups:
            raise SettingsError(
                f"groups: the inventory has no group {name!r}: it has {', '.join(sorted(set(inventory.groups) - set(_EVERYBODY))) or 'none'}"
            )
    chosen = [inventory.groups[name] for name in asked] or sorted(
        (group for group in inventory.groups.values() if group.name not in _EVERYBODY), key=lambda group: -group.depth
    )
    return split([(group.name, {host.name for host in group.get_hosts()}) for group in chosen], boxes, bool(asked))


def split(candidates, boxes, asked=False):
    """Pairs of a group's name and its boxes; each box stands once. V(candidates) are such pairs, the most specific group first.

    A box is in the most specific group that it shares with another one, and those that share none are together; where V(asked) names
    groups, in the first of these.
    """
    left, found = list(boxes), []
    for name, members in candidates:
        here = [box for box in left if box in members]
        if here and (asked or len(here) > 1):
            found.append((name, here))
            left = [box for box in left if box not in here]
    if left and not asked:
        found.append(("all" if len(found) == 0 else "others", left))
    return found
