# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that callers may catch together, and their attributes."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils import _errors


def test_a_failing_server_has_a_cause_beside_its_message():
    failure = _errors.ServerFailure("login", "authentication failed")
    assert (failure.cause, str(failure)) == ("login", "authentication failed")


@pytest.mark.parametrize(
    ("error", "base"),
    [
        (_errors.SettingsError, ValueError),
        (_errors.ProbeError, RuntimeError),
        (_errors.HistoryError, RuntimeError),
        (_errors.ServerFailure, Exception),
    ],
)
def test_an_error_is_caught_as_its_base(error, base):
    assert issubclass(error, base)
    assert not issubclass(_errors.ServerFailure, (ValueError, RuntimeError))
