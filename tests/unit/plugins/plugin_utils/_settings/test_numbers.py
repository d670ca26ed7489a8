# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers as users write them, and the message for each that is wrong."""

from __future__ import annotations

import re

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import numbers


@pytest.mark.parametrize("value", [2, "2", " 2 "])
def test_a_whole_number_may_be_text(value):
    assert numbers.whole("x_serial", value, 1, "boxes") == 2


@pytest.mark.parametrize("value", ["many", "", None, True, 2.5, "-1", "²", "٢", "1" * 16])
def test_anything_else_is_not_a_whole_number(value):
    message = f"x_serial: not a whole number ({value!r}); use 1 or more boxes"
    with pytest.raises(SettingsError, match=re.escape(message)):
        numbers.whole("x_serial", value, 1, "boxes")


def test_a_whole_number_has_a_lower_limit():
    assert numbers.whole("x_grace", 0, 0, "seconds") == 0
    with pytest.raises(SettingsError, match=re.escape("x_serial: too small ('0'); use 1 or more boxes")):
        numbers.whole("x_serial", "0", 1, "boxes")


@pytest.mark.parametrize("value", [45, "45", " 45.0 "])
def test_a_positive_number_may_be_text(value):
    assert numbers.positive("x_wait", value, 7200, "seconds") == 45


def test_only_a_share_may_have_a_percent_sign():
    assert numbers.positive("x_share", "25 %", 100, "percent") == 25
    with pytest.raises(SettingsError, match="x_wait: not a number"):
        numbers.positive("x_wait", "25%", 7200, "seconds")


@pytest.mark.parametrize(
    ("value", "wrong"),
    [("soon", "not a number"), (True, "not a number"), ("nan", "not a number"), (None, "not a number")]
    + [(value, "out of range") for value in (0, "-1", 7201, "inf")],
)
def test_the_message_names_the_setting_its_value_and_the_range(value, wrong):
    message = f"x_wait: {wrong} ({value!r}); use more than 0 and at most 7200 seconds"
    with pytest.raises(SettingsError, match=re.escape(message)):
        numbers.positive("x_wait", value, 7200, "seconds")
