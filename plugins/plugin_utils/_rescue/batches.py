# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the hosts that may be away at the same time: at most a number of them, and at most a share of each group."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import numbers

# These groups contain every host, so they say nothing about its purpose. A host in no other group counts in "all".
_OF_ALL_HOSTS = ("all", "ungrouped")


def batches(
    wanted: Sequence[str], away: Collection[str], groups: Mapping[str, Collection[str]], serial: object, share: object
) -> tuple[list[list[str]], dict[str, str]]:
    """Return the hosts `wanted` in batches, in their order, and the reasons why others are left, by host.

    `away` are hosts that don't do their work: they are down, or were not rescued. `groups` maps a group's name to its
    hosts. `serial` is how many hosts may be worked on at once. `share` is how many percent of a group may be away,
    including those of `away`; one host always may be away. Raises SettingsError.
    """
    most = numbers.whole("lifeline_rescue_serial", serial, 1, "boxes")
    percent = numbers.positive("lifeline_rescue_share", share, 100, "percent")
    membership = _membership(wanted, groups)
    room = {
        name: max(1, int(len(members) * percent // 100)) - len(set(away) & set(members))
        for name, members in groups.items()
    }
    made: list[list[str]] = []
    taken: list[dict[str, float]] = []
    left: dict[str, str] = {}
    for box in wanted:
        full = [name for name in membership[box] if room[name] < 1]
        if full:
            left[box] = _reason(full[0], groups[full[0]], away, percent)
            continue
        number = next(
            (
                number
                for number, batch in enumerate(made)
                if len(batch) < most and all(taken[number].get(name, 0) < room[name] for name in membership[box])
            ),
            None,
        )
        if number is None:
            number = len(made)
            made.append([])
            taken.append({})
        made[number].append(box)
        for name in membership[box]:
            taken[number][name] = taken[number].get(name, 0) + 1
    return made, left


def _membership(boxes: Iterable[str], groups: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    found = {}
    for box in boxes:
        names = [name for name, members in groups.items() if box in members]
        found[box] = [name for name in names if name not in _OF_ALL_HOSTS] or [name for name in names if name == "all"]
    return found


def _reason(name: str, members: Collection[str], away: Collection[str], share: float) -> str:
    gone = [box for box in members if box in set(away)]
    shown = ", ".join(gone[:5]) + (", ..." if len(gone) > 5 else "")
    return (
        f"{len(gone)} of the {len(members)} boxes of {name} {'is' if len(gone) == 1 else 'are'} away already "
        f"({shown}), and at most {max(1, int(len(members) * share // 100))} may be (lifeline_rescue_share: {share:g} %)"
    )
