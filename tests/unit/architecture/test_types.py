# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All functions of plugin_utils and all public functions of module_utils have annotations."""

from __future__ import annotations

import re

from source_tree import functions, python_files


def unannotated(path):
    """Return the names of the functions of a file that lack the type of an argument or of the result."""
    public_only = path.startswith("plugins/module_utils/")
    return [name for name, function in functions(path) if not (public_only and _private(name)) and _lacks(function)]


def _private(name):
    return "<locals>" in name or any(re.match("_(?!_)", part) for part in name.split("."))


def _lacks(function):
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    if named and named[0].arg in ("self", "cls"):
        named = named[1:]
    named += [extra for extra in (arguments.vararg, arguments.kwarg) if extra]
    # As for mypy, a constructor with annotated arguments needs no result.
    result = function.returns is not None or (function.name == "__init__" and bool(named))
    return not result or any(argument.annotation is None for argument in named)


def test_functions_are_annotated():
    files = python_files("plugins/module_utils", "plugins/plugin_utils")
    lacking = {path: names for path in files if (names := unannotated(path))}
    assert lacking == {}
