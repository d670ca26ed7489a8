# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the project's Python files and their imports, for the tests of its architecture."""

from __future__ import annotations

import ast
import functools
import re
from typing import Iterator

from paths import ROOT

COLLECTION = "ansible_collections.lifeline.fleet."
FOLDERS = ("plugins", "roles", "playbooks", "extensions", "tests")


def python_files(*folders: str) -> list[str]:
    """Return the paths of the Python files below folders of the repository, relative to it."""
    found = (path for folder in folders or FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return sorted(str(path.relative_to(ROOT)) for path in found)


@functools.lru_cache(maxsize=None)
def text(path: str) -> str:
    """Return the contents of a file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


@functools.lru_cache(maxsize=None)
def tree(path: str) -> ast.Module:
    """Return the syntax tree of a file of the repository."""
    return ast.parse(text(path), path)


def functions(path: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield each function of a file with its qualified name, such as `Class.method` or `outer.<locals>.inner`."""
    waiting = [("", node) for node in ast.iter_child_nodes(tree(path))]
    while waiting:
        prefix, node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield prefix + node.name, node
            prefix += node.name + ".<locals>."
        elif isinstance(node, ast.ClassDef):
            prefix += node.name + "."
        waiting += [(prefix, child) for child in ast.iter_child_nodes(node)]


def imports(path: str) -> set[str]:
    """Return the dotted names that a file imports, anywhere in it; of `from a import b` it is `a.b`."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {"." * node.level + (node.module or "") + "." + alias.name for alias in node.names}
    return found


def imported_files(path: str) -> set[str]:
    """Return the paths of the collection's own files that a file imports."""
    candidates = set()
    for name in imports(path):
        if name.startswith(COLLECTION):
            inside = name[len(COLLECTION) :].replace(".", "/")
            # The last word is a module, or something inside of one.
            candidates |= {inside + ".py", inside.rpartition("/")[0] + ".py"}
    return {candidate for candidate in candidates if (ROOT / candidate).is_file()}


def package(path: str) -> str:
    """Return the package of a file of `plugins`, such as `module_utils/_proc`, or the file itself if it is in none."""
    return re.sub(r"^plugins/([a-z]+_utils/_[a-z0-9_]+)(/.*|\.py)$", r"\1", path)
