#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of the action lifeline.fleet.answers, whose code is plugins/action/answers.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: answers
short_description: Tell whether a host is down, and since when
version_added: 0.1.0
description:
  - Opens a new connection, even if one exists, and runs a short command on the host. A host that does not answer is
    asked again until O(wait) is over. It is down if it has not answered by then. The task does not fail, and the host
    does not become unreachable.
  - A host whose sshd answers but rejects the login is not down. Neither is a host that the controller could not ask,
    for example because its name cannot be resolved.
options:
  timeout:
    description:
      - How many seconds one attempt may take, from the connection to the answer; at most 300. Ansible's own timeout for
        connections applies as well.
    type: float
    default: 20
  wait:
    description: For how many seconds a host that does not answer is asked again; at most 7200.
    type: float
    default: 45
  state:
    description:
      - A file on the controller that remembers since when hosts have been down. Several runs may use it at once. The
        time begins anew if two readings are more than an hour apart.
    type: path
extends_documentation_fragment:
  - lifeline.fleet.support
  - lifeline.fleet.support.shell
attributes:
  check_mode:
    details:
      - The host is asked, and O(state) is not written.
seealso:
  - module: lifeline.fleet.ec2_reboot
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Ask whether the host answers
  lifeline.fleet.answers:
    state: ~/.local/state/lifeline/down.json
  register: asked

- name: Wait until it has booted
  lifeline.fleet.answers:
    wait: 900
"""

RETURN = r"""
state:
  description: V(up), V(down), or V(unclear) if the controller could not ask.
  returned: always
  type: str
said:
  description: The result of the last attempt in a sentence.
  returned: always
  type: str
  sample: Connection timed out during banner exchange
uptime_seconds:
  description: For how many seconds the host has been up; V(null) if it did not say.
  returned: always
  type: int
down_since:
  description: Since when it has been down, as far as it was asked, in RFC 3339; V(null) if it is not down.
  returned: always
  type: str
  sample: "2026-11-21T13:00:47Z"
down_seconds:
  description: For how many seconds it has been down.
  returned: always
  type: float
msg:
  description: A summary in a sentence.
  returned: always
  type: str
"""
