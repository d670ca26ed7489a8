# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merge settings of sshd of all layers of the inventory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError


def merged(layers: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the settings of all layers by keyword, without regard to case; null removes one. Raises SettingsError.

    `layers` are pairs of the name of a layer and its settings, None for a layer without any.
    """
    found: dict[str, tuple[str, Any]] = {}
    for origin, settings in layers:
        if settings is None:
            continue
        if not isinstance(settings, dict):
            raise SettingsError(f"{origin}: not a dictionary ({settings!r}); give keywords of sshd_config with values")
        for keyword, value in settings.items():
            if not isinstance(keyword, str) or not keyword.isalnum():
                raise SettingsError(f"{origin}: not a keyword ({keyword!r}); use a keyword of sshd_config")
            if isinstance(value, dict):
                raise SettingsError(
                    f"{origin}.{keyword}: a dictionary ({value!r}); give a text, a number, a boolean, or a list of them"
                )
            found[keyword.lower()] = (keyword, value)
    return {keyword: value for keyword, value in found.values() if value is not None}
