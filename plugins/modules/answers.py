#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual of the action lifeline.fleet.answers; its code is plugins/action/answers.py and runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: answers
short_description: Tells whether a box really doesn't answer, and since when
version_added: 0.1.0
description:
  - Opens a connection of its own, whatever connection stands from before, and has the box say a word. A box that doesn't is asked again
    until O(wait) is over, and is down then. The task doesn't fail, and the box is not unreachable.
  - A box whose sshd speaks but doesn't let us in is not down. Nor is one that this machine could not ask, because it doesn't know its
    address.
options:
  timeout:
    description: Seconds that an attempt may take, from the connection to the answer; at most 300. Ansible's own timeout for connecting
      holds as well.
    type: float
    default: 20
  wait:
    description: Seconds for which a box that doesn't answer is asked again; at most 7200.
    type: float
    default: 45
  state:
    description:
      - A file on the controller that remembers since when boxes are down, for many runs at once. Where two looks are more than an hour
        apart, the time counts anew.
    type: path
extends_documentation_fragment:
  - lifeline.fleet.support
  - lifeline.fleet.support.shell
attributes:
  check_mode:
    details:
      - The box is asked, and O(state) stays as it is.
seealso:
  - module: lifeline.fleet.ec2_reboot
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Ask whether the box answers
  lifeline.fleet.answers:
    state: ~/.local/state/lifeline/down.json
  register: asked

- name: Wait until it has booted
  lifeline.fleet.answers:
    wait: 900
"""

RETURN = r"""
state:
  description: V(up), V(down), or V(unclear) where this machine could not ask.
  returned: always
  type: str
said:
  description: What came of the last attempt, in words.
  returned: always
  type: str
  sample: Connection timed out during banner exchange
uptime_seconds:
  description: Since when the box runs; V(null) where it doesn't say.
  returned: always
  type: int
down_since:
  description: Since when it is down, as far as anybody has looked, in RFC 3339; V(null) where it is not.
  returned: always
  type: str
  sample: "2026-11-21T13:00:47Z"
down_seconds:
  description: How long that is.
  returned: always
  type: float
msg:
  description: All that in a sentence.
  returned: always
  type: str
"""
