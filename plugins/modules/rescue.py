#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual of the action lifeline.fleet.rescue; its code is plugins/action/rescue.py and runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rescue
short_description: Takes one step to rescue a critical box, and waits what comes of it
version_added: 0.1.0
description:
  - Looks at a box as M(lifeline.fleet.health) does, and makes a plan of steps for what is critical, the gentlest first. It takes the
    first step that is not among O(done), and waits until the box has recovered, or O(patience) is over.
  - "The steps: restart a worker that uses too much memory or has no descriptors left, quietly, and then by force; start one that is
    missing; resume one that the watchdog has given up; restart another service that holds the memory; for a full file system delete
    apt's downloaded packages, shorten the journal, and have the service that holds deleted files open reopen them, or restart it."
  - A step is planned only where it can work, such as the restart of a service that holds enough. What carries SSH, the network,
    systemd, monit and fail2ban is never restarted, nor what O(spared) names.
  - It is one round trip a look or a step, and needs no Python on the box. C(ansible-playbook lifeline.fleet.rescue) takes the evidence,
    and one step after the other.
options:
  evidence:
    description: What M(lifeline.fleet.evidence) returned as C(evidence).
    type: dict
    required: true
  done:
    description: The steps that have been taken, by name.
    type: list
    elements: str
    default: []
  patience:
    description: Seconds that the box has to recover after a step; at most 3600.
    type: float
    default: 180
  spared:
    description: Patterns of units that are never restarted, because their data or others' work depends on them. Workers are restarted
      nevertheless.
    type: list
    elements: str
    default: [redis*, valkey*, mysql*, mariadb*, postgresql*, mongod*, memcached*, elasticsearch*, rabbitmq*, docker*, containerd*, podman*,
      libvirtd*, cron*, rsyslog*, apache2*, nginx*, haproxy*]
  log:
    description: A file on the controller to which a line of JSON is added before a step, and one that tells what came of it.
    type: path
extends_documentation_fragment:
  - lifeline.fleet.support
  - lifeline.fleet.support.shell
attributes:
  check_mode:
    details:
      - The box is looked at, and the plan returned.
notes:
  - It wants root on the box.
  - Each step is noted in the box's own log, under the name C(lifeline-rescue), as far as that works.
seealso:
  - module: lifeline.fleet.health
  - module: lifeline.fleet.evidence
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Look how the box is
  lifeline.fleet.health:
  register: looked

- name: Keep what it can tell
  lifeline.fleet.evidence:
    health: "{{ looked }}"
  register: kept

- name: Take the first step
  lifeline.fleet.rescue:
    evidence: "{{ kept.evidence }}"
    log: rescue.log
"""

RETURN = r"""
step:
  description: The step that was taken; V(null) where there was none.
  returned: when the box has answered
  type: str
  sample: restart sidekiq.service
plan:
  description: The steps that were left before, where none was taken.
  returned: when the box has answered
  type: list
  elements: str
reasons:
  description: Why there is no step for something that is critical.
  returned: when the box has answered
  type: list
  elements: str
recovered:
  description:
    - Whether nothing is critical any more that a step could mend, and the worker runs anew that a step was to start anew. What has
      passed, such as OOM kills, or passes, such as load, doesn't count.
  returned: when the box has answered
  type: bool
verdict:
  description: What health said at last; V(down) where the box didn't answer any more.
  returned: when the box has answered
  type: str
findings:
  description: The reasons for the verdict.
  returned: when the box has answered
  type: list
  elements: dict
said:
  description: What the step's command printed.
  returned: when a step was taken
  type: str
seconds:
  description: How long the step took, the waiting included.
  returned: when a step was taken
  type: float
msg:
  description: What was done and what came of it, in a sentence.
  returned: always
  type: str
  sample: "restart sidekiq.service: it recovered after 4.1 s: ok: 212M of 256M memory available"
"""
