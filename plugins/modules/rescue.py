#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Document the action lifeline.fleet.rescue, whose code is plugins/action/rescue.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rescue
short_description: Takes one step to rescue a critical host, and waits for it to recover
version_added: 0.1.0
description:
  - Checks a host like M(lifeline.fleet.health), and plans steps for the critical findings, the gentlest first. It takes
    the first step that is not in O(done), and waits until the host has recovered or O(patience) has passed.
  - "The steps: restart a worker that uses too much memory or has no descriptors left, first gracefully, then by force;
    start a missing worker; resume a worker that the watchdog has given up; restart another service that holds the
    memory. For a full file system: delete apt's downloaded packages, shorten the journal, and reload or restart the
    service that holds deleted files open."
  - A worker without a unit (in tmux, under daemontools or runit) is restarted by C(restart_command) of
    C(lifeline_workers) or C(sidekiq_watchdog_workers), or by C(sidekiq_restart_command), which are read from the
    inventory's variables of the host.
  - It plans a step only if the step can make enough of a difference. It never restarts units that carry SSH, the
    network, systemd, monit and fail2ban, nor units in O(spared).
  - Each check and each step is one round trip, and needs no Python on the host. C(ansible-playbook
    lifeline.fleet.rescue) collects the evidence and takes one step after the other.
options:
  evidence:
    description: C(evidence) from the result of M(lifeline.fleet.evidence).
    type: dict
    required: true
  done:
    description: The names of the steps that have been taken.
    type: list
    elements: str
    default: []
  patience:
    description: Seconds that the host has to recover after a step; at most 3600.
    type: float
    default: 180
  spared:
    description: Patterns of units that are never touched, because their data or the work of others depends on them.
      They hold for workers as well.
    type: list
    elements: str
    default: [redis*, valkey*, mysql*, mariadb*, postgresql*, mongod*, memcached*, elasticsearch*, rabbitmq*, docker*,
      containerd*, podman*, libvirtd*, cron*, rsyslog*, apache2*, nginx*, haproxy*]
  end_processes:
    description:
      - Whether a Sidekiq process that belongs to no unit may be ended, first by TSTP and TERM, then by KILL. Use it
        where something such as daemontools starts the worker again.
    type: bool
    default: false
  log:
    description: A file on the controller to which a line of JSON is added before a step, and another with its result.
    type: path
extends_documentation_fragment:
  - lifeline.fleet.support
  - lifeline.fleet.support.shell
attributes:
  check_mode:
    details:
      - The host is checked, and the plan is returned.
notes:
  - Needs root on the host.
  - Each step is logged on the host under the name C(lifeline-rescue), if that is possible.
seealso:
  - module: lifeline.fleet.health
  - module: lifeline.fleet.evidence
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Check the host
  lifeline.fleet.health:
  register: checked

- name: Collect evidence
  lifeline.fleet.evidence:
    health: "{{ checked }}"
  register: collected

- name: Take the first step
  lifeline.fleet.rescue:
    evidence: "{{ collected.evidence }}"
    log: rescue.log
"""

RETURN = r"""
step:
  description: The step that was taken; V(null) if there was none.
  returned: when the host has answered
  type: str
  sample: restart sidekiq.service
plan:
  description: The remaining steps before this one was taken.
  returned: when the host has answered
  type: list
  elements: str
reasons:
  description: Why there is no step for a critical finding.
  returned: when the host has answered
  type: list
  elements: str
recovered:
  description:
    - Whether no finding is critical any more that a step could fix, and a restarted worker runs as a new process.
      Findings in the past, such as OOM kills, and temporary ones, such as load, don't count.
  returned: when the host has answered
  type: bool
verdict:
  description: The last verdict of health; V(down) if the host no longer answered.
  returned: when the host has answered
  type: str
findings:
  description: The reasons for the verdict.
  returned: when the host has answered
  type: list
  elements: dict
said:
  description: What the step's command printed.
  returned: when a step was taken
  type: str
seconds:
  description: How long the step took, including the wait.
  returned: when a step was taken
  type: float
msg:
  description: The step and its result, in a sentence.
  returned: always
  type: str
  sample: "restart sidekiq.service: it recovered after 4.1 s: ok: 212M of 256M memory available"
"""
