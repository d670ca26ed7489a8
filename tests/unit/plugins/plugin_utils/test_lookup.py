# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base class of the lookups, and that every lookup of the collection has it."""

from __future__ import annotations

import importlib

import pytest
from ansible.errors import AnsibleLookupError

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._lookup import SettingsLookup
from paths import ROOT

LOOKUPS = sorted(path.stem for path in (ROOT / "plugins" / "lookup").glob("*.py"))


class Lookup(SettingsLookup):
    def set_options(self, task_keys=None, var_options=None, direct=None):
        self.options = (var_options, direct)

    def find(self, terms, variables):
        if terms == ["wrong"]:
            raise SettingsError("limit: not a number ('x'); correct it")
        return [terms, self.options]


class Unnamed(Lookup):
    names_host = False


def test_find_gets_the_terms_and_the_options_are_set():
    variables = {"inventory_hostname": "web1"}
    assert Lookup().run(["a"], variables, session="s") == [["a"], (variables, {"session": "s"})]
    assert Lookup().run(["a"]) == [["a"], ({}, {})]


@pytest.mark.parametrize(
    ("lookup", "variables", "message"),
    [
        (Lookup, {"inventory_hostname": "web1"}, "web1: limit: not a number ('x'); correct it"),
        (Lookup, {}, "limit: not a number ('x'); correct it"),
        (Unnamed, {"inventory_hostname": "web1"}, "limit: not a number ('x'); correct it"),
    ],
)
def test_a_wrong_setting_is_an_error_that_names_the_host(lookup, variables, message):
    with pytest.raises(AnsibleLookupError) as caught:
        lookup().run(["wrong"], variables)
    assert caught.value.message == message


@pytest.mark.parametrize("name", LOOKUPS)
def test_every_lookup_has_this_base_and_leaves_run_to_it(name):
    module = importlib.import_module(f"ansible_collections.lifeline.fleet.plugins.lookup.{name}")
    assert issubclass(module.LookupModule, SettingsLookup)
    assert "run" not in vars(module.LookupModule)
