# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the collection's modules with the programs that show the same values.

The programs run as root over SSH, before and after the module: a changing value must lie between the two.
"""

from __future__ import annotations

import functools
import json
import subprocess

import pytest
from boxes import INVENTORY

WAYS = {
    "root": {},
    "user": {"extra_vars": {"ansible_user": "ops"}},
    "become": {"extra_vars": {"ansible_user": "ops"}, "become": True},
}


@pytest.fixture(params=WAYS)
def way(request):
    """Return each kind of user in turn."""
    return request.param


@pytest.fixture
def facts(host):
    """Return a function that runs a fact module and returns its dictionary of facts."""

    def ask(module, way="root", **options):
        answer = run_module(host, module + "_facts", way, **options)
        (one,) = answer["ansible_facts"].values()
        return one

    return ask


@pytest.fixture
def health(host):
    """Return a function that runs health and returns its whole result."""

    def ask(way="root", **options):
        return run_module(host, "health", way, **options)

    return ask


@pytest.fixture(scope="session")
def everywhere(tmp_path_factory):
    """Return a function that runs a module once on all running boxes and returns the results by box."""

    @functools.cache
    def ask(module, way="root", **options):
        folder = tmp_path_factory.mktemp(module)
        argv = [
            "ansible",
            "facts:!facts_down",
            "-i",
            INVENTORY,
            "-m",
            "lifeline.fleet." + module,
            "--tree",
            folder,
            "-e",
            json.dumps(WAYS[way].get("extra_vars", {})),
        ]
        if options:
            argv += ["-a", json.dumps(options)]
        if WAYS[way].get("become"):
            argv.append("--become")
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        answers = {path.name: json.loads(path.read_text()) for path in folder.iterdir()}
        assert not any(answer["changed"] for answer in answers.values())
        return answers

    return ask


@pytest.fixture
def told(host):
    """Return a function that runs a command, which must succeed, and returns its output as lines of words."""

    def ask(command):
        return [line.split() for line in host.check_output("LC_ALL=C " + command).splitlines()]

    return ask


@pytest.fixture
def between():
    """Return a function that tells whether a value lies between those before and after, within a tolerance."""

    def is_between(value, before, after, tolerance=0):
        return min(before, after) - tolerance <= value <= max(before, after) + tolerance

    return is_between


def run_module(host, module, way, **options):
    answer = host.ansible(
        "lifeline.fleet." + module, json.dumps(options) if options else None, check=False, **WAYS[way]
    )
    assert answer["changed"] is False
    assert "ansible_facts" in answer, answer.get("msg")
    return answer
