#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Document the action lifeline.fleet.evidence, whose code is plugins/action/evidence.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence
short_description: Collects evidence of a host in trouble in an archive
version_added: 0.1.0
description:
  - Reads the evidence for a later investigation in one round trip, and writes it to one archive on the controller. The
    archive has the process table, the memory map and the open files of the workers and of the largest processes, the
    kernel log, pressure, slabs, sockets, deleted files that are still open, and what systemd, monit and Redis report
    about the workers.
  - Like M(lifeline.fleet.health), it runs a POSIX C(sh) script, without Python and without files on the host. The
    script tells the OOM killer to choose it first. On a host with less than 32 MB left, it skips the parts that take
    most memory.
  - The parsers of this collection can read the archive again as a recorded host. Other parts of it are only for people.
options:
  path:
    description: The folder for the archives on the controller. It is created for its owner only if it doesn't exist.
    type: path
    default: ~/.lifeline/evidence
  log:
    description: A file on the controller to which a line of JSON about the archive is added.
    type: path
  health:
    description: The result of M(lifeline.fleet.health). It names the workers and shows how much memory is left.
    type: dict
  timeout:
    description: Seconds after which a network mount without an answer counts as hung; at most 60.
    type: float
    default: 2
  deadline:
    description: Seconds that the host has to answer. No part is started in the last 30 of them.
    type: float
    default: 90
extends_documentation_fragment:
  - lifeline.fleet.support
  - lifeline.fleet.support.shell
attributes:
  check_mode:
    details:
      - The host is read, but no archive is written.
notes:
  - Command lines and logs can contain secrets. Archives are readable by their owner only; check one before you pass it
    on.
  - Without root only a part of the evidence can be read.
seealso:
  - module: lifeline.fleet.health
  - module: lifeline.fleet.rescue
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
# ansible crawler3 -m lifeline.fleet.evidence
- name: Check the host
  lifeline.fleet.health:
  register: checked

- name: Collect evidence
  lifeline.fleet.evidence:
    path: ~/evidence
    health: "{{ checked }}"
"""

RETURN = r"""
archive:
  description: The path of the archive; V(null) in check mode.
  returned: when the host has answered
  type: str
  sample: ~/.lifeline/evidence/crawler3-20261121T125208Z.tar.gz
evidence:
  description: The facts that the rescue plan needs.
  returned: when the host has answered
  type: dict
  contains:
    processes:
      description: All processes of services by their pid, each with C(unit), C(name) and C(rss_bytes).
      type: dict
    services:
      description: What systemd reports about the examined services, by name.
      type: dict
    workers:
      description: The worker that belongs to a service, by the name of the service.
      type: dict
    titles:
      description: The command lines of the workers' processes, by their pid.
      type: dict
    deleted:
      description: Deleted files that are still open, with C(path), C(bytes), C(pid) and C(unit).
      type: list
      elements: dict
    watched:
      description: The processes that monit monitors.
      type: list
      elements: str
    space:
      description: Bytes in folders that may be emptied, by path.
      type: dict
msg:
  description: What was collected, in a sentence.
  returned: always
  type: str
"""
