# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the variables of the roles with their documentation."""

import re

import pytest

from paths import ROOT

yaml = pytest.importorskip("yaml", reason="roles are tested on the controller, which has PyYAML")

ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_defaults_are_as_documented(role):
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text())
    options = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    own = {name: option for name, option in options.items() if name.startswith(role.name + "_")}
    assert {name: option.get("default") for name, option in own.items()} == defaults
    # A variable that the role shares with others has its default elsewhere.
    assert not [name for name, option in options.items() if name not in own and "default" in option]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_private_variables_have_the_private_prefix(role):
    private = yaml.safe_load((role / "vars" / "main.yml").read_text()) if (role / "vars" / "main.yml").exists() else {}
    assert all(name.startswith(f"__{role.name}_") for name in private)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_switches_take_false_from_the_command_line(role):
    """Require `| bool` after switches: `-e` passes text, and any text is true. Module options convert it themselves."""
    options = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    lines = [
        line
        for path in sorted([*role.glob("tasks/*.yml"), *role.glob("vars/*.yml")])
        for line in path.read_text().splitlines()
    ]
    for switch in [name for name, option in options.items() if option["type"] == "bool"]:
        handed_on = '"{{ %s }}"' % switch
        assert [
            line
            for line in lines
            if re.search(rf"(?<!\w){switch}\b(?! \| bool)", line) and not line.endswith(handed_on)
        ] == []
