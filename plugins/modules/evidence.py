#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual of the action lifeline.fleet.evidence; its code is plugins/action/evidence.py and runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence
short_description: Keeps what a box can tell before anybody touches it
version_added: 0.1.0
description:
  - Reads in one round trip what somebody who asks later why a box was dying will want to know, and keeps it in one archive on the
    controller. It holds the process table, the memory map and the open files of the workers and of the largest processes, the kernel's
    log, pressure, slabs, sockets, deleted files that are still open, and what systemd, monit and Redis say of the workers.
  - The reading is done by a POSIX C(sh) script, as that of M(lifeline.fleet.health) is, with no Python and no file on the box. It asks
    the kernel to kill it before all others. On a box with less than 32 MB left, what takes most memory is not read.
  - The archive is a recorded box, which the parsers of this collection can read again, with more that only people read.
options:
  path:
    description: The folder for the archives, on the controller. It is made if it isn't there, for its owner only.
    type: path
    default: ~/.lifeline/evidence
  log:
    description: A file on the controller to which a line of JSON is added that tells of the archive.
    type: path
  health:
    description: What M(lifeline.fleet.health) returned, which tells who the workers are and how short of memory the box is.
    type: dict
  timeout:
    description: Seconds that a mount of the network is waited for before it is called hung; at most 60.
    type: float
    default: 2
  deadline:
    description: Seconds that a box has to answer. In the last 30 of them nothing further is begun.
    type: float
    default: 90
extends_documentation_fragment:
  - lifeline.fleet.support
  - lifeline.fleet.support.shell
attributes:
  check_mode:
    details:
      - The box is read, and no archive is written.
notes:
  - Command lines and logs can hold secrets. Archives are for their owner only; look through one before you pass it on.
  - Without root only a part of it can be read.
seealso:
  - module: lifeline.fleet.health
  - module: lifeline.fleet.rescue
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
# ansible crawler3 -m lifeline.fleet.evidence
- name: Look how the box is
  lifeline.fleet.health:
  register: looked

- name: Keep what it can tell
  lifeline.fleet.evidence:
    path: ~/evidence
    health: "{{ looked }}"
"""

RETURN = r"""
archive:
  description: Where the archive is; V(null) in check mode.
  returned: when the box has answered
  type: str
  sample: ~/.lifeline/evidence/crawler3-20261121T125208Z.tar.gz
evidence:
  description: What a plan needs to know of the box.
  returned: when the box has answered
  type: dict
  contains:
    processes:
      description: All processes that belong to a service, by their number, each with its C(unit), C(name) and C(rss_bytes).
      type: dict
    services:
      description: What systemd says of the services that were looked at, by name.
      type: dict
    workers:
      description: Which worker a service is, by the name of the service.
      type: dict
    titles:
      description: The command lines of the workers' processes, by their number.
      type: dict
    deleted:
      description: Files that are deleted and open, with C(path), C(bytes), C(pid) and C(unit).
      type: list
      elements: dict
    watched:
      description: The processes that monit watches.
      type: list
      elements: str
    space:
      description: Bytes in folders that may be emptied, by path.
      type: dict
msg:
  description: What was kept, in a sentence.
  returned: always
  type: str
"""
