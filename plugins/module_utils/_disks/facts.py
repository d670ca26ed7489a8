# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file systems of a box: each real one once, with its space and inodes counted as df counts them."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from ansible_collections.lifeline.fleet.plugins.module_utils._disks import mounts
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import mountinfo

SOURCES = mountinfo.SOURCES

_ANSWER = re.compile(r"(?:(?P<failure>hung|error)|(?P<figures>(?:\S{1,20} ){6}\S{1,20})) (?P<point>/.*)\Z")
_NUMBER = re.compile(r"-?[0-9]{1,20}\Z")
# These make inodes of free space, so both run out together.
_INODES_FROM_SPACE = ("xfs", "zfs", "btrfs", "bcachefs", "9p", "ntfs", "ntfs3")
_UNKNOWN = (1 << 64) - 1
_NO_FIGURES = dict.fromkeys(
    (
        "size_bytes",
        "used_bytes",
        "available_bytes",
        "reserved_bytes",
        "used_percent",
        "inodes_total",
        "inodes_used",
        "inodes_available",
        "inodes_used_percent",
    )
)


class Space(NamedTuple):
    """What a file system said of itself, in bytes and inodes; None is what it doesn't know."""

    total: Optional[int]
    free: Optional[int]
    available: Optional[int]
    inodes: Optional[int]
    inodes_free: Optional[int]


def parse(sources):
    """The facts. What the mounts answered is in the source C(statfs), a line each: fragment size, block size, blocks,
    free ones, free ones for users, inodes, free ones, and the mount point; or C(hung) or C(error), and the mount point.
    A mount that wasn't asked has no line."""
    groups = mounts.file_systems(mountinfo.parse(sources.get(SOURCES[0])))
    answers = parse_statfs(sources.get("statfs"), [group[0].point for group in groups])
    shown = []
    for group in groups:
        answer = answers.get(group[0].point)
        # df leaves out what has no blocks at all, as it isn't meant to hold anything.
        if group[0].point == "/" or not (isinstance(answer, Space) and answer.total == 0):
            shown.append((group, answer))
    shown = _each_space_once(shown)
    shown.sort(key=lambda entry: entry[0][0].point)
    return {
        "filesystems": [_facts(group, answer) for group, answer in shown],
        "hung": [group[0].point for group, answer in shown if answer == "hung"],
        "unreadable": sum(1 for _group, answer in shown if answer == "error"),
        "deleted": None,
    }


def parse_statfs(text, points):
    """What each of the mount points V(points) answered, as far as it is in the text: a Space, C(hung), or C(error)."""
    broken = {}
    for point in points:
        if "\n" in point:
            first, _newline, rest = point.partition("\n")
            broken.setdefault(first, []).append(rest.split("\n"))
    answers = {}
    lines = (text or "").split("\n")
    at = 0
    while at < len(lines):
        answer = _ANSWER.match(lines[at])
        at += 1
        if answer is None:
            continue
        point = answer.group("point")
        # A newline in a mount point is a newline in its line, and what follows might pass for another's answer.
        for rest in sorted(broken.get(point, ()), key=len, reverse=True):
            if lines[at : at + len(rest)] == rest:
                point = "\n".join([point] + rest)
                at += len(rest)
                break
        answers.setdefault(point, answer.group("failure") or _space(answer.group("figures").split(" ")))
    return answers


def used_percent(used, available):
    """The share in use of what users can have, rounded up to an integer as df does; None where df prints a dash."""
    if used is None or available is None or used + available == 0:
        return None
    share = -(-100 * used // (used + available))
    return float(share) if share >= 0 else None


def _space(words):
    fragment, block, total, free, available, inodes, inodes_free = [
        int(word) if _NUMBER.match(word) and int(word) != _UNKNOWN else None for word in words
    ]
    unit = fragment if fragment and fragment > 0 else block
    if not unit or unit < 0 or total is None:
        return "error"
    if available is not None and available >= 1 << 63:
        # Users may have less than nothing: others have taken from the reserve.
        available -= 1 << 64
    total, free, available = [None if count is None else count * unit for count in (total, free, available)]
    return Space(total, free, available, inodes, inodes_free)


def _facts(group, answer):
    mount = group[0]
    facts = {
        "mount": mount.point,
        "device": mount.source,
        "type": mount.type,
        "kind": mounts.kind(mount),
        "options": _options(mount),
        "read_only": not any(mounts.can_be_written(other) for other in group),
        "read_only_by_error": all(mounts.is_read_only_by_error(other) for other in group),
        "always_full": mounts.is_always_full(mount),
        "readable": isinstance(answer, Space),
        "hung": answer == "hung",
        "failed": answer == "error",
        "inodes_from_space": mount.type in _INODES_FROM_SPACE,
        "source": SOURCES[0],
    }
    facts.update(_figures(answer) if isinstance(answer, Space) else _NO_FIGURES)
    return facts


def _figures(space):
    used = None if space.free is None else space.total - space.free
    reserved = None if space.free is None or space.available is None else max(0, space.free - space.available)
    inodes_used = None if not space.inodes or space.inodes_free is None else space.inodes - space.inodes_free
    return {
        "size_bytes": space.total,
        "used_bytes": used,
        "available_bytes": space.available,
        "reserved_bytes": reserved,
        "used_percent": used_percent(used, space.available),
        "inodes_total": space.inodes or None,
        "inodes_used": inodes_used,
        "inodes_available": space.inodes_free if space.inodes else None,
        "inodes_used_percent": None if inodes_used is None else used_percent(inodes_used, space.inodes_free),
    }


def _options(mount):
    """The mount's own options, then those of its file system; the first says whether it can be written to."""
    options = dict.fromkeys(("rw" if mounts.can_be_written(mount) else "ro",) + mount.options + mount.super_options)
    return [option for option in options if option == next(iter(options)) or option not in ("", "ro", "rw")]


def _each_space_once(shown):
    """Leave out what shows the space of another: what lies under the overlay of a container, and what shares a pool."""
    root = next(
        (
            (group[0], answer)
            for group, answer in shown
            if group[0].point == "/" and mounts.kind(group[0]) == "overlay" and isinstance(answer, Space)
        ),
        None,
    )
    if root is not None:
        shown = [
            (group, answer) for group, answer in shown if group[0] is root[0] or not _is_under(root, group[0], answer)
        ]
    # Only in the fullest of the data sets that share a pool's free space does a percentage tell how full the pool is.
    fullest = {}
    for group, answer in shown:
        pool = _pool(group[0], answer)
        if pool is not None and (pool not in fullest or _used(answer) > _used(fullest[pool])):
            fullest[pool] = answer
    return [
        (group, answer)
        for group, answer in shown
        if group[0].point == "/" or fullest.get(_pool(group[0], answer), answer) is answer
    ]


def _is_under(root, mount, answer):
    """Whether an overlay lies on this file system: the numbers are the same, but for what was written meanwhile."""
    overlay, expected = root
    if not isinstance(answer, Space) or answer.total != expected.total or answer.free is None or expected.free is None:
        return False
    if abs(answer.free - expected.free) * 256 > expected.total:
        return False
    upper = mounts.upper_directory(overlay) or ""
    return mount.root != "/" or upper.startswith(mount.point.rstrip("/") + "/")


def _pool(mount, answer):
    """What the data sets have in common that share the free space of one ZFS pool; a quota gives a data set its own."""
    if mount.type != "zfs" or not isinstance(answer, Space):
        return None
    return mount.source.split("/")[0], answer.available


def _used(space):
    return -1 if space.free is None else space.total - space.free
