# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of sshd over all layers of the inventory."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError


def merged(layers):
    """The settings of all layers by keyword, which sshd reads without regard to case; null takes one out. Raises SettingsError."""
    found = {}
    for origin, settings in layers:
        if settings is None:
            continue
        if not isinstance(settings, dict):
            raise SettingsError(f"{origin} is {settings!r}: it must be a dictionary of sshd's keywords")
        for keyword, value in settings.items():
            if not isinstance(keyword, str) or not keyword.isalnum():
                raise SettingsError(f"{origin}.{keyword}: there is no such keyword in sshd's configuration")
            if isinstance(value, dict):
                raise SettingsError(
                    f"{origin}.{keyword} is {value!r}: it must be a text, a number, a boolean, or a list of them"
                )
            found[keyword.lower()] = (keyword, value)
    return {keyword: value for keyword, value in found.values() if value is not None}
