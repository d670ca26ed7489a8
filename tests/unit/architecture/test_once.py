# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find second implementations, by their text, of things that are easy to get wrong and must exist only once."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from source_tree import python_files, text


class Primitive(NamedTuple):
    """The file that does it, the text that gives a second one away, and the files that may have that text."""

    home: str
    pattern: str
    allowed: dict[str, str]


PRIMITIVES = {
    "replace a file": Primitive(
        "plugins/module_utils/_files/atomic.py",
        r"\bos\.(replace|rename)\(|\bshutil\.move\(|\batomic_move\(",
        {
            "plugins/module_utils/_lockdown/files.py": "it keeps a file at another place",
            #
            "plugins/module_utils/_ssh_door/change.py": "it renames folders",
            #
            "plugins/plugin_utils/_files/json_file.py": "it renames a damaged file",
            #
            "plugins/plugin_utils/_history/file.py": "it renames a damaged file",
        },
    ),
    # A process's name may hold spaces and parentheses: the fields begin after the last one.
    "parse /proc/PID/stat": Primitive(
        "plugins/module_utils/_proc/stat.py",
        r'\.r(partition|index|find|split)\(b?"\) ?"\)',
        {},
    ),
    "parse `systemctl show`": Primitive(
        "plugins/module_utils/_systemd/units.py",
        r'(?s)systemctl.*split\("=", 1\)|split\("=", 1\).*systemctl',
        {},
    ),
}


@pytest.mark.parametrize("what", PRIMITIVES)
def test_a_primitive_stands_in_one_place(what):
    primitive = PRIMITIVES[what]
    found = {
        path
        for path in python_files("plugins", "roles", "extensions/eda")
        if path != primitive.home and re.search(primitive.pattern, text(path))
    }
    assert found - primitive.allowed.keys() == set(), f"use {primitive.home} to {what}, or list the file with a reason"
    assert primitive.allowed.keys() - found == set(), "needless by now: remove it from the list"
