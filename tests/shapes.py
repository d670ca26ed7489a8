# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a value with its declared type, to the leaf: mypy does not see what a parser really returns."""

from __future__ import annotations

import typing


def violations(value, shape, place=""):
    """Return what is wrong with a value, one line a leaf; an empty list if it has the shape."""
    origin, arguments = typing.get_origin(shape), typing.get_args(shape)
    if hasattr(shape, "__total__"):
        return _dictionary(value, shape, place)
    if origin is typing.Union:
        found = [violations(value, one, place) for one in arguments]
        return min(found, key=len) if all(found) else []
    if origin is list:
        if not isinstance(value, list):
            return [f"{place}: {type(value).__name__} is not a list"]
        return [
            line for number, one in enumerate(value) for line in violations(one, arguments[0], f"{place}[{number}]")
        ]
    if origin is dict:
        if not isinstance(value, dict):
            return [f"{place}: {type(value).__name__} is not a dict"]
        keys = [line for key in value for line in violations(key, arguments[0], f"{place} key {key!r}")]
        return keys + [line for key in value for line in violations(value[key], arguments[1], f"{place}[{key!r}]")]
    if shape is float and isinstance(value, int) and not isinstance(value, bool):
        return []
    return [] if value.__class__ is shape else [f"{place}: {value!r} is not {getattr(shape, '__name__', shape)}"]


def _dictionary(value, shape, place):
    if not isinstance(value, dict):
        return [f"{place}: {type(value).__name__} is not {shape.__name__}"]
    hints = typing.get_type_hints(shape)
    # Python 3.8 does not know which keys a class that adds optional ones has inherited as required.
    required = getattr(shape, "__required_keys__", frozenset(hints if shape.__total__ else ()))
    found = [f"{place}: {key} is missing" for key in hints if key in required and key not in value]
    found += [f"{place}: {key} is not declared" for key in value if key not in hints]
    for key in value:
        if key in hints:
            found += violations(value[key], hints[key], f"{place}.{key}")
    return found
