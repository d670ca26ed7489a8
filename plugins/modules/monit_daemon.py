#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the module lifeline.fleet.monit_daemon."""

from __future__ import annotations

DOCUMENTATION = r"""
module: monit_daemon
short_description: Has the running monit follow its configuration, and waits until it reports so
version_added: 0.1.0
description:
  - Has monit read its configuration again if a file of it is newer than what the daemon runs with.
  - Monitors checks again that were put out of monitoring, by hand or by one of their rules.
  - Then waits until the daemon itself reports each of O(checks) as monitored, and fails with what it reports otherwise.
attributes:
  check_mode:
    description: Can run in check mode and report whether monit would read its configuration or monitor a check again.
    support: full
  diff_mode:
    description: No file changes.
    support: none
options:
  control_file:
    description: Monit's control file. It must have C(set httpd unixsocket).
    type: path
    default: /etc/monit/monitrc
  checks:
    description: The checks that must be monitored.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait for the daemon to answer, and to report all O(checks) as monitored.
    type: int
    default: 120
  poll_seconds:
    description:
      - The seconds between two polls that monit must have in force. If a file says otherwise, the error names its line.
    type: int
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Monitor the worker with monit
  lifeline.fleet.monit_daemon:
    checks: [crawler]
"""

RETURN = r"""
version:
  description: Monit's version.
  returned: success
  type: str
  sample: 5.33.0
reloaded:
  description: Whether monit read its configuration again.
  returned: success
  type: bool
monitored_again:
  description: The checks that were out of monitoring.
  returned: success
  type: list
  elements: str
checks:
  description: All checks of the daemon by name.
  returned: success
  type: dict
  contains:
    kind:
      description: The kind of the check, such as V(process).
      type: str
    monitored:
      description: One of V(yes), V(no), V(initializing), V(waiting).
      type: str
    waits:
      description: Whether an action is waiting to be done.
      type: bool
    ok:
      description: Whether none of its rules matches.
      type: bool
    message:
      description: What monit reports about it.
      type: str
    pid:
      description: The process ID.
      type: int
    memory_total_bytes:
      description: Resident set size of the process and its children.
      type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands
from ansible_collections.lifeline.fleet.plugins.module_utils._monit.daemon import Daemon, DaemonError, Options


def main():
    module = AnsibleModule(
        argument_spec={
            "control_file": {"type": "path", "default": "/etc/monit/monitrc"},
            "checks": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 120},
            "poll_seconds": {"type": "int"},
        },
        supports_check_mode=True,
    )
    options = Options(*(module.params[name] for name in Options._fields))
    try:
        result = Daemon(Commands.of_module(module), options, module.check_mode).run()
    except DaemonError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
