# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the messages that `journalctl` writes over several lines: its formats json-pretty, verbose and export."""

from __future__ import annotations

import re
from typing import Dict, Iterator, List, Union

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.shippers import JOURNAL_KEYS, loads

Fields = Dict[str, object]
# A line of text, or the fields of a message.
Item = Union[str, Fields]

_NAME = r"_{0,2}[A-Z][A-Z0-9_]{0,63}"
_FIELD = re.compile(rf"(\s*)({_NAME})=(.*)", re.DOTALL)
_BINARY = re.compile(rf"{_NAME}$")
# Fri 2026-11-20 22:20:29.123456 UTC [s=..;i=..;b=..;m=..;t=<microseconds since 1970, hexadecimal>;x=..]
_CURSOR = re.compile(r"[^\[\]]{8,60} \[(?:\w=[0-9a-f]{1,32};?){2,8}\]\s*$")
_REAL_TIME = re.compile(r"[\[;]t=([0-9a-f]{1,16})[;\]]")
_MEMBER = re.compile(rf'\s*"({_NAME})"\s?:\s?(.*)', re.DOTALL)
_ESCAPED_BYTE = re.compile(rb"\\x([89a-f][0-9a-f])")
_LONGEST_OBJECT = 5000  # lines: a message that is no text is a list with a line per byte
_LONGEST_VALUE = 1 << 14


def items(lines: List[str]) -> Iterator[Item]:
    """Yield the lines of a log in their order, with the lines of one message replaced by its fields."""
    position = 0
    while position < len(lines):
        line = lines[position]
        stripped = line.strip()
        if stripped in ("{", "[{"):
            found, position = _object(lines, position)
        elif stripped.startswith('"') and _MEMBER.match(line):
            found, position = _members(lines, position)
        elif stripped.endswith("]") and _CURSOR.match(line):
            found, position = _verbose(lines, position)
        elif "=" in line and _FIELD.match(line) and not (line[0] == " " and line[1:2] != " "):
            # One blank stands in front of the fields of /dev/kmsg.
            found, position = _fields(lines, position, {})
        else:
            found, position = [line], position + 1
        yield from found


def _object(lines: list[str], start: int) -> tuple[list[Item], int]:
    """Read a JSON object that begins with a line of its own."""
    depth, indent = 0, _indent(lines[start])
    end = start
    while end < min(len(lines), start + _LONGEST_OBJECT):
        line = lines[end]
        if end > start and line.strip() == "{" and _indent(line) <= indent:
            # The object before was cut.
            break
        depth += _depth(line)
        end += 1
        if depth <= 0:
            break
    entry = loads("\n".join(lines[start:end]).strip().lstrip("[").rstrip(",]")) if depth == 0 else None
    if isinstance(entry, dict):
        journal = any(key in entry for key in JOURNAL_KEYS)
        return [entry] if journal else list(lines[start:end]), end
    return _parts(lines, start, end), end


def _parts(lines: list[str], start: int, end: int) -> list[Item]:
    """Return what can be read of the lines of an object that was cut or is damaged."""
    found: list[Item] = []
    while start < end:
        if _MEMBER.match(lines[start]):
            part, start = _members(lines, start, end)
            found += part
        else:
            found.append(lines[start])
            start += 1
    return found


def _members(lines: list[str], start: int, end: int | None = None) -> tuple[list[Item], int]:
    """Read the members of an object whose beginning or end is missing, one per line."""
    fields: Fields = {}
    position = start
    while position < (len(lines) if end is None else end):
        match = _MEMBER.match(lines[position])
        if match is None or match.group(1) in fields:
            break
        text = match.group(2).rstrip(" \t\r,")
        value = loads(text)
        fields[match.group(1)] = text.lstrip('"') if value is None else value
        position += 1
    return _message(fields, lines, start, position), position


def _verbose(lines: list[str], start: int) -> tuple[list[Item], int]:
    """Read a message that begins with its time and its cursor."""
    time = _REAL_TIME.search(lines[start])
    fields: Fields = {"__REALTIME_TIMESTAMP": str(int(time.group(1), 16))} if time else {}
    found, end = _fields(lines, start + 1, fields)
    return (found, end) if end > start + 1 else ([lines[start]], start + 1)


def _fields(lines: list[str], start: int, fields: Fields) -> tuple[list[Item], int]:
    """Read the fields of a message, each `NAME=value`.

    In the format verbose, a value's further lines are indented as far as its first one. In the format export, a value
    with control characters stands behind its name and its length.
    """
    position = start
    indent: int | None = None
    name = ""
    while position < len(lines):
        line = lines[position]
        match = _FIELD.match(line)
        if match and indent is None:
            indent = len(match.group(1))
        if match and len(match.group(1)) == indent:
            if match.group(2) in fields:
                break
            name = match.group(2)
            fields[name] = match.group(3).rstrip("\r")
            position += 1
        elif name and indent and _indent(line) >= indent + len(name) + 1:
            if len(str(fields[name])) < _LONGEST_VALUE:
                fields[name] = f"{fields[name]}\n{line[indent + len(name) + 1 :]}"
            position += 1
        elif indent == 0 and _BINARY.match(line) and line not in fields:
            value, end = _binary(lines, position + 1)
            if value is None:
                break
            fields[line] = value
            position = end
        else:
            break
    return _message(fields, lines, start, position), position


def _binary(lines: list[str], start: int) -> tuple[str | None, int]:
    """Read a value behind its length, which is 8 bytes; either may contain line breaks."""
    data = bytearray()
    for position in range(start, len(lines)):
        data += _ESCAPED_BYTE.sub(_byte, lines[position].encode("utf-8", "surrogatepass")) + b"\n"
        length = int.from_bytes(data[:8], "little") if len(data) > 8 else 0
        if length > _LONGEST_VALUE or position - start > _LONGEST_OBJECT:
            break
        if len(data) > 8 + length:
            return data[8 : 8 + length].decode("utf-8", "backslashreplace"), position + 1
    return None, start


def _byte(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match.group(1).decode())


def _message(fields: Fields, lines: list[str], start: int, end: int) -> list[Item]:
    """Return fields as a message if they are those of one, else the lines that they stand in."""
    if "MESSAGE" in fields:
        return [fields]
    return [] if any(key in fields for key in JOURNAL_KEYS) else list(lines[start:end])


def _depth(line: str) -> int:
    """Return how many more objects a line of JSON opens than it closes."""
    outside = "".join(line.replace("\\\\", "").replace('\\"', "").split('"')[::2])
    return outside.count("{") - outside.count("}")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
