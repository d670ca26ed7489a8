#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Document the action lifeline.fleet.only_run, whose code is plugins/action/only_run.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: only_run
short_description: Tells whether another run of the same playbook is still active
version_added: 0.1.0
description:
  - Records this run of C(ansible-playbook) in a file on the controller, unless the file names another run that is still
    active.
  - The record needs no clean-up, even if the run is killed.
options:
  path:
    description: The file on the controller. Runs with the same file exclude each other.
    type: path
    required: true
  longest:
    description: How long a run may take before it counts as stuck, such as V(30m).
    type: str
    default: 1h
extends_documentation_fragment:
  - lifeline.fleet.support
  - lifeline.fleet.support.controller
attributes:
  check_mode:
    details:
      - It works in check mode as well.
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Check whether another run is active
  lifeline.fleet.only_run:
    path: ~/.lifeline/watch.lock
  register: run
  run_once: true

- name: End this run
  ansible.builtin.meta: end_play
  when: not run.alone
"""

RETURN = r"""
alone:
  description: Whether no other run in the file is active.
  returned: always
  type: bool
  sample: true
stuck:
  description: Whether another run is active and has been for longer than O(longest).
  returned: always
  type: bool
  sample: false
msg:
  description: The same in words, with the other run's pid, start time and age.
  returned: always
  type: str
  sample: "another run (pid 4711, since 2026-01-05T10:00:02Z, 40 s) has not ended yet: this run leaves the boxes to it"
"""
