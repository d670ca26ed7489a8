# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes that a log writes as escapes."""

from __future__ import annotations

import re

_HEX = re.compile(r"(?:\\x[0-9a-fA-F]{2})+")
OCTAL = re.compile(r"#0([0-3][0-7])")
BAD_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\x")


def _from_hex(match):
    return bytes.fromhex(match.group().replace("\\x", "")).decode("utf-8", "backslashreplace")


def unescape(text):
    """What C(/dev/kmsg) writes as C(\\x0a) or C(\\x5c) as the bytes that it stands for; bytes that are no text stay
    C(\\xff)."""
    return _HEX.sub(_from_hex, text) if "\\x" in text else text


def readable(text):
    """Names as people would write them: UTF-8 that a tool wrote as C(\\xc3\\xa9) is a letter again, anything else
    stays."""

    def decode(match):
        data = bytes.fromhex(match.group().replace("\\x", ""))
        try:
            decoded = data.decode("utf-8")
        except ValueError:
            return match.group()
        return decoded if data[0] >= 0x80 else match.group()

    return re.sub(r"(?:\\x[89a-fA-F][0-9a-fA-F])+", decode, text) if "\\x" in text else text
