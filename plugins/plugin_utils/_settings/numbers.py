# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate settings of playbooks that are numbers. They may be text, because `-e name=2` is text."""

from __future__ import annotations

import math

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError


def whole(name: str, value: object, least: int, unit: str) -> int:
    """Return the setting `name` as a whole number of at least `least`. Raises SettingsError.

    `unit` is what the number counts, in the plural.
    """
    text = str(value).strip()
    allowed = f"use {least} or more {unit}"
    if isinstance(value, bool) or not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise SettingsError(f"{name}: not a whole number ({value!r}); {allowed}")
    if int(text) < least:
        raise SettingsError(f"{name}: too small ({value!r}); {allowed}")
    return int(text)


def positive(name: str, value: object, most: float, unit: str) -> float:
    """Return the setting `name` as a number above 0 and at most `most`. Raises SettingsError.

    `unit` is what the number counts, in the plural. A number of percent may end with a percent sign.
    """
    text = str(value).strip()
    allowed = f"use more than 0 and at most {most:g} {unit}"
    try:
        number = float(text.rstrip("%") if unit == "percent" else text)
    except ValueError:
        number = float("nan")
    if isinstance(value, bool) or math.isnan(number):
        raise SettingsError(f"{name}: not a number ({value!r}); {allowed}")
    if not 0 < number <= most:
        raise SettingsError(f"{name}: out of range ({value!r}); {allowed}")
    return number
