# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of each action has the options that the action takes."""

from __future__ import annotations

import importlib

import pytest
import yaml

from ansible_collections.lifeline.fleet.plugins.plugin_utils._action import FleetAction
from paths import ROOT

PLUGINS = "ansible_collections.lifeline.fleet.plugins."
ACTIONS = {
    path.stem: importlib.import_module(PLUGINS + "action." + path.stem).ActionModule
    for path in sorted((ROOT / "plugins" / "action").glob("*.py"))
}


@pytest.mark.parametrize("name", [name for name, action in ACTIONS.items() if issubclass(action, FleetAction)])
def test_the_documentation_has_the_options(name):
    options = ACTIONS[name].OPTIONS
    documented = yaml.safe_load(importlib.import_module(PLUGINS + "modules." + name).DOCUMENTATION)["options"]
    assert set(documented) == set(options)
    for key, option in options.items():
        assert {
            "type": documented[key]["type"],
            "default": documented[key].get("default"),
            "required": documented[key].get("required", False),
            "elements": documented[key].get("elements"),
            "choices": documented[key].get("choices"),
        } == {
            "type": option["type"],
            "default": option.get("default"),
            "required": option.get("required", False),
            "elements": option.get("elements"),
            "choices": option.get("choices"),
        }
