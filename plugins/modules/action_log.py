#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Document the action lifeline.fleet.action_log, whose code is plugins/action/action_log.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: action_log
short_description: Logs on the controller what was done to a host
version_added: 0.1.0
description:
  - Adds a line of JSON with the time, the host and the event to a file on the controller. Many runs may write at the
    same time.
options:
  path:
    description: The file. It is created for its owner only if it doesn't exist.
    type: path
    required: true
  event:
    description: The event, in a word or two.
    type: str
    required: true
  values:
    description: Further values to log.
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
- name: Log the reboot
  lifeline.fleet.action_log:
    path: ~/.local/state/lifeline/reboot.log
    event: reboot
    values:
      said: i-0123456789abcdef0 is rebooted
"""

RETURN = r""" # """
