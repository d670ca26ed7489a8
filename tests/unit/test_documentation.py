# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the documentation with the code: defaults, checks, modules, packages."""

from __future__ import annotations

import re

import yaml

from ansible_collections.lifeline.fleet.plugins.module_utils._judge.thresholds import CHECKS
from ansible_collections.lifeline.fleet.plugins.modules import health as manual
from paths import ROOT
from source_tree import package, python_files


def level(value):
    return "null" if value is None else str(value)


def test_the_page_of_the_checks_lists_each_with_its_defaults():
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (\S+) \|", (ROOT / "docs" / "checks.md").read_text(), re.MULTILINE)
    assert rows == [
        (name, level(check.warning).replace("null", "–"), level(check.critical).replace("null", "–"))
        for name, check in CHECKS.items()
    ]


def test_the_manual_of_health_lists_every_check_with_its_defaults():
    text = " ".join(yaml.safe_load(manual.DOCUMENTATION)["options"]["thresholds"]["description"])
    assert re.findall(r"C\((\w+)\) ([\w.]+), ([\w.]+)[;.]", text) == [
        (name, level(check.warning), level(check.critical)) for name, check in CHECKS.items()
    ]


def test_every_fact_module_is_in_the_action_group_and_in_the_readme():
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*_facts.py")}
    group = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]["facts"]
    assert set(group) == modules
    readme = (ROOT / "README.md").read_text()
    assert all(f"| `{module}` |" in readme for module in modules)


def test_the_page_on_the_architecture_lists_every_package():
    text = (ROOT / "docs" / "architecture.md").read_text()
    listed = []
    for folder in ("module_utils", "plugin_utils"):
        table = text.partition(f"\n`plugins/{folder}`")[2].partition("|\n\n")[0]
        listed += [f"{folder}/{name}" for name in re.findall(r"^\| \d \| `(\w+)` \|", table, re.MULTILINE)]
    assert sorted(listed) == sorted(
        {package(path) for path in python_files("plugins/module_utils", "plugins/plugin_utils")}
    )
