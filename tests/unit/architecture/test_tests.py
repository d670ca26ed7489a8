# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each utility has a unit test of its own name at the same place below tests/unit."""

from __future__ import annotations

from pathlib import PurePath

from source_tree import functions, python_files

# Each with the reason why it needs none.
WITHOUT = {}


def place_of_test(path):
    """Return the path that the test of a utility has: `_proc/test_maps.py` for `_proc/maps.py`."""
    utility = PurePath(path)
    return str(PurePath("tests/unit", utility.parent, f"test_{utility.name.lstrip('_')}"))


def test_every_utility_has_a_test():
    utilities = python_files("plugins/module_utils", "plugins/plugin_utils")
    tests = {
        path
        for path in python_files("tests/unit")
        if any(name.startswith("test_") for name, _function in functions(path))
    }
    without = {path for path in utilities if place_of_test(path) not in tests}
    assert without - WITHOUT.keys() == set(), "write its test, or list it with a reason"
    assert WITHOUT.keys() - without == set(), "tested by now: remove it from the list"
