# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find texts that each command line has which a regular expression matches, for grep on the host."""

from __future__ import annotations

import re

# A shorter text is in too many command lines.
_SHORTEST = 4
_GROUP = re.compile(r"\((?:[^()\\]|\\.)*\)")
_TOKEN = re.compile(
    r"(?P<gap>\[\^?\]?(?:[^\]\\]|\\.)*\]|\\[A-Za-z0-9]|[.^$\s\0])|\\?(?P<character>.)",
    re.DOTALL,
)
_QUANTIFIER = re.compile(r"[*?]|\{[^}]*\}|(\+)")


def of(pattern: str) -> list[str]:
    """Return texts of which each match has at least one, and an empty list if there are none.

    Each alternative of the pattern has one. Groups are left out, and a pattern that ignores case has no such text.
    """
    if pattern.startswith("(?"):
        return []
    before = None
    while before != pattern:
        before, pattern = pattern, _GROUP.sub("\0", pattern)
    found = [max(_texts(alternative), key=len) for alternative in pattern.split("|")]
    return found if all(len(text) >= _SHORTEST for text in found) else []


def _texts(pattern: str) -> list[str]:
    """Return the texts between what stands for more than one text."""
    found, at = [""], 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None:
            break
        quantifier = _QUANTIFIER.match(pattern, token.end())
        once = quantifier is None or quantifier.group(1) is not None
        if token.group("character") is not None and once:
            found[-1] += token.group("character")
        if token.group("gap") is not None or quantifier is not None:
            found.append("")
        at = quantifier.end() if quantifier else token.end()
    return found
