#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.sidekiq_facts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sidekiq_facts
short_description: Finds out what a host has for its Sidekiq workers
version_added: 0.1.0
description:
  - Finds out, before anything is set up on a host, whether the applications are where the inventory says, who owns
    them, how Sidekiq is started, and its version.
  - Also reads what the role C(sidekiq_watchdog) has recorded of the workers.
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
        description: The manager that starts and stops the worker.
        type: str
        choices: [systemd, command]
        default: systemd
      app_path:
        description: The application's directory.
        type: path
      config_file:
        description: Sidekiq's configuration, by default C(config/sidekiq.yml) of the application.
        type: path
      user:
        description:
          - The user that the worker runs as. By default the owner of O(workers[].app_path), or V(sidekiq) if that is
            root.
        type: str
      command:
        description:
          - The command that starts Sidekiq. By default C(bundle exec sidekiq) if the application has a Gemfile, else
            C(sidekiq). It is looked for on the path, in RVM's wrappers, in the shims of rbenv, asdf and mise, in the
            Rubies below C(/opt/rubies), and in a login shell of the user.
          - Shell syntax is allowed, and so are quotes, a leading C(NAME=value), C(rvm RUBY do), and a shell such as
            C(bash -lc 'bundle exec sidekiq'). The last command gets C(exec) and C("$@"), so options and signals reach
            Sidekiq.
        type: str
      pidfile:
        description: The file with the worker's process ID, for O(workers[].manager=command).
        type: path
notes:
  - C(sidekiq -V) runs as the worker's user, in the application's directory, in a transient unit of systemd without a
    network, which ends after a minute with all that it started. So the look cannot start a worker.
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Find out what the host has
  lifeline.fleet.sidekiq_facts:
    workers:
      - name: sidekiq
        app_path: /var/www/apps/banks/current
"""

RETURN = r"""
ansible_facts:
  description: The facts.
  returned: always
  type: dict
  contains:
    lifeline_sidekiq:
      description: The facts.
      type: dict
      contains:
        memory_bytes:
          description: Memory that the host can use, its RAM or the limit of its control group if that is lower.
          type: int
        systemd_version:
          description: The version of systemd; V(null) without it.
          type: int
        workers:
          description: The workers by name.
          type: dict
          contains:
            app_path_exists:
              description: Whether the application's directory exists.
              type: bool
            config_file:
              description: The path of Sidekiq's configuration without links. Workers with the same one share the file.
              type: str
            user:
              description: The user that the worker will run as; V(null) if O(workers[].app_path) has an unknown owner.
              type: str
            user_exists:
              description: Whether the host has that user.
              type: bool
            user_error:
              description: The reason why no user can be derived; V(null) if there is one.
              type: str
            command:
              description: The command that starts Sidekiq, quoted for a shell, with the program's full path.
              type: str
            command_error:
              description: The reason why it cannot be started; V(null) if it can.
              type: str
            version:
              description: Sidekiq's version.
              type: str
              sample: 7.3.2
            notify:
              description: Whether Sidekiq tells systemd when it is ready, which it does since 6.0.6.
              type: bool
            pidfile_alive:
              description: Whether the pidfile holds the ID of a running process.
              type: bool
            restarts:
              description: Restarts of the worker by the watchdog since boot.
              type: int
            given_up:
              description: Whether the watchdog has given up on the worker.
              type: bool
            paused:
              description: Whether the worker was stopped with C(sidekiq-watchdog pause).
              type: bool
"""

import re

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils import _commands, _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import memory
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import inspection


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
                    "config_file": {"type": "path"},
                    "user": {"type": "str"},
                    "command": {"type": "str"},
                    "pidfile": {"type": "path"},
                },
            },
        },
        supports_check_mode=True,
    )
    host = inspection.Host(
        find=module.get_bin_path,
        run=_commands.run_foreign,
    )
    sources = _reader.read_files(memory.SOURCES)
    _reader.read_files(memory.paths(sources), sources)
    systemd = re.match(r"systemd (\d+)", _reader.run(["systemctl", "--version"]) or "")
    module.exit_json(
        ansible_facts={
            "lifeline_sidekiq": {
                "memory_bytes": memory.parse(sources)["limit_bytes"],
                "systemd_version": int(systemd.group(1)) if systemd else None,
                "workers": {spec["name"]: inspection.facts(spec, host) for spec in module.params["workers"]},
            }
        }
    )


if __name__ == "__main__":
    main()
