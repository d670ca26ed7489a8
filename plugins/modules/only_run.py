#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual of the action lifeline.fleet.only_run; its code is plugins/action/only_run.py and runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: only_run
short_description: Tells whether another run of the same playbook has not ended yet
version_added: 0.1.0
description:
  - Notes in a file on the controller that this run of C(ansible-playbook) is the one, unless another one that still lives is noted there.
  - Nothing has to be given back at the end, and a run that was killed leaves nothing behind.
options:
  path:
    description: The file, on the controller. Runs that name the same file exclude each other.
    type: path
    required: true
extends_documentation_fragment:
  - lifeline.fleet.support
  - lifeline.fleet.support.controller
attributes:
  check_mode:
    details:
      - It is noted in check mode as well.
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: See whether the last run still goes on
  lifeline.fleet.only_run:
    path: ~/.lifeline/watch.lock
  register: run
  run_once: true

- name: Leave the boxes to it
  ansible.builtin.meta: end_play
  when: not run.alone
"""

RETURN = r"""
alone:
  description: Whether no other run is noted in the file that still lives.
  returned: always
  type: bool
  sample: true
msg:
  description: The same in words, with the other run's process and since when it runs.
  returned: always
  type: str
  sample: "another run (pid 4711, since 2026-01-05T10:00:02Z) has not ended yet: this one leaves the boxes to it"
"""
