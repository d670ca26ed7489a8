#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Document the action lifeline.fleet.supported_system, whose code is plugins/action/supported_system.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: supported_system
short_description: Refuses systems that a role does not support
version_added: 0.1.0
description:
  - Reads C(/etc/os-release) of the host and fails if it is neither Debian 11 or newer, nor Ubuntu 22.04 or newer, nor
    made of one of them.
  - The host is asked once. Further roles of the play take the fact.
options:
  role:
    description: The role, for the message.
    type: str
    required: true
extends_documentation_fragment:
  - lifeline.fleet.support
attributes:
  check_mode:
    details:
      - It only reads, so it works in check mode as well.
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Refuse systems that this role does not support
  lifeline.fleet.supported_system:
    role: fail2ban
"""

RETURN = r"""
ansible_facts:
  description: The host's system.
  returned: success
  type: dict
  contains:
    lifeline_system:
      description: The system, by C(/etc/os-release).
      returned: success
      type: dict
      contains:
        family:
          description: The family, which names the roles' files of variables.
          type: str
          sample: Debian
        name:
          description: The distribution.
          type: str
          sample: ubuntu
        version:
          description: The release, empty for a Debian that is not released yet.
          type: str
          sample: "24.04"
"""
