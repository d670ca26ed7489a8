#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the module lifeline.fleet.service_lockdown."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_lockdown
short_description: Stops services that a host does not need, for good, and can restore them
version_added: 0.1.0
description:
  - Stops and disables systemd units, and masks them if asked to, by any of their names. An alias leads to the unit
    behind it. A service takes along the sockets, timers and paths that would start it again, a template its
    instances, and a unit that is made of an init script its links in C(/etc/rc?.d). A job in C(/etc/cron.d) with the
    name of a service is put aside. An absent unit is no error.
  - Before a unit is touched for the first time, its state is written to C(/var/lib/lifeline/service_lockdown). The
    value V(reverted) of O(state) restores all of it.
  - These units are B(protected). SSH and other ways to log in, the network, the message bus, systemd's own units,
    cloud-init, monit, fail2ban, the units of O(protected) and O(workers), and every unit that carries the connection
    of the module. To ask for one of them, or for a unit that would stop one of them, is an error that names it, and
    nothing is touched. No option shortens this list.
  - Units that the worker needs, above all the queue of a Sidekiq, are B(spared). They are left alone and returned in
    RV(spared). So are queues, caches and databases that another client uses, see O(takeover). It is an
    error only if an entry of O(stopped) asks to mask one.
  - Removing an entry later starts nothing. Start the unit by hand, or restore everything with V(reverted).
author:
  - The Lifeline authors (@lifeline-fleet)
attributes:
  check_mode:
    description: Reports in check mode what it would do, and does nothing.
    support: full
  diff_mode:
    description: Returns what has changed, or would change, in check mode.
    support: full
  platform:
    description: The operating systems that the module runs on.
    support: full
    platforms: linux
options:
  state:
    description: V(locked) stops the units of O(stopped). V(reverted) restores the state before the first run.
    type: str
    choices: [locked, reverted]
    default: locked
  stopped:
    description: The units to stop.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - A unit, such as V(varnish), V(cups.socket) or V(php-fpm@.service). A name without a kind is a service. A
            template stands for all of its instances.
        type: str
        required: true
      masked:
        description: Whether to mask it, so it cannot even be started by hand. Defaults to O(masked).
        type: bool
      state:
        description: V(absent) removes an entry of an earlier layer of the inventory.
        type: str
        choices: [present, absent]
        default: present
  unexpected:
    description:
      - Units to stop as well, as M(lifeline.fleet.listener_facts) found them. Those that are protected, or neither a
        service nor a socket, are left alone and returned in RV(left).
    type: list
    elements: str
    default: []
  masked:
    description: Whether to mask the units of O(stopped) whose entry does not say.
    type: bool
    default: false
  protected:
    description: More units that must not be stopped. Wildcards are allowed.
    type: list
    elements: str
    default: []
  workers:
    description: The units of the host's worker. Wildcards are allowed.
    type: list
    elements: str
    default: ['sidekiq*', 'resque*']
  worker_needs:
    description:
      - Units to spare while there is a unit of O(workers) on the host. Wildcards are allowed. Set an empty list if
        the queue of the worker is on another host.
      - Units that the worker's own unit requires or wants are spared in any case.
    type: list
    elements: str
    default: ['redis*', 'valkey*']
  worker_expected:
    description: Whether to spare the units of O(worker_needs) even if the worker has no unit yet.
    type: bool
    default: false
  takeover:
    description:
      - What to do with a queue, a cache or a database of O(stopped) that is in use although no worker's unit says so;
        a process is connected to it, or the configuration of an application in O(applications) names it on this host.
        V(keep) spares it, V(refuse) is an error that names the client, and V(take) stops it.
    type: str
    choices: [refuse, keep, take]
    default: keep
  applications:
    description: The folders of applications on the host, whose configuration is searched for services that they need.
    type: list
    elements: path
    default: []
  guard_installs:
    description:
      - Whether services and sockets that are installed from now on stay off until they are enabled. A systemd preset
        keeps them off, and a condition keeps off those that are made of an init script. C(policy-rc.d) is not used.
      - Installed packages, timers, protected units and basic services (such as cron) are not affected.
      - A package that starts its daemon itself, past C(deb-systemd-invoke), cannot be kept off. On Debian 11 most
        packages that have an init script beside their unit do that. Such a daemon runs until the next boot, or until
        it is stopped as unexpected.
    type: bool
    default: true
  started:
    description: More units that may start when they are installed. Wildcards are allowed.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that a unit has to stop before it is killed.
    type: int
    default: 100
notes:
  - Needs root, systemd, and Python 3.8 or newer with its standard library on the host.
seealso:
  - module: lifeline.fleet.listener_facts
  - module: ansible.builtin.systemd_service
"""

EXAMPLES = r"""
- name: Stop services that this host does not need
  lifeline.fleet.service_lockdown:
    stopped:
      - name: apache2
      - name: varnish
        masked: true

- name: Restore everything
  lifeline.fleet.service_lockdown:
    state: reverted
"""

RETURN = r"""
changes:
  description: What was done, or in check mode would be done, one entry for each unit or file.
  returned: always
  type: list
  elements: str
  sample: ["varnish.service: stopped, disabled, masked"]
units:
  description: The units of the host that the entries of O(stopped) led to.
  returned: always
  type: list
  elements: str
  sample: ["apache2.service", "varnish.service"]
absent:
  description: The entries of O(stopped) that led to no unit.
  returned: always
  type: list
  elements: str
  sample: ["postfix"]
left:
  description: The units of O(unexpected) that must not be stopped, with the reason.
  returned: always
  type: list
  elements: dict
  sample: [{"unit": "session-3.scope", "reason": "it is neither a service nor a socket"}]
spared:
  description: The units that the worker or another client needs.
  returned: always
  type: list
  elements: dict
  sample: [{"unit": "redis-server.service", "needed_by": "sidekiq.service"}]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown.apply import Lockdown, LockdownError, take_lock
from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown.files import Files, FilesError
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.systemctl import Systemd


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["locked", "reverted"], "default": "locked"},
            "stopped": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "masked": {"type": "bool"},
                    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
                },
            },
            "unexpected": {"type": "list", "elements": "str", "default": []},
            "masked": {"type": "bool", "default": False},
            "protected": {"type": "list", "elements": "str", "default": []},
            "workers": {"type": "list", "elements": "str", "default": ["sidekiq*", "resque*"]},
            "worker_needs": {"type": "list", "elements": "str", "default": ["redis*", "valkey*"]},
            "worker_expected": {"type": "bool", "default": False},
            "takeover": {"type": "str", "choices": ["refuse", "keep", "take"], "default": "keep"},
            "applications": {"type": "list", "elements": "path", "default": []},
            "guard_installs": {"type": "bool", "default": True},
            "started": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 100},
        },
        supports_check_mode=True,
    )
    if not os.path.isdir("/run/systemd/system"):
        module.fail_json(msg="systemd does not run on this host, so there are no units to stop")
    if os.geteuid() != 0:
        module.fail_json(msg="only root can stop services; set become: true")
    lockdown = Lockdown(Systemd(module), Files(), module.params, module.check_mode)
    try:
        with take_lock():
            if module.params["state"] == "locked":
                lockdown.lock()
            else:
                lockdown.revert()
    except (LockdownError, FilesError, OSError) as error:
        untouched = "" if lockdown.touched or isinstance(error, LockdownError) else "; nothing was changed"
        module.fail_json(msg=f"{error}{untouched}", changes=lockdown.summary.changes)
    module.exit_json(
        changed=bool(lockdown.summary.changes),
        changes=lockdown.summary.changes,
        **lockdown.told(),
        diff=lockdown.summary.diff(),
    )


if __name__ == "__main__":
    main()
