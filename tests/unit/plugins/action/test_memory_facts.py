# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One action serves six fact modules, and each keeps its own name and its own defaults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History
from paths import ROOT

PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
MODULES = ["disk_facts", "fd_facts", "memory_facts", "oom_facts", "pressure_facts", "process_facts"]
PLAY = """
- hosts: all
  gather_facts: false
  module_defaults:
    lifeline.fleet.process_facts: {top: 1}
    lifeline.fleet.disk_facts: {timeout: 1}
    lifeline.fleet.pressure_facts: {sample_seconds: 0.1}
  tasks:
    - lifeline.fleet.disk_facts:
    - lifeline.fleet.fd_facts:
    - lifeline.fleet.memory_facts:
    - lifeline.fleet.oom_facts:
    - lifeline.fleet.pressure_facts:
    - lifeline.fleet.process_facts:
    - ansible.builtin.assert:
        that: ansible_facts['lifeline_processes']['processes'] | length == 1
"""


def test_every_fact_module_with_a_history_is_routed_to_the_action():
    routes = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["plugin_routing"]["modules"]
    routed = {name for name, route in routes.items() if route["action_plugin"] == "lifeline.fleet.memory_facts"}
    assert sorted({*routed, "memory_facts"}) == MODULES
    assert not [name for name in routed if (ROOT / "plugins" / "action" / f"{name}.py").exists()]


def test_defaults_apply_to_their_own_module_only_and_the_history_has_each_by_its_name(tmp_path):
    (tmp_path / "play.yml").write_text(PLAY)
    variables = {"ansible_python_interpreter": sys.executable, "lifeline_history": str(tmp_path / "history.db")}
    done = subprocess.run(
        [PLAYBOOK, "-i", "here,", "-c", "local", "-e", json.dumps(variables), "play.yml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=tmp_path,
        env=dict(
            os.environ,
            ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
            ANSIBLE_STDOUT_CALLBACK="ansible.builtin.default",
            ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".cache" / "collections"),
        ),
    )
    assert done.returncode == 0, done.stdout
    with History(tmp_path / "history.db") as history:
        assert [reading.source for reading in history.readings("here")] == MODULES
