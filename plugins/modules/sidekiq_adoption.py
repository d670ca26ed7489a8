#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.sidekiq_adoption."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sidekiq_adoption
short_description: Takes over Sidekiq workers that ran before, and gives them back
version_added: 0.1.0
description:
  - Finds what a host already has of the workers that the role C(sidekiq_watchdog) sets up, which are processes of the
    application outside the unit (in tmux, under daemontools, runit or s6, in another unit, in a user's unit), a unit or
    an environment file that the role did not write, and drop-ins that win over the role's limits.
  - Stops such processes gracefully. What would start them again is told not to before they end, and is off after that.
    TSTP and TERM let jobs end or return to their queue; no process is killed.
attributes:
  check_mode:
    description: Can run in check mode and say what would change.
    support: full
  diff_mode:
    description: Shows no texts of files, as they have secrets.
    support: none
options:
  state:
    description:
      - V(looked) fails if something is in the way and O(takeover=refuse), and changes nothing.
      - V(kept) keeps copies of the files that the role is about to write, and turns settings of other drop-ins that
        would win into comments if O(takeover=take).
      - V(stopped) stops the workers outside the unit if O(takeover=take).
      - V(verified) asks systemd for the settings in force, and fails if one differs from O(workers[].in_force).
      - V(reverted) stops the units of all workers of which something is kept, brings the files back with owner, mode
        and targets of links, and starts what ran before.
    type: str
    choices: [looked, kept, stopped, verified, reverted]
    required: true
  takeover:
    description: Whether what is in the way is refused, kept as it is, or taken over.
    type: str
    choices: [refuse, keep, take]
    default: refuse
  seconds:
    description: Seconds that the jobs of workers outside the unit have to end.
    type: int
    default: 300
  workers:
    description: The workers.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The worker's name, which is also that of its unit.
        type: str
        required: true
      manager:
        description: The manager that starts and stops the worker.
        type: str
        choices: [systemd, command]
        default: systemd
      app_path:
        description: The application's directory. With Capistrano's C(current), processes of other releases count too.
        type: path
      pidfile:
        description:
          - The file with the worker's process ID. With O(workers[].manager=command), this process is left alone.
        type: path
      in_force:
        description: Settings of the unit by systemd's names.
        type: dict
        default: {}
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Refuse a host that already has a worker of this application
  lifeline.fleet.sidekiq_adoption:
    state: looked
    workers:
      - name: sidekiq
        app_path: /srv/app/current
"""

RETURN = r"""
changes:
  description: The files that were kept, changed or brought back, and the processes that were stopped.
  returned: success
  type: list
  elements: str
  sample: [/etc/systemd/system/sidekiq.service]
foreign:
  description: The files that the role did not write and that have the names of its own.
  returned: success
  type: list
  elements: str
  sample: [/etc/systemd/system/sidekiq.service]
needed:
  description: Whether there is something for the states V(kept) and V(stopped) to do.
  returned: success
  type: bool
outside:
  description: The Sidekiq processes of the applications that run outside the units.
  returned: success
  type: list
  elements: str
  sample: ["pid 4711 of user app in /srv/app/current, started by tmux"]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils._adoption import adopt
from ansible_collections.lifeline.fleet.plugins.module_utils._adoption.stop import StopError
from ansible_collections.lifeline.fleet.plugins.module_utils._files.aside import AsideError


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {
                "type": "str",
                "choices": ["looked", "kept", "stopped", "verified", "reverted"],
                "required": True,
            },
            "takeover": {"type": "str", "choices": ["refuse", "keep", "take"], "default": "refuse"},
            "seconds": {"type": "int", "default": 300},
            "workers": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "manager": {"type": "str", "choices": ["systemd", "command"], "default": "systemd"},
                    "app_path": {"type": "path"},
                    "pidfile": {"type": "path"},
                    "in_force": {"type": "dict", "default": {}},
                },
            },
        },
        supports_check_mode=True,
    )
    if os.geteuid() != 0:
        module.fail_json(msg="only root can stop workers and write units; set become")

    def run(argv):
        return module.run_command(argv, environ_update={"LC_ALL": "C"})

    adoption = adopt.Adoption(module.params["workers"], module.params["takeover"], run, module.check_mode)
    try:
        told = _act(adoption, module.params["state"], module.params["seconds"])
    except (adopt.AdoptionError, AsideError, StopError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or 'the host'}: {error.strerror}; correct it, and run this again")
    for warning in adoption.warnings:
        module.warn(warning)
    module.exit_json(changed=bool(adoption.changed), changes=adoption.changed, **told)


def _act(adoption, state, seconds):
    found = adoption.look() if state == "looked" else None
    if state == "kept":
        adoption.keep()
    elif state == "stopped":
        adoption.stop(seconds)
    elif state == "verified":
        adoption.verify()
    elif state == "reverted":
        adoption.revert(adopt.kept_names())
    if found is None:
        return {"foreign": [], "outside": [], "needed": False}
    return {
        "needed": bool(found.outside or any(found.files.values()) or any(found.settings.values()) or adoption.is_new()),
        "foreign": [path for paths in found.files.values() for path in paths],
        "outside": [one.told() for one in found.outside],
    }


if __name__ == "__main__":
    main()
