#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual of the action lifeline.fleet.changes; its code is plugins/action/changes.py and runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: changes
short_description: Tells what health has found that is new since the last look
version_added: 0.1.0
description:
  - Holds what M(lifeline.fleet.health) has found on all boxes against what is known of the looks before, and tells what has appeared,
    worsened, eased or cleared. What is as it was is told no second time, but for what presses, now and then.
  - A box that can't be reached, and one that answers and can't be judged, has a finding that says so, C(unreachable) or C(unjudged). What
    was wrong with it before stays known until it is judged again.
  - What is known is kept in a file on the controller. One that is damaged is set aside, and a warning says so.
  - It is run once for all boxes, on the controller. The playbook C(lifeline.fleet.watch) is made of it.
options:
  looked:
    description: Name of the variable in which the results of M(lifeline.fleet.health) were registered.
    type: str
    required: true
  boxes:
    description: The boxes to go through. Those that have no such variable were not looked at, and stay as they are known.
    type: list
    elements: str
    required: true
  state:
    description: The file, on the controller, in which is kept what is known. It is replaced as a whole, and not touched in check mode.
    type: path
    required: true
  settle:
    description:
      - How many looks in a row a finding has to be gone, or less severe, before that is told. What comes and goes is told once that way.
      - That something has appeared or worsened is told at once.
    type: int
    default: 2
  remind:
    description:
      - How long something critical, a box that can't be reached or one that can't be judged may last before it is told again, in seconds or
        with one of the units s, m, h, d and w. V(0) means never.
    type: str
    default: 30m
  report:
    description: A file on the controller into which the changes are written as JSON. It is not touched in check mode.
    type: path
  rescue:
    description: Whether to choose the boxes that may be rescued now.
    type: bool
    default: false
  rescue_window:
    description: A box is chosen once in so long a time, in seconds or with one of the units s, m, h, d and w.
    type: str
    default: 15m
  rescue_most:
    description: How many boxes may be chosen in an hour, all boxes together.
    type: int
    default: 6
extends_documentation_fragment:
  - lifeline.fleet.support
  - lifeline.fleet.support.controller
attributes:
  check_mode:
    details:
      - What is new is told, and neither the state nor the report is written.
seealso:
  - module: lifeline.fleet.health
  - module: lifeline.fleet.only_run
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Look how the boxes are
  lifeline.fleet.health:
  register: looked
  ignore_unreachable: true
  ignore_errors: true

- name: See what is new
  lifeline.fleet.changes:
    looked: looked
    boxes: "{{ ansible_play_hosts_all }}"
    state: ~/.lifeline/watch.json
  run_once: true
"""

RETURN = r"""
changes:
  description: What is worth saying, worst first.
  returned: always
  type: list
  elements: dict
  contains:
    box:
      description: The box.
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
      description: What was found wanting; V(null) where it is the box itself.
      type: str
      sample: /data
    severity:
      description: V(warning), V(critical), V(down) or V(unknown); V(ok) of what has cleared.
      type: str
      sample: critical
    was:
      description: The severity before; V(null) of what has appeared.
      type: str
      sample: warning
    message:
      description: The reason in words.
      type: str
      sample: only 31M of 512M memory available
    value:
      description: What was read.
      type: float
      sample: 6.1
    threshold:
      description: What it was held against.
      type: float
      sample: 10
    unit:
      description: The unit of both.
      type: str
      sample: "%"
    since:
      description: Since when it has been of this severity; of what has cleared, since when it had been of the one before.
      type: str
      sample: "2026-01-05T10:00:02Z"
    time:
      description: When it was seen.
      type: str
      sample: "2026-01-05T10:00:02Z"
    text:
      description: All of it in one line.
      type: str
      sample: "crawler1 critical, was warning: only 31M of 512M memory available"
boxes:
  description: How many boxes were looked at.
  returned: always
  type: int
  sample: 24
rescue:
  description: The boxes that may be rescued now; none unless O(rescue=true).
  returned: always
  type: list
  elements: str
  sample: [crawler1]
held:
  description: The other critical boxes, and why they may not.
  returned: always
  type: dict
  sample: {"crawler2": "it was rescued 4 min ago, and is once in 15 min"}
msg:
  description: The changes in words.
  returned: always
  type: raw
  sample: ["crawler1 critical, was warning: only 31M of 512M memory available"]
"""
