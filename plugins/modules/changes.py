#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of the action lifeline.fleet.changes, whose code is plugins/action/changes.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: changes
short_description: Report the findings of health that are new since the last look
version_added: 0.1.0
description:
  - Compares the findings of M(lifeline.fleet.health) on all hosts with the earlier findings, and reports what has
    appeared, worsened, eased or cleared. A finding that is unchanged is not repeated, except for urgent ones now and
    then.
  - A host that cannot be reached has the finding C(unreachable). A host that answers but cannot be judged has the
    finding C(unjudged). Its earlier findings are kept until it is judged again.
  - The findings are kept in a file on the controller. A damaged file is renamed, with a warning.
  - Runs once for all hosts, on the controller. The playbook C(lifeline.fleet.watch) uses it.
options:
  looked:
    description: Name of the variable in which the result of M(lifeline.fleet.health) was registered.
    type: str
    required: true
  boxes:
    description: The hosts to compare. A host without the variable O(looked) was not asked, and its findings are kept.
    type: list
    elements: str
    required: true
  state:
    description:
      - The file on the controller that keeps the findings. It is replaced atomically, and not written in check mode.
    type: path
    required: true
  settle:
    description:
      - How many looks in a row a finding must be gone, or less severe, before that is reported. A finding that comes
        and goes is reported once this way.
      - A finding that has appeared or worsened is reported at once.
    type: int
    default: 2
  remind:
    description:
      - After how long a critical finding, a host that cannot be reached or one that cannot be judged is reported again,
        in seconds or with one of the units s, m, h, d and w. V(0) means never.
    type: str
    default: 30m
  report:
    description: A file on the controller for the changes as JSON. It is not written in check mode.
    type: path
  rescue:
    description: Whether to choose the hosts that may be rescued now.
    type: bool
    default: false
  rescue_window:
    description: A host is chosen at most once in this time, in seconds or with one of the units s, m, h, d and w.
    type: str
    default: 15m
  rescue_most:
    description: How many hosts may be chosen per hour, all hosts together.
    type: int
    default: 6
extends_documentation_fragment:
  - lifeline.fleet.support
  - lifeline.fleet.support.controller
attributes:
  check_mode:
    details:
      - The changes are reported, and neither O(state) nor O(report) is written.
seealso:
  - module: lifeline.fleet.health
  - module: lifeline.fleet.only_run
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Read the state of the hosts
  lifeline.fleet.health:
  register: looked
  ignore_unreachable: true
  ignore_errors: true

- name: Report what is new
  lifeline.fleet.changes:
    looked: looked
    boxes: "{{ ansible_play_hosts_all }}"
    state: ~/.lifeline/watch.json
  run_once: true
"""

RETURN = r"""
changes:
  description: The changes, worst first.
  returned: always
  type: list
  elements: dict
  contains:
    box:
      description: The host.
      type: str
      sample: crawler1
    change:
      description: One of V(appeared), V(worsened), V(eased), V(cleared) and V(lasts).
      type: str
      sample: worsened
    check:
      description: The check, as M(lifeline.fleet.health) names it, or C(unreachable) or C(unjudged).
      type: str
      sample: memory_available_percent
    subject:
      description: What the finding is about, such as a mount; V(null) for the host itself.
      type: str
      sample: /data
    severity:
      description: V(warning), V(critical), V(down) or V(unknown); V(ok) if it has cleared.
      type: str
      sample: critical
    was:
      description: The severity before; V(null) if it has appeared.
      type: str
      sample: warning
    message:
      description: The reason in a sentence.
      type: str
      sample: only 31M of 512M memory available
    value:
      description: The value that was read.
      type: float
      sample: 6.1
    threshold:
      description: The threshold that it was compared with.
      type: float
      sample: 10
    unit:
      description: The unit of both.
      type: str
      sample: "%"
    since:
      description: Since when it has had this severity; if it has cleared, since when it had the severity before.
      type: str
      sample: "2026-01-05T10:00:02Z"
    time:
      description: When the change was seen.
      type: str
      sample: "2026-01-05T10:00:02Z"
    text:
      description: The change in one line.
      type: str
      sample: "crawler1 critical, was warning: only 31M of 512M memory available"
boxes:
  description: How many hosts were asked.
  returned: always
  type: int
  sample: 24
rescue:
  description: The hosts that may be rescued now; an empty list unless O(rescue=true).
  returned: always
  type: list
  elements: str
  sample: [crawler1]
held:
  description: The other critical hosts, with the reason why they must wait.
  returned: always
  type: dict
  sample: {"crawler2": "rescued 4 min ago; at most one rescue per 15 min"}
msg:
  description: The changes in words.
  returned: always
  type: raw
  sample: ["crawler1 critical, was warning: only 31M of 512M memory available"]
"""
