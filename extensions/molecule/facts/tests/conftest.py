# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A box as two witnesses see it: the collection's modules, and the programs that people have always asked.

The programs are asked by root, through SSH, before and after the module, so that a value that moves can be held between
the two.
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
    """Each kind of user in turn."""
    return request.param


@pytest.fixture
def facts(host):
    """Call with a fact module's name and options: its one dictionary of facts."""

    def ask(module, way="root", **options):
        answer = run_module(host, module + "_facts", way, **options)
        (one,) = answer["ansible_facts"].values()
        return one

    return ask


@pytest.fixture
def health(host):
    """Call with options: the whole answer of the action."""

    def ask(way="root", **options):
        return run_module(host, "health", way, **options)

    return ask


@pytest.fixture(scope="session")
def everywhere(tmp_path_factory):
    """Call with a module's name and options: the answers of all boxes that are up, by name. They are asked once, all in one run."""

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
    """Call with a command: what it prints, in lines of words. The command must succeed."""

    def ask(command):
        return [line.split() for line in host.check_output("LC_ALL=C " + command).splitlines()]

    return ask


@pytest.fixture
def between():
    """Call for whether a value lies between what was true before and after, give or take a tolerance."""

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
