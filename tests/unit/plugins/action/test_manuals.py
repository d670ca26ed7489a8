# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manuals of the actions that rescue boxes have the options that these take."""

from __future__ import annotations

import importlib

import pytest
import yaml

PLUGINS = "ansible_collections.lifeline.fleet.plugins."


@pytest.mark.parametrize("name", ["action_log", "answers", "evidence", "rescue"])
def test_the_manual_has_the_options(name):
    options = importlib.import_module(PLUGINS + "action." + name)._OPTIONS
    documented = yaml.safe_load(importlib.import_module(PLUGINS + "modules." + name).DOCUMENTATION)["options"]
    assert set(documented) == set(options)
    for key, option in options.items():
        assert documented[key]["type"] == option["type"]
        assert documented[key].get("default") == option.get("default")
        assert documented[key].get("required") == option.get("required")
