# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of a variable on all layers of the inventory, and lists that are merged by name."""

from __future__ import annotations

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import layers

INVENTORY = """
all:
  vars: {limit: 1}
  children:
    web:
      vars: {limit: 2}
      children:
        web_eu:
          hosts: {web1: {limit: 4}, web2: }
"""


@pytest.fixture
def task_vars(tmp_path):
    """Return a function that returns a host's variables, for an inventory with files beside it and beside the play."""
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    for folder, name, text in (
        ("group_vars", "web_eu.yml", "limit: 3"),
        ("play/group_vars", "web.yml", "limit: 20"),
        ("play/host_vars", "web1.yml", "limit: 40"),
    ):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).write_text(text)
    loader = DataLoader()
    inventory = InventoryManager(loader, sources=[str(tmp_path / "hosts.yml")])
    hostvars = HostVars(inventory, VariableManager(loader, inventory), loader)

    def of(host, **variables):
        path = [str(tmp_path / "play")]
        return {"hostvars": hostvars, "inventory_hostname": host, "ansible_search_path": path, **variables}

    return of


def test_layers_are_in_ansibles_order_from_the_least_specific_on(task_vars):
    assert layers.layers("limit", task_vars("web1", limit=99)) == [
        ("limit of all", 1),
        ("limit of web", 2),
        ("limit of web", 20),
        ("limit of web_eu", 3),
        ("limit of web1", 4),
        ("limit of web1", 40),
        ("limit", 99),
    ]


def test_layers_that_do_not_set_the_variable_are_left_out(task_vars):
    assert [value for _name, value in layers.layers("limit", task_vars("web2"))] == [1, 2, 20, 3]
    assert layers.layers("nothing", task_vars("web2")) == []


def test_a_host_that_is_not_in_the_inventory_has_the_play_s_value_only(task_vars):
    assert layers.layers("limit", task_vars("elsewhere", limit=7)) == [("limit", 7)]
    assert layers.layers("limit", {"limit": 7}) == [("limit", 7)]


def test_entries_of_one_name_are_merged_key_by_key():
    of_all = ("all", [{"name": "a", "limit": 1, "unit": "MB"}, {"name": "b"}])
    of_host = ("host", [{"name": "c"}, {"name": "a", "limit": 2}])
    assert layers.by_name([of_all, ("group", None), of_host]) == [
        {"name": "a", "limit": 2, "unit": "MB"},
        {"name": "b"},
        {"name": "c"},
    ]
    # The layers themselves stay as they are: Ansible caches them.
    assert of_all[1][0]["limit"] == 1


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"name": "a"}, "x of web: not a list ({'name': 'a'}); give a list of dictionaries with a name each"),
        ("a", "x of web: not a list ('a'); give a list of dictionaries with a name each"),
        (["a"], "x of web[0]: no name ('a'); give a dictionary with a name"),
        ([{"name": "a"}, {"name": ""}], "x of web[1]: no name ({'name': ''}); give a dictionary with a name"),
        ([{"name": 1}], "x of web[0]: no name ({'name': 1}); give a dictionary with a name"),
        ([{"name": "a"}, {"name": "a"}], "x of web: the same name twice ('a'); use it once in each layer"),
    ],
)
def test_a_list_that_cannot_be_merged_is_an_error(entries, message):
    with pytest.raises(SettingsError) as caught:
        layers.by_name([("x of web", entries)])
    assert str(caught.value) == message
