# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which boxes may be away at the same time: at most so many, and of no group more than a share."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError

# Every box is in these, and they say nothing of what it is for. A box that is in no other group is counted among all.
_EVERYBODY = ("all", "ungrouped")


def batches(wanted, away, groups, serial, share):
    """The boxes V(wanted) in batches, in their order, and why others are left: a list of lists, and texts by box.

    V(away) are boxes that don't do their work: they are down, or were not rescued. V(groups) maps a group's name to its boxes, V(serial)
    is how many boxes may be worked on at once, V(share) how many percent of a group may be away, those of V(away) included; one may
    always, where none is. Raises SettingsError.
    """
    serial, share = _serial(serial), _share(share)
    membership = _membership(wanted, groups)
    room = {
        name: max(1, len(members) * share // 100) - len(set(away) & set(members)) for name, members in groups.items()
    }
    made, taken, left = [], [], {}
    for box in wanted:
        full = [name for name in membership[box] if room[name] < 1]
        if full:
            left[box] = _reason(full[0], groups[full[0]], away, share)
            continue
        number = next(
            (
                number
                for number, batch in enumerate(made)
                if len(batch) < serial and all(taken[number].get(name, 0) < room[name] for name in membership[box])
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


def _membership(boxes, groups):
    found = {}
    for box in boxes:
        names = [name for name, members in groups.items() if box in members]
        found[box] = [name for name in names if name not in _EVERYBODY] or [name for name in names if name == "all"]
    return found


def _reason(name, members, away, share):
    gone = [box for box in members if box in set(away)]
    return f"{len(gone)} of the {len(members)} boxes of {name} {'is' if len(gone) == 1 else 'are'} away already ({', '.join(gone[:5]) + (', ...' if len(gone) > 5 else '')}), and at most {max(1, int(len(members) * share // 100))} may be (lifeline_rescue_share: {share:g} %)"


def _serial(value):
    if isinstance(value, bool) or not str(value).strip().isdecimal() or int(value) < 1:
        raise SettingsError(f"lifeline_rescue_serial is {value!r}: it must be a whole number of boxes, 1 or more")
    return int(value)


def _share(value):
    try:
        number = float(str(value).strip().rstrip("%"))
    except ValueError:
        number = 0
    if isinstance(value, bool) or not 0 < number <= 100:
        raise SettingsError(
            f"lifeline_rescue_share is {value!r}: it must be a number of percent, more than 0 and at most 100"
        )
    return number
