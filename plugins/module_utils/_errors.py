# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors whose message is a sentence for the person who can fix the cause."""

from __future__ import annotations


class SettingsError(ValueError):
    """A setting that makes no sense or cannot be used. The message names the setting, its value and what is allowed."""


class ProbeError(RuntimeError):
    """A host sent an answer that the probe does not print. The message quotes it."""


class HistoryError(RuntimeError):
    """A history that cannot be read or written. The message says what is wrong with which file, and what to do."""


class ServerFailure(Exception):
    """A server that cannot be asked, or that gives no usable answer. `cause` is one word, for playbooks."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause
