#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of the action lifeline.fleet.compare, whose code is plugins/action/compare.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compare
short_description: Compare hosts of one purpose, and report outliers and differences
version_added: 0.1.0
description:
  - Uses the results of M(lifeline.fleet.health) and M(lifeline.fleet.state_info) for all hosts of the play, and prints
    one report. Run it with C(run_once). The playbook C(lifeline.fleet.compare) has all three tasks.
  - A number is an outlier by its modified z-score, which is its distance from the median in terms of the median
    absolute deviation. That deviation is 0 if most hosts have the same value; each host with another value is an
    outlier then. Fewer than four hosts have no outliers.
  - Everything else that is not the same on all hosts of a group is listed with the hosts that have it, and with the
    value that most others have. Values that the kernel computes from the size of the memory, such as C(fs.file-max),
    count as equal within 2 %.
  - The hosts are not asked.
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
      - The groups whose hosts are compared. A host in several of them belongs to the first.
      - By default, each host is compared within its most specific group that contains another host of the play. Hosts
        without such a group are compared with each other.
    type: list
    elements: str
  since:
    description:
      - How far back the report lists changes, as V(24h), V(2 days ago), or a time in RFC 3339. A time without an offset
        is the controller's local time.
      - Needs the variable C(lifeline_history). The report names the hosts whose history begins later.
    type: str
  ignore:
    description: Names that may differ, as shell patterns, such as V(package:linux-image-*).
    type: list
    elements: str
    default: []
  score:
    description: The modified z-score beyond which a number is an outlier.
    type: float
    default: 3.5
  floor:
    description: An outlier is also at least this many percent away from the median.
    type: float
    default: 10
  path:
    description: A file on the controller for the whole report as JSON. It is not written in check mode.
    type: path
attributes:
  check_mode:
    description: Runs in check mode and returns the same as without it.
    support: full
  diff_mode:
    description: Has no differences to show.
    support: none
    details:
      - The action changes nothing.
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
  description: The report as text. It is printed as well.
  returned: always
  type: str
report:
  description: The whole report, as in the file O(path).
  returned: success
  type: dict
  contains:
    made:
      description: When it was made, RFC 3339 in UTC.
      type: str
      sample: "2026-10-03T22:19:59Z"
    since:
      description: How far back changes are listed; V(null) if they are not.
      type: str
    unreachable:
      description: The hosts that could not be compared, each with its C(box) and the C(reason).
      type: list
      elements: dict
    groups:
      description: The groups.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the group in the inventory; V(all) or V(others) for hosts without a group of their own.
          type: str
        boxes:
          description: The hosts that are compared.
          type: list
          elements: str
        fewest:
          description: The least number of hosts that can have outliers.
          type: int
          sample: 4
        numbers:
          description:
            - The numbers, with C(metric) and C(subject) as in the history, the C(median), the C(values) by host, and
              the C(outliers).
            - An outlier has its C(box), C(value) and C(score). The score is V(null) if most hosts have the same value.
          type: list
          elements: dict
        differences:
          description:
            - The differences, with the C(name) as in M(lifeline.fleet.state_info), and the C(values), each with its
              C(value) and C(boxes), the most frequent first. The value V(null) stands for "not there". On a host that
              is in none of the values, it could not be read.
            - C(majority) is whether the first value has more hosts than any other.
          type: list
          elements: dict
        changes:
          description:
            - The changes since then, with C(name), C(before), C(after), C(boxes), and the C(first) and C(last) time at
              which the change was first seen on one of them. V(null) without O(since).
          type: list
          elements: dict
        known_since:
          description:
            - The hosts whose history does not go back so far, each with its C(box) and the C(time) of the first record.
          type: list
          elements: dict
        unread:
          description: The hosts that could not be read completely, each with its C(box) and the C(parts).
          type: list
          elements: dict
"""
