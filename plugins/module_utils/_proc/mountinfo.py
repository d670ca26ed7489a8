# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse /proc/PID/mountinfo."""

from __future__ import annotations

import functools
import re
from typing import Match, NamedTuple, Optional, Tuple

SOURCES = ("/proc/self/mountinfo",)

_NUMBER = re.compile(r"[0-9]{1,18}\Z")
_DEVICE = re.compile(r"[0-9]{1,10}:[0-9]{1,10}\Z")
_OCTAL = re.compile(r"\\([0-7]{3})")
_BYTE = re.compile(rb"\\(?:([0-7]{3})|x([0-9a-f]{2}))")


class Mount(NamedTuple):
    """One mount: `device` is major:minor, `raw` the mount point as the kernel escapes it, `point` as it is."""

    id: int
    parent: int
    device: str
    root: str
    raw: str
    point: str
    options: Tuple[str, ...]
    type: str
    source: str
    super_options: Tuple[str, ...]


def unescape(text: str) -> str:
    """Return a field of mountinfo as it is: the kernel escapes blanks, tabs, line breaks, backslashes and `#`."""
    return _OCTAL.sub(lambda match: chr(int(match.group(1), 8) & 0xFF), text)


def path_bytes(raw: str) -> bytes:
    r"""Return the bytes of a path from its field in mountinfo, for a system call.

    The kernel writes a backslash only in its escapes, so a `\xff` can only be from our decoder.
    """
    return _BYTE.sub(_byte, raw.encode("utf-8", "surrogatepass"))


def _byte(match: Match[bytes]) -> bytes:
    octal, hexadecimal = match.groups()
    return bytes([int(octal, 8) & 0xFF if octal else int(hexadecimal, 16)])


@functools.lru_cache(maxsize=1)
def parse(text: Optional[str]) -> Tuple[Mount, ...]:
    """Return all mounts in their order. A line that is not a mount is left out."""
    mounts = []
    for line in (text or "").split("\n"):
        # Two blanks in a row are an empty source, so only the single blank separates fields.
        fields = line.split(" ")
        try:
            dash = fields.index("-", 6)
            number, parent, device, root, raw, options = fields[:6]
            kind, source, super_options = fields[dash + 1 : dash + 4]
        except ValueError:
            continue
        if _NUMBER.match(number) and _NUMBER.match(parent) and _DEVICE.match(device):
            mounts.append(
                Mount(
                    int(number),
                    int(parent),
                    device,
                    unescape(root),
                    raw,
                    unescape(raw),
                    tuple(options.split(",")),
                    unescape(kind),
                    unescape(source),
                    tuple(super_options.split(",")),
                )
            )
    return tuple(mounts)
