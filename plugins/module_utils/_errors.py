# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong on the controller, in words for the person who can mend it."""

from __future__ import annotations


class SettingsError(ValueError):
    """A setting of the user's that can't be followed. The message names the setting, its value and what is allowed."""


class ProbeError(RuntimeError):
    """A box answered, but not with what the probe prints. The message says what it answered instead."""


class HistoryError(RuntimeError):
    """A history that can't be written or read. The message says what is wrong with which file, and what to do."""
