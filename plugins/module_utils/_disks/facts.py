# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse the file systems of a host into the facts `lifeline_disks`: each real one once, counted as df counts."""

from __future__ import annotations

import re
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Sources
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import (
    Disks,
    FileSystem,
    FileSystemSpace,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._disks import mounts
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import mountinfo
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.mountinfo import Mount

SOURCES = mountinfo.SOURCES

_LINE = re.compile(r"(?:(?P<failure>hung|error|denied)|(?P<figures>(?:\S{1,20} ){6}\S{1,20})) (?P<point>/.*)\Z")
_NUMBER = re.compile(r"-?[0-9]{1,20}\Z")
# These make inodes of free space, so both run out together.
_INODES_FROM_SPACE = ("xfs", "zfs", "btrfs", "bcachefs", "9p", "ntfs", "ntfs3")
_UNKNOWN = (1 << 64) - 1
_MOST_CONTINUED = 16
_NO_FIGURES: FileSystemSpace = {
    "size_bytes": None,
    "used_bytes": None,
    "available_bytes": None,
    "reserved_bytes": None,
    "used_percent": None,
    "inodes_total": None,
    "inodes_used": None,
    "inodes_available": None,
    "inodes_used_percent": None,
}


class Space(NamedTuple):
    """The size and use of a file system, in bytes and inodes; None for a value that it does not know."""

    total: Optional[int]
    free: Optional[int]
    available: Optional[int]
    inodes: Optional[int]
    inodes_free: Optional[int]


_Answer = Union[Space, str]
_Shown = List[Tuple[List[Mount], Optional[_Answer]]]


def parse(sources: Sources) -> Disks:
    """Return the facts about file systems.

    The source `statfs` has a line for each mount that was asked: fragment size, block size, blocks, free blocks, free
    blocks for users, inodes, free inodes, and the mount point; or `hung`, `error` or `denied`, and the mount point.
    """
    groups = mounts.file_systems(mountinfo.parse(sources.get(SOURCES[0])))
    answers = parse_statfs(sources.get("statfs"), [group[0].point for group in groups])
    shown: _Shown = []
    for group in groups:
        answer = answers.get(group[0].point)
        # df leaves out a file system without blocks: it is not meant to hold anything.
        if group[0].point == "/" or not (isinstance(answer, Space) and answer.total == 0):
            shown.append((group, answer))
    shown = _each_space_once(shown)
    shown.sort(key=lambda entry: entry[0][0].point)
    return {
        "filesystems": [_facts(group, answer) for group, answer in shown],
        "hung": [escape(group[0].point) for group, answer in shown if answer == "hung"],
        "unreadable": sum(1 for _group, answer in shown if answer in ("error", "denied")),
        "deleted": None,
    }


def parse_statfs(text: Optional[str], points: Iterable[str]) -> Dict[str, _Answer]:
    """Return the answer of each mount point in the text: a Space, or one of the words hung, error and denied."""
    continued: Dict[str, List[List[str]]] = {}
    for point in points:
        first, newline, rest = point.partition("\n")
        if newline:
            continued.setdefault(first, []).append(rest.split("\n"))
    for rests in continued.values():
        rests.sort(key=len, reverse=True)
        # More mount points of this kind can only be an attempt to confuse the parser.
        del rests[_MOST_CONTINUED:]
    answers: Dict[str, _Answer] = {}
    lines = (text or "").split("\n")
    at = 0
    while at < len(lines):
        answer = _LINE.match(lines[at])
        at += 1
        if answer is None:
            continue
        point = answer.group("point")
        # A mount point with a line break takes several lines, and the next one could pass for another mount's answer.
        for following in continued.get(point, ()):
            if lines[at : at + len(following)] == following:
                point = "\n".join([point, *following])
                at += len(following)
                break
        answers.setdefault(point, answer.group("failure") or _space(answer.group("figures").split(" ")))
    return answers


def used_percent(used: Optional[int], available: Optional[int]) -> Optional[float]:
    """Return the share in use of what users can have, rounded up as df does; None if df prints a dash."""
    if used is None or available is None or used + available == 0:
        return None
    share = -(-100 * used // (used + available))
    return float(share) if share >= 0 else None


def _space(words: Sequence[str]) -> _Answer:
    fragment, block, total, free, available, inodes, inodes_free = [
        int(word) if _NUMBER.match(word) and int(word) != _UNKNOWN else None for word in words
    ]
    unit = fragment if fragment and fragment > 0 else block
    if not unit or unit < 0 or total is None:
        return "error"
    if available is not None and available >= 1 << 63:
        # Negative: root has written to the space that is reserved for it.
        available -= 1 << 64
    return Space(total * unit, _times(free, unit), _times(available, unit), inodes, inodes_free)


def _times(count: Optional[int], unit: int) -> Optional[int]:
    return None if count is None else count * unit


def _facts(group: Sequence[Mount], answer: Optional[_Answer]) -> FileSystem:
    mount = group[0]
    space = _figures(answer) if isinstance(answer, Space) else _NO_FIGURES
    return {
        "mount": escape(mount.point),
        "device": escape(mount.source),
        "type": escape(mount.type),
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
        "size_bytes": space["size_bytes"],
        "used_bytes": space["used_bytes"],
        "available_bytes": space["available_bytes"],
        "reserved_bytes": space["reserved_bytes"],
        "used_percent": space["used_percent"],
        "inodes_total": space["inodes_total"],
        "inodes_used": space["inodes_used"],
        "inodes_available": space["inodes_available"],
        "inodes_used_percent": space["inodes_used_percent"],
    }


def _figures(space: Space) -> FileSystemSpace:
    used = None if space.free is None or space.total is None else space.total - space.free
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


def _options(mount: Mount) -> List[str]:
    """Return the options of the mount, then those of its file system; the first says whether it can be written to."""
    options = dict.fromkeys(("rw" if mounts.can_be_written(mount) else "ro",) + mount.options + mount.super_options)
    return [escape(option) for option in options if option == next(iter(options)) or option not in ("", "ro", "rw")]


def _each_space_once(shown: _Shown) -> _Shown:
    """Leave out file systems that show another one's space: below the overlay of a container, or in the same pool."""
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
    # Data sets share the free space of their pool, so only the fullest shows how full the pool is.
    fullest: Dict[Tuple[str, Optional[int]], Space] = {}
    for group, answer in shown:
        pool = _pool(group[0], answer)
        if pool is None or not isinstance(answer, Space):
            continue
        if pool not in fullest or _used(answer) > _used(fullest[pool]):
            fullest[pool] = answer
    kept: _Shown = []
    for group, answer in shown:
        pool = _pool(group[0], answer)
        if group[0].point == "/" or pool is None or fullest[pool] is answer:
            kept.append((group, answer))
    return kept


def _is_under(root: Tuple[Mount, Space], mount: Mount, answer: Optional[_Answer]) -> bool:
    """Return whether an overlay lies on a file system: the numbers are the same, except for writes in between."""
    overlay, expected = root
    if not isinstance(answer, Space) or answer.total is None or answer.total != expected.total:
        return False
    if answer.free is None or expected.free is None:
        return False
    if abs(answer.free - expected.free) * 256 > answer.total:
        return False
    upper = mounts.upper_directory(overlay) or ""
    return mount.root != "/" or upper.startswith(mount.point.rstrip("/") + "/")


def _pool(mount: Mount, answer: Optional[_Answer]) -> Optional[Tuple[str, Optional[int]]]:
    """Return what data sets that share the free space of a ZFS pool have in common. One with a quota has its own."""
    if mount.type != "zfs" or not isinstance(answer, Space):
        return None
    return mount.source.split("/")[0], answer.available


def _used(space: Space) -> int:
    return -1 if space.free is None or space.total is None else space.total - space.free
