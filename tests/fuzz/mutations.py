# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change samples of what a host may answer. A sample is a dictionary of texts by name."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

Sample = dict[str, str]

# No text of a sample becomes longer: time is better spent on many short ones.
MOST_TEXT = 1 << 16

_NUMBERS = (
    "0", "-1", "1", "-0", "00", "+7", "1e400", "-1e309", "nan", "inf", "0x10", "1_000", "1.", ".5", "--5", "-", "",
    "2147483648", "4294967295", "9223372036854775807", "9223372036854775808", "18446744073709551615", "9" * 30,
    "9" * 400, "9" * 5000, "\u0663", "\u00b2", "\u2460", "1\x1c", "1\x85", " 1", "1\x00",
)  # fmt: skip
_HOSTILE = (
    "\x1b[2J", "\x9b2J", "\x00", "\r", "\x1c", "\x85", "\u2028", "\u202e", "\u200b", "\ud800", "\udcff", "\ufeff",
    "\U000e0041", "\\x1b", "\\", "\\040", "\\012", "\\777", "\\u0000", "%s", "{{ 1 }}", "<b>", "'", '"', "\x7f",
    "/../../etc/passwd", "-", "--", ";", "\t", "  ", "\n", "\n\n", "|", ":", "::", "=", ",", "(", ")", ")) (", "[", "]",
    "\n==> /proc/meminfo <==\nMemTotal: 7 kB\n", "\n==> lifeline:end <==\n", "ended 0\n", "ended 999\n",
)  # fmt: skip


def change(sample: Sample, others: Sequence[Sample], turn: random.Random) -> Sample:
    """Return a copy of the sample with a few changes. `others` are samples from which texts are taken."""
    changed = dict(sample)
    for _number in range(turn.choice((1, 1, 1, 2, 3, 5, 8))):
        if not changed:
            return dict(turn.choice(others))
        name = turn.choice(list(changed))
        if turn.random() < 0.04:
            _change_names(changed, name, turn.choice(others), turn)
            continue
        other = turn.choice(others)
        donor = other.get(name) or turn.choice(list(other.values()) or [""])
        changed[name] = turn.choice(_CHANGES)(changed[name], donor, turn)[:MOST_TEXT]
    return changed


def piece_to_repeat(text: str, turn: random.Random) -> tuple[int, int]:
    """Return the place of a part of a text that may cost much if it is repeated: a line, a word, some characters."""
    start = turn.randrange(len(text) + 1)
    if turn.random() < 0.5:
        start = text.rfind("\n", 0, start) + 1
        end = text.find("\n", start)
        return start, len(text) if end < 0 else end + 1
    return start, min(len(text), start + turn.choice((1, 1, 2, 3, 8, 30, 200)))


def any_token(turn: random.Random) -> str:
    """Return a short text that parsers may stumble over."""
    return turn.choice(_HOSTILE if turn.random() < 0.6 else _NUMBERS)


def _change_names(changed: Sample, name: str, other: Sample, turn: random.Random) -> None:
    text = changed.pop(name)
    kind = turn.randrange(3)
    if kind == 0 and other:
        changed[name] = turn.choice(list(other.values()))
    elif kind == 1:
        changed[turn.choice([*other, name + any_token(turn)])] = text


def _slice(text: str, turn: random.Random) -> tuple[int, int]:
    start = turn.randrange(len(text) + 1)
    return start, min(len(text), start + turn.choice((1, 1, 2, 4, 16, 64, 1000)))


def _insert(text: str, _donor: str, turn: random.Random) -> str:
    at = turn.randrange(len(text) + 1)
    return text[:at] + any_token(turn) + text[at:]


def _replace(text: str, _donor: str, turn: random.Random) -> str:
    start, end = _slice(text, turn)
    return text[:start] + any_token(turn) + text[end:]


def _delete(text: str, _donor: str, turn: random.Random) -> str:
    start, end = _slice(text, turn)
    return text[:start] + text[end:]


def _repeat(text: str, _donor: str, turn: random.Random) -> str:
    start, end = piece_to_repeat(text, turn)
    return text[:end] + text[start:end] * turn.choice((1, 1, 2, 50, 400)) + text[end:]


def _cut(text: str, _donor: str, turn: random.Random) -> str:
    return text[: turn.randrange(len(text) + 1)]


def _splice(text: str, donor: str, turn: random.Random) -> str:
    start, end = _slice(donor, turn)
    at = turn.randrange(len(text) + 1)
    return text[:at] + donor[start:end] + text[at:]


def _cross(text: str, donor: str, turn: random.Random) -> str:
    return text[: turn.randrange(len(text) + 1)] + donor[turn.randrange(len(donor) + 1) :]


def _number(text: str, _donor: str, turn: random.Random) -> str:
    """Replace a whole number of the text by another."""
    start = turn.randrange(len(text) + 1)
    while start < len(text) and not text[start].isdecimal():
        start += 1
    end = start
    while end < len(text) and text[end].isdecimal():
        end += 1
    return text[:start] + turn.choice(_NUMBERS) + text[end:]


def _lines(text: str, _donor: str, turn: random.Random) -> str:
    """Change the order of the lines, or lose some."""
    lines = text.split("\n")
    if turn.random() < 0.5:
        first, second = turn.randrange(len(lines)), turn.randrange(len(lines))
        lines[first], lines[second] = lines[second], lines[first]
    else:
        del lines[turn.randrange(len(lines))]
    return "\n".join(lines)


def _flip(text: str, _donor: str, turn: random.Random) -> str:
    if not text:
        return chr(turn.randrange(0x300))
    at = turn.randrange(len(text))
    return text[:at] + chr(ord(text[at]) ^ 1 << turn.randrange(8)) + text[at + 1 :]


_CHANGES: Sequence[Callable[[str, str, random.Random], str]] = (
    _insert, _insert, _replace, _delete, _repeat, _cut, _splice, _cross, _number, _number, _lines, _flip,
)  # fmt: skip
