#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.sidekiq_facts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sidekiq_facts
short_description: What a box has for its Sidekiq workers
version_added: 0.1.0
description:
  - Looks at a box before anything is set up there - whether the applications are where they should be, whose they are, how Sidekiq is
    started for them, and which version that is - and at what role C(sidekiq_watchdog) has noted of its workers.
extends_documentation_fragment:
  - lifeline.fleet.facts.attributes
options:
  workers:
    description: The workers.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The worker's name.
        type: str
        required: true
      manager:
        description: What starts and stops the worker.
        type: str
        choices: [systemd, command]
        default: systemd
      app_path:
        description: The application's directory.
        type: path
      user:
        description: The user that the worker runs as. Without it, the owner of O(workers[].app_path), or V(sidekiq) where that is root.
        type: str
      command:
        description:
          - How Sidekiq is started. Without it, C(bundle exec sidekiq) where the application has a Gemfile, else C(sidekiq).
        type: str
      pidfile:
        description: The file with the worker's number, where O(workers[].manager=command).
        type: path
notes:
  - Sidekiq is asked for its version as the worker's user, in the application's directory.
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Look at the box
  lifeline.fleet.sidekiq_facts:
    workers:
      - name: sidekiq
        app_path: /var/www/apps/banks/current
"""

RETURN = r"""
ansible_facts:
  description: What was found.
  returned: always
  type: dict
  contains:
    lifeline_sidekiq:
      description: What was found.
      type: dict
      contains:
        memory_bytes:
          description: What the box can use of memory, the limit of its control group included.
          type: int
        systemd_version:
          description: The version of systemd, V(null) without it.
          type: int
        workers:
          description: The workers by name.
          type: dict
          contains:
            app_path_exists:
              description: Whether the application's directory is there.
              type: bool
            user:
              description: The user that the worker is to run as.
              type: str
            user_exists:
              description: Whether the box has that user.
              type: bool
            command:
              description: How Sidekiq is started, with the program's full path.
              type: str
            command_error:
              description: Why it can't be started, V(null) where it can.
              type: str
            version:
              description: Sidekiq's version.
              type: str
              sample: 7.3.2
            notify:
              description: Whether Sidekiq tells systemd when it is ready, as it does from 6.0.6 on.
              type: bool
            pidfile_alive:
              description: Whether the pidfile has the number of a process that runs.
              type: bool
            restarts:
              description: How often the watchdog has restarted the worker since boot.
              type: int
            given_up:
              description: Whether the watchdog has given up on the worker.
              type: bool
            paused:
              description: Whether somebody has stopped the worker by C(sidekiq-watchdog pause).
              type: bool
"""

import os
import pwd
import re
import shlex

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import memory
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.watchdog import STATE, parse

NOTIFY_SINCE = (6, 0, 6)


def owner(path):
    name = pwd.getpwuid(os.stat(path).st_uid).pw_name
    return "sidekiq" if name == "root" else name


def exists(user):
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


class Worker:
    def __init__(self, module, spec):
        self.module, self.spec = module, spec

    def facts(self):
        state = parse(_reader.read_files([STATE % self.spec["name"]]).get(STATE % self.spec["name"], ""))
        facts = {
            "app_path_exists": False,
            "user": self.spec["user"],
            "user_exists": False,
            "command": self.spec["command"],
            "command_error": None,
            "version": None,
            "notify": False,
            "pidfile_alive": self.pidfile_alive(),
            **state,
        }
        path = self.spec["app_path"]
        if self.spec["manager"] == "systemd" and path and os.path.isdir(path):
            facts["app_path_exists"] = True
            facts["user"] = facts["user"] or owner(path)
            facts["user_exists"] = exists(facts["user"])
            facts.update(self.command(path, facts["user"] if facts["user_exists"] else "nobody"))
        return facts

    def pidfile_alive(self):
        pid = (
            _reader.read_files([self.spec["pidfile"]]).get(self.spec["pidfile"], "").strip()
            if self.spec["pidfile"]
            else ""
        )
        return pid.isdecimal() and os.path.isdir("/proc/" + pid)

    def command(self, path, user):
        """How Sidekiq is started there, and which one that is."""
        command = self.spec["command"]
        if not command:
            command = "bundle exec sidekiq" if os.path.exists(os.path.join(path, "Gemfile")) else "sidekiq"
        words = shlex.split(command)
        program = words[0] if words[0].startswith("/") else self.module.get_bin_path(words[0])
        if program is None or not os.access(program, os.X_OK):
            return {
                "command": command,
                "command_error": f"there is no program {words[0]} on the box: install Sidekiq, or say how it is started",
            }
        words[0] = program
        # runuser, for the application's own files decide, and they may be closed to others.
        code, out, err = self.module.run_command(["runuser", "-u", user, "--", *words, "-V"], cwd=path)
        version = re.search(r"Sidekiq (\d+(?:\.\d+)+)", out)
        if code or version is None:
            return {
                "command": " ".join(words),
                "command_error": f"{' '.join(words)} -V, as {user} in {path}, answers: {' '.join((err or out).split())[:300] or 'nothing'}",
            }
        numbers = tuple(int(number) for number in version.group(1).split("."))
        return {"command": " ".join(words), "version": version.group(1), "notify": numbers >= NOTIFY_SINCE}


def main():
    module = AnsibleModule(
        argument_spec={
            "workers": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "manager": {"type": "str", "choices": ["systemd", "command"], "default": "systemd"},
                    "app_path": {"type": "path"},
                    "user": {"type": "str"},
                    "command": {"type": "str"},
                    "pidfile": {"type": "path"},
                },
            },
        },
        supports_check_mode=True,
    )
    sources = _reader.read_files(memory.SOURCES)
    _reader.read_files(memory.paths(sources), sources)
    systemd = re.match(r"systemd (\d+)", _reader.run(["systemctl", "--version"]) or "")
    module.exit_json(
        ansible_facts={
            "lifeline_sidekiq": {
                "memory_bytes": memory.parse(sources)["limit_bytes"],
                "systemd_version": int(systemd.group(1)) if systemd else None,
                "workers": {spec["name"]: Worker(module, spec).facts() for spec in module.params["workers"]},
            }
        }
    )


if __name__ == "__main__":
    main()
