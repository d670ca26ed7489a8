# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup merged, run by Ansible on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from paths import ROOT

pytestmark = pytest.mark.plays
ANSIBLE = Path(sys.executable).with_name("ansible")


@pytest.fixture
def merged(tmp_path):
    """Return a function that writes files of variables and returns what the lookup returns, or Ansible's error."""

    def run(files, *options, term="checks"):
        (tmp_path / "hosts.yml").write_text(
            "web: {hosts: {here: {ansible_connection: local, ansible_python_interpreter: %s}}}\n" % sys.executable
        )
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        msg = "{{ lookup('lifeline.fleet.merged', '%s', defaults=[{'name': 'built-in', 'state': 'present'}]) }}" % term
        done = subprocess.run(
            [ANSIBLE, "here", "-i", tmp_path / "hosts.yml", "-m", "debug", "-a", json.dumps({"msg": msg}), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=tmp_path,
            env=dict(
                os.environ,
                ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
                ANSIBLE_STDOUT_CALLBACK="minimal",
                ANSIBLE_NOCOLOR="1",
                ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".cache" / "collections"),
            ),
        )
        if done.returncode:
            return " ".join(done.stdout.split())
        return json.JSONDecoder().raw_decode(done.stdout.partition(" => ")[2])[0]["msg"]

    return run


def test_entries_of_one_name_are_one_and_the_later_layer_wins(merged):
    assert merged(
        {
            "group_vars/all.yml": "checks: [{name: a, limit: 1, unit: MB}, {name: b}]",
            "group_vars/web.yml": "checks: [{name: b, limit: 2}, {name: built-in, state: absent}]",
            "host_vars/here.yml": "own: 3\nchecks: [{name: a, limit: '{{ own }}'}, {name: c}]",
        }
    ) == [
        {"name": "built-in", "state": "absent"},
        {"name": "a", "limit": 3, "unit": "MB"},
        {"name": "b", "limit": 2},
        {"name": "c"},
    ]


def test_extra_variables_are_the_last_layer(merged):
    found = merged(
        {"group_vars/all.yml": "checks: [{name: a, limit: 1}, {name: b}]"},
        "-e",
        '{"checks": [{"name": "a", "limit": 9}]}',
    )
    assert found[1:] == [{"name": "a", "limit": 9}, {"name": "b"}]


def test_a_variable_that_is_not_set_is_its_defaults(merged):
    assert merged({}) == [{"name": "built-in", "state": "present"}]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "checks: {name: a}",
            "here: checks of web: not a list ({'name': 'a'}); give a list of dictionaries with a name each",
        ),
        ("checks: [{limit: 1}]", "here: checks of web[0]: no name ({'limit': 1}); give a dictionary with a name"),
        (
            "checks: [{name: a}, {name: a}]",
            "here: checks of web: the same name twice ('a'); use it once in each layer",
        ),
    ],
)
def test_an_error_names_the_host_and_the_layer(merged, text, complaint):
    assert complaint in merged({"group_vars/web.yml": text})
