# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collect the modules of this collection that a Python program imports, to run it on a host without Ansible."""

from __future__ import annotations

import ast
from pathlib import Path

_NAME = "ansible_collections.lifeline.fleet"
_ROOT = Path(__file__).resolve().parents[2]


def modules(text: str, root: Path = _ROOT) -> dict[str, str]:
    """Return the source of every module of the collection that a program imports, directly or not, by its path.

    The paths are relative to a folder on Python's path and spell out the collection's full name, as in the imports.
    `text` is the program's source, `root` the collection's folder.
    """
    found: dict[str, str] = {}
    waiting = _imports(text, root)
    while waiting:
        path = waiting.pop()
        name = f"{_NAME.replace('.', '/')}/{path.relative_to(root).as_posix()}"
        if name not in found:
            found[name] = path.read_text(encoding="utf-8")
            waiting |= _imports(found[name], root)
    return dict(sorted(found.items()))


def _imports(text: str, root: Path) -> set[Path]:
    """Return the files of the collection that a module imports anywhere, within functions as well."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # The imported name is a module, or something in a module.
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    paths = {
        root.joinpath(*name[len(_NAME) + 1 :].split(".")).with_suffix(".py")
        for name in names
        if name.startswith(_NAME + ".")
    }
    return {path for path in paths if path.is_file()}
