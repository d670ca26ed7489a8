#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual of the action lifeline.fleet.report; its code is plugins/action/report.py and runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Writes one HTML page about all boxes, worst first
version_added: 0.1.0
description:
  - Brings together what M(lifeline.fleet.health) has just returned of each box and what the history in C(lifeline_history) has of it, and
    writes one page on the controller that needs nothing else. It loads nothing, sends nothing, and can be read without JavaScript.
  - The page has all boxes in a table, the worst first, with memory and throughput over time; when what will be used up; the OOM kills on a
    time line; what has changed; and each box's findings and pictures.
  - The playbook C(lifeline.fleet.report) asks the boxes and calls this action.
options:
  path:
    description: The file on the controller. Its folder is made where there is none, and the file is replaced as a whole.
    type: path
    required: true
  boxes:
    description: The names of the hosts that the report is about.
    type: list
    elements: str
    required: true
  readings:
    description:
      - The name of the variable in which each host has the result of M(lifeline.fleet.health). A host without it is reported as the history
        knows it.
      - Without this option the report is of the history alone.
    type: str
  days:
    description: How far back the pictures go; at most 366 days. Where the history is younger, they begin where it does.
    type: float
    default: 7
  mode:
    description: The mode of the file in octal digits.
    type: str
    default: '0644'
attributes:
  check_mode:
    description: Can run in check mode and make the page without writing it.
    support: full
  diff_mode:
    description: Shows what changes.
    support: none
  action:
    description: All of it runs on the controller.
    support: full
  async:
    description: There is nothing to wait for.
    support: none
notes:
  - The page tells when it was made, so that it is written anew, and the task changed, each time.
  - It is one page with the names of boxes, mounts, processes and packages. Who may read it is what O(mode) and its place say.
seealso:
  - module: lifeline.fleet.health
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
# ansible-playbook lifeline.fleet.report -e lifeline_report_path=/var/www/fleet.html
- name: Look how the box is
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
  description: The file.
  returned: success
  type: str
  sample: /var/www/fleet.html
size:
  description: Its size in bytes.
  returned: success
  type: int
  sample: 121804
counts:
  description: How many boxes have each verdict.
  returned: success
  type: dict
  sample: {"down": 1, "critical": 3, "unknown": 0, "warning": 1, "ok": 1}
msg:
  description: Where the page is, and what it says in a line.
  returned: always
  type: str
  sample: "/var/www/fleet.html (6 boxes: 1 down, 3 critical, 1 warning, 1 ok)"
"""
