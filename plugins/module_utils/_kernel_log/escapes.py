# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decode the escapes that logs write for bytes."""

from __future__ import annotations

import re

_HEX = re.compile(r"(?:\\x[0-9a-fA-F]{2})+")
OCTAL = re.compile(r"#0([0-3][0-7])")
BAD_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\x")


def _from_hex(match: re.Match[str]) -> str:
    return bytes.fromhex(match.group().replace("\\x", "")).decode("utf-8", "backslashreplace")


def unescape(text: str) -> str:
    r"""Return text with the escapes of `/dev/kmsg`, such as `\x0a`, decoded; bytes that are no UTF-8 stay `\xff`."""
    return _HEX.sub(_from_hex, text) if "\\x" in text else text


def readable(text: str) -> str:
    r"""Return a name with letters that a tool wrote as `\xc3\xa9` decoded from UTF-8; any other escape stays."""

    def decode(match: re.Match[str]) -> str:
        data = bytes.fromhex(match.group().replace("\\x", ""))
        try:
            decoded = data.decode("utf-8")
        except ValueError:
            return match.group()
        return decoded if data[0] >= 0x80 else match.group()

    return re.sub(r"(?:\\x[89a-fA-F][0-9a-fA-F])+", decode, text) if "\\x" in text else text
