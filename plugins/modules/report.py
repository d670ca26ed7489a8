#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of the action lifeline.fleet.report, whose code is plugins/action/report.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Write one HTML page about all hosts, worst first
version_added: 0.1.0
description:
  - Combines the latest results of M(lifeline.fleet.health) with the history in C(lifeline_history), and writes one
    self-contained page on the controller. The page loads nothing, sends nothing, and can be read without JavaScript.
  - The page has a table of all hosts, worst first, with memory and throughput over time; forecasts; the OOM kills on a
    time line; the changes; and the findings and pictures of each host.
  - The playbook C(lifeline.fleet.report) asks the hosts and calls this action.
options:
  path:
    description: The file on the controller. A missing folder is created, and the file is replaced atomically.
    type: path
    required: true
  boxes:
    description: The names of the hosts in the report.
    type: list
    elements: str
    required: true
  readings:
    description:
      - The name of the variable with each host's result of M(lifeline.fleet.health). A host without it is reported from
        the history.
      - Without this option, the report is made from the history only.
    type: str
  days:
    description: How many days the pictures go back; at most 366. They begin later if the history does.
    type: float
    default: 7
  mode:
    description: The mode of the file in octal digits.
    type: str
    default: '0644'
attributes:
  check_mode:
    description: Makes the page in check mode, but does not write it.
    support: full
  diff_mode:
    description: Does not show the difference to the last page.
    support: none
  action:
    description: Everything runs on the controller.
    support: full
  async:
    description: Does not run asynchronously.
    support: none
notes:
  - The page contains the time at which it was made, so the task always reports a change.
  - The page contains the names of hosts, mounts, processes and packages. O(mode) and the folder decide who can read it.
seealso:
  - module: lifeline.fleet.health
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
# ansible-playbook lifeline.fleet.report -e lifeline_report_path=/var/www/fleet.html
- name: Read the state of the host
  lifeline.fleet.health:
  register: reading
  ignore_errors: true
  ignore_unreachable: true

- name: Write the page
  lifeline.fleet.report:
    path: /var/www/fleet.html
    boxes: "{{ ansible_play_hosts_all }}"
    readings: reading
  run_once: true
"""

RETURN = r"""
path:
  description: The path of the page.
  returned: success
  type: str
  sample: /var/www/fleet.html
size:
  description: Its size in bytes.
  returned: success
  type: int
  sample: 121804
counts:
  description: The number of hosts with each verdict.
  returned: success
  type: dict
  sample: {"down": 1, "critical": 3, "unknown": 0, "warning": 1, "ok": 1}
msg:
  description: The path of the page, and a summary.
  returned: always
  type: str
  sample: "/var/www/fleet.html (6 boxes: 1 down, 3 critical, 1 warning, 1 ok)"
"""
