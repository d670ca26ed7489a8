# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the imports: the boundary between the hosts and the controller, and the floors of the packages."""

from __future__ import annotations

import sys

import pytest

from source_tree import imported_files, imports, package, python_files

ON_HOSTS = python_files("plugins/module_utils", "plugins/modules")

# Libraries that a module uses if they are there, and names in its error message if they are not.
OPTIONAL = {
    "plugins/module_utils/_database/database.py": {"psycopg", "psycopg2", "pymysql"},
    "plugins/modules/ec2_reboot.py": {"ansible_collections.amazon.aws"},
}

# From the general to the special: a package imports from its own floor and from lower ones.
FLOORS = (
    {
        "module_utils/_asking",
        "module_utils/_commands",
        "module_utils/_contract",
        "module_utils/_errors",
        "module_utils/_escapes",
        "module_utils/_files",
        "module_utils/_packages",
        "module_utils/_quantities",
        "module_utils/_reader",
        "module_utils/_statistics",
        "module_utils/_tls",
    },
    {
        "module_utils/_database",
        "module_utils/_disks",
        "module_utils/_kernel_log",
        "module_utils/_monit",
        "module_utils/_proc",
        "module_utils/_sidekiq",
        "module_utils/_systemd",
    },
    {"module_utils/_fail2ban", "module_utils/_lockdown", "module_utils/_oom", "module_utils/_ssh_door"},
    {"module_utils/_adoption", "module_utils/_judge"},
    {"module_utils/_metrics"},
    {
        "plugin_utils/_action",
        "plugin_utils/_files",
        "plugin_utils/_lookup",
        "plugin_utils/_probe",
        "plugin_utils/_program",
        "plugin_utils/_settings",
        "plugin_utils/_tmux",
    },
    {"plugin_utils/_history", "plugin_utils/_table"},
    {"plugin_utils/_compare", "plugin_utils/_forecast", "plugin_utils/_rescue"},
    {"plugin_utils/_report"},
)
NOT_YET: set[tuple[str, str]] = set()

UTILS = python_files("plugins/module_utils", "plugins/plugin_utils")
EDGES = {
    (package(path), package(imported))
    for path in UTILS
    for imported in imported_files(path)
    if package(path) != package(imported)
}


@pytest.mark.parametrize("path", ON_HOSTS)
def test_code_for_hosts_imports_nothing_of_the_controller(path):
    wrong = {name for name in imports(path) if "plugin_utils" in name}
    assert not wrong, f"{path} may run on a host, plugin_utils is the controller's only"


@pytest.mark.parametrize("path", ON_HOSTS)
def test_code_for_hosts_imports_the_standard_library_and_ansible_module_utils_only(path):
    allowed = ("ansible.module_utils.", "ansible_collections.lifeline.fleet.plugins.module_utils.")
    optional = OPTIONAL.get(path, ())
    wrong = {
        name
        for name in imports(path)
        if name.partition(".")[0] not in sys.stdlib_module_names
        and not name.startswith(allowed)
        and not any((name + ".").startswith(library + ".") for library in optional)
    }
    assert not wrong, f"{path} may run on a host that has only Python"


def test_every_package_has_a_floor():
    packages = {package(path) for path in UTILS}
    placed = set().union(*FLOORS)
    assert packages - placed == set(), "a new package: place it on the lowest floor that is above what it imports"
    # module_utils/_errors and others may be single files; a package that is gone leaves the list.
    assert placed - packages == set(), "a package that is gone: remove it from the floors"


def test_no_package_imports_from_a_higher_floor():
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    upward = {(importing, imported) for importing, imported in EDGES if floor[importing] < floor[imported]}
    assert upward == NOT_YET


def test_packages_and_files_import_each_other_in_no_circle():
    files = {path: imported_files(path) - {path} for path in python_files("plugins")}
    packages: dict[str, set[str]] = {}
    for importing, imported in EDGES - NOT_YET:
        packages.setdefault(importing, set()).add(imported)
    assert _circle(files) == []
    assert _circle(packages) == []


def test_a_circle_is_found():
    assert _circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"]


def _circle(graph):
    """Return the nodes that remain after nodes without imports have been removed again and again."""
    left = {name: set(targets) for name, targets in graph.items()}
    for targets in graph.values():
        for target in targets:
            left.setdefault(target, set())
    while True:
        leaves = {name for name, targets in left.items() if not targets & left.keys()}
        if not leaves:
            # Nodes that only import a circle remain as well: remove nodes that nothing imports.
            while roots := left.keys() - {target for targets in left.values() for target in targets}:
                left = {name: targets for name, targets in left.items() if name not in roots}
            return sorted(left)
        left = {name: targets for name, targets in left.items() if name not in leaves}
