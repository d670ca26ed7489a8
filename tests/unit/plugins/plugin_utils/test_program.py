# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that a program needs to run without Ansible."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils import _program

PREFIX = "ansible_collections/lifeline/fleet/"
NAME = "ansible_collections.lifeline.fleet"


@pytest.fixture
def root(tmp_path):
    """Return the folder of a small collection: a imports b within a function, and b imports c and a."""
    folder = tmp_path / "plugins" / "module_utils"
    (folder / "_package").mkdir(parents=True)
    (folder / "a.py").write_text(f"def f():\n    from {NAME}.plugins.module_utils import b\n")
    (folder / "b.py").write_text(
        f"import {NAME}.plugins.module_utils._package.c\nimport {NAME}.plugins.module_utils.a\n"
    )
    (folder / "_package" / "c.py").write_text("VALUE = 1\n")
    (folder / "unused.py").write_text("")
    return tmp_path


def test_imports_are_followed_within_functions_and_in_circles(root):
    found = _program.modules(f"from {NAME}.plugins.module_utils.a import f\n", root)
    assert list(found) == [PREFIX + "plugins/module_utils/" + name for name in ("_package/c.py", "a.py", "b.py")]
    assert found[PREFIX + "plugins/module_utils/_package/c.py"] == "VALUE = 1\n"


@pytest.mark.parametrize(
    "text",
    [
        "import json",
        "from . import a",
        "from other.collection.plugins.module_utils import a",
        f"import {NAME}",
        f"from {NAME}.plugins.module_utils import missing",
        f"# import {NAME}.plugins.module_utils.a",
    ],
)
def test_other_imports_bring_nothing(root, text):
    assert _program.modules(text, root) == {}


def test_a_program_that_python_cannot_parse_is_an_error(root):
    with pytest.raises(SyntaxError):
        _program.modules("import", root)


def test_a_program_runs_with_what_it_imports_and_nothing_else(tmp_path):
    text = f"from {NAME}.plugins.module_utils._quantities import format_size\nprint(format_size(1 << 20))\n"
    for name, content in {"__main__.py": text, **_program.modules(text)}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    # -I and -S: without PYTHONPATH and the site packages, and so without Ansible.
    done = subprocess.run([sys.executable, "-ISs", tmp_path], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "1M\n"
