#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual of the action lifeline.fleet.compare; its code is plugins/action/compare.py and runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compare
short_description: Puts boxes of one purpose side by side and tells which stand out, and how they differ
version_added: 0.1.0
description:
  - Takes what M(lifeline.fleet.health) and M(lifeline.fleet.state_info) have read of all hosts of the play, and prints one report. Run it
    with C(run_once); the playbook C(lifeline.fleet.compare) has all three tasks.
  - A number stands out by its modified z-score, its distance from the median in terms of the median absolute deviation. Where most boxes
    have the very same value, that deviation is 0, and each box that differs stands out. Fewer than four boxes have no outliers.
  - Whatever else is not the same on all boxes of a group is told with the boxes that have it, and with what most others have. What the
    kernel makes of the size of the memory, such as C(fs.file-max), is the same within 2 %.
  - No box is asked for anything.
options:
  health:
    description: Name of the variable in which the result of M(lifeline.fleet.health) was registered.
    type: str
    default: compare_health
  state:
    description: Name of the variable in which the result of M(lifeline.fleet.state_info) was registered.
    type: str
    default: compare_state
  groups:
    description:
      - The groups whose boxes are compared. A box of several stands in the first of them.
      - By default each box is compared within the most specific group of the inventory that has another host of the play in it, and
        those without such a group with each other.
    type: list
    elements: str
  since:
    description:
      - How far back changes of each box are told, as V(24h), V(2 days ago), or a time in RFC 3339. A time without an offset is the
        controller's local time.
      - Needs the variable C(lifeline_history), and a history that goes back so far. Where it doesn't, the report says so.
    type: str
  ignore:
    description: Names that may differ, as patterns of a shell, such as V(package:linux-image-*).
    type: list
    elements: str
    default: []
  score:
    description: The modified z-score beyond which a number stands out.
    type: float
    default: 3.5
  floor:
    description: How many percent off the median it must be as well.
    type: float
    default: 10
  path:
    description: A file on the controller for all of the report as JSON. It isn't written in check mode.
    type: path
attributes:
  check_mode:
    description: Runs in check mode and returns the same as without it.
    support: full
  diff_mode:
    description: Returns what has changed, or would change, in check mode.
    support: none
    details:
      - Nothing is ever changed.
seealso:
  - module: lifeline.fleet.health
  - module: lifeline.fleet.state_info
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
# ansible-playbook lifeline.fleet.compare -e lifeline_compare_groups=crawler
- name: Read the numbers
  lifeline.fleet.health:
  register: compare_health

- name: Read the state
  lifeline.fleet.state_info:
    workers: "{{ compare_health.workers }}"
  register: compare_state

- name: Compare
  lifeline.fleet.compare:
    since: 2 days ago
    path: /var/tmp/comparison.json
  run_once: true
"""

RETURN = r"""
msg:
  description: The report as text, which is also printed.
  returned: always
  type: str
report:
  description: All of it, as in the file O(path).
  returned: success
  type: dict
  contains:
    made:
      description: When it was made, RFC 3339 in UTC.
      type: str
      sample: "2026-10-03T22:19:59Z"
    since:
      description: How far back changes are told; V(null) where they aren't.
      type: str
    unreachable:
      description: The boxes that could not be compared, each with its C(box) and the C(reason).
      type: list
      elements: dict
    groups:
      description: The groups.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the group in the inventory; V(all) or V(others) for boxes without one of their own.
          type: str
        boxes:
          description: The boxes that are compared.
          type: list
          elements: str
        fewest:
          description: How many boxes it takes for an outlier.
          type: int
          sample: 4
        numbers:
          description:
            - The numbers, with C(metric) and C(subject) as in the history, the C(median), the C(values) by box, and the C(outliers).
            - An outlier has its C(box), C(value) and C(score), which is V(null) where most boxes have the very same value.
          type: list
          elements: dict
        differences:
          description:
            - What differs, with its C(name) as M(lifeline.fleet.state_info) has it, and C(values), each with its C(value) and C(boxes),
              what most have first. The value V(null) is that there is no such thing. On boxes that are in none of them it could not be
              read.
            - C(majority) is whether the first value has more boxes than any other.
          type: list
          elements: dict
        changes:
          description:
            - What has changed since then, with C(name), C(before), C(after), C(boxes), and the C(first) and C(last) time at which it was
              first seen on one of them. V(null) where nobody asked.
          type: list
          elements: dict
        known_since:
          description: The boxes whose history doesn't go back so far, each with its C(box) and the C(time) of the first record.
          type: list
          elements: dict
        unread:
          description: The boxes of which not all could be read, each with its C(box) and the C(parts).
          type: list
          elements: dict
"""
