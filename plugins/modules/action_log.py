#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual of the action lifeline.fleet.action_log; its code is plugins/action/action_log.py and runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: action_log
short_description: Notes on the controller what was done to a box
version_added: 0.1.0
description:
  - Adds a line of JSON to a file on the controller, with the time, the box, and what happened. Many runs may write at once.
options:
  path:
    description: The file. It is made if it isn't there, for its owner only.
    type: path
    required: true
  event:
    description: What happened, in a word or two.
    type: str
    required: true
  values:
    description: What else is to be known.
    type: dict
    default: {}
extends_documentation_fragment:
  - lifeline.fleet.support
attributes:
  check_mode:
    details:
      - Nothing is written.
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Note that the box was rebooted
  lifeline.fleet.action_log:
    path: ~/.local/state/lifeline/reboot.log
    event: reboot
    values:
      said: i-0123456789abcdef0 is rebooted
"""

RETURN = r""" # """
