# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of this collection a Python program needs to run on a box without Ansible: the modules that it imports, and those that they do."""

from __future__ import annotations

import ast
from pathlib import Path

_NAME = "ansible_collections.lifeline.fleet"
_ROOT = Path(__file__).resolve().parents[2]


def modules(text, root=_ROOT):
    """The texts of all modules of the collection that the program V(text) imports, by their paths below a folder on Python's path.

    The paths are those that Ansible imports them by, so that no line of them need be changed.
    """
    found, waiting = {}, _imports(text, root)
    while waiting:
        path = waiting.pop()
        name = f"{_NAME.replace('.', '/')}/{path.relative_to(root).as_posix()}"
        if name not in found:
            found[name] = path.read_text(encoding="utf-8")
            waiting |= _imports(found[name], root)
    return dict(sorted(found.items()))


def _imports(text, root):
    """The files of the collection's modules that a module imports anywhere, within functions as well."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # What is imported may be a module, or something that is in one.
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    paths = {
        root.joinpath(*name[len(_NAME) + 1 :].split(".")).with_suffix(".py")
        for name in names
        if name.startswith(_NAME + ".")
    }
    return {path for path in paths if path.is_file()}
