# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of sshd over several layers."""

from __future__ import annotations

import re

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import sshd


def test_later_layers_replace_keywords_in_any_case_and_null_removes_them():
    layers = [
        ("the defaults", {"LoginGraceTime": 30, "MaxStartups": "30:30:100"}),
        ("all", None),
        ("group web", {"logingracetime": 60, "PasswordAuthentication": False, "Banner": "none"}),
        ("host", {"BANNER": None, "AllowUsers": ["ops", "admin"]}),
    ]
    assert sshd.merged(layers) == {
        "logingracetime": 60,
        "MaxStartups": "30:30:100",
        "PasswordAuthentication": False,
        "AllowUsers": ["ops", "admin"],
    }


def test_without_layers_there_are_no_settings():
    assert sshd.merged([]) == {}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["Port"], "all: not a dictionary (['Port']); give keywords of sshd_config with values"),
        ({"Max Tries": 3}, "all: not a keyword ('Max Tries'); use a keyword of sshd_config"),
        ({3: 3}, "all: not a keyword (3); use a keyword of sshd_config"),
        ({"": 3}, "all: not a keyword (''); use a keyword of sshd_config"),
        (
            {"Match": {"User": "x"}},
            "all.Match: a dictionary ({'User': 'x'}); give a text, a number, a boolean, or a list of them",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_layer(settings, message):
    with pytest.raises(SettingsError, match=f"^{re.escape(message)}$"):
        sshd.merged([("all", settings)])
