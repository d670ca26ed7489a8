# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make text from a host safe to print.

Users of a host choose names of processes, command lines, mount points and more. A control character in one of them
would clear the operator's screen, or forge a row of a table. Parsers call `escape` where a source becomes a fact, so no
other code needs to.
"""

from __future__ import annotations

import re
from typing import Match, Optional

# C0 and DEL, C1, what ends a line for some programs, what is invisible or changes the direction of text (all of
# Unicode's category Cf), and lone surrogates, which no encoding can carry.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)


def escape(text: str) -> str:
    r"""Return text in one line that a terminal prints as it is: `\x1b` and `\u2028` for what it would not."""
    # Nearly all texts are printable, and to find that out takes a tenth of the time that a search needs.
    return text if text.isprintable() else _UNSAFE.sub(_escaped, text)


def escape_or_none(text: Optional[str]) -> Optional[str]:
    """Return the text escaped, or None if there is none."""
    return None if text is None else escape(text)


def _escaped(match: Match[str]) -> str:
    number = ord(match.group())
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
