#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual of the action lifeline.fleet.state_info; its code is plugins/action/state_info.py and runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: state_info
short_description: Tells what a box is made of, so that boxes can be compared
version_added: 0.1.0
description:
  - Reads in one round trip the kernel and its command line, packages, Ruby and gems, sysctls, systemd units, limits of the workers and of
    sshd, mount options, time zone and locale.
  - The reading is done by a small POSIX C(sh) script, which needs no Python on the box and writes no file there. It is the first that the
    kernel may kill where memory runs out.
  - It runs nothing that belongs to a user. Gems are told by the names of their specifications, in the system's folders, in those of the
    common version managers, in the homes of root and of the workers' users, and in the application's own bundle.
  - Only what stays the same until something changes it is told. Left out are counters, random numbers and secrets, host names, numbers of
    machines, addresses and disks, interfaces and units that come and go, and whether a unit runs that ends by itself.
  - Where the variable C(lifeline_history) names a file on the controller, what has changed since the last time is kept there.
options:
  workers:
    description:
      - The processes whose limits, programs and environment are told, as M(lifeline.fleet.health) returns them.
      - Of the environment only variables leave the box that say how memory is managed, which environment it is, and where gems are, such
        as C(MALLOC_ARENA_MAX), C(RUBY_GC_*), C(LD_PRELOAD), C(RAILS_ENV) and C(GEM_HOME).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What the worker is called.
        type: str
        required: true
      pids:
        description: Its processes.
        type: list
        elements: int
        required: true
  app_path:
    description:
      - The folder of an application whose C(Gemfile.lock) is read. By default those of C(sidekiq_watchdog_workers), or what the variables
        C(app_path) and C(app_base) say; an empty text means none.
    type: str
  deadline:
    description:
      - Seconds that a box has to answer once it has accepted the connection. After that it counts as unreachable.
      - Must be more than 30. When all but the last 30 of them are over, what has not been begun is left out.
    type: float
    default: 90
extends_documentation_fragment:
  - lifeline.fleet.facts.attributes
  - lifeline.fleet.support.shell
attributes:
  become:
    description: Can be used with C(become).
    support: full
    details:
      - Without root a few sysctls, and the programs and environments of other users' workers, can't be read.
  facts:
    support: none
    details:
      - Thousands of names would be in the way of every other task.
seealso:
  - module: lifeline.fleet.compare
  - module: lifeline.fleet.health
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: See what the boxes are made of
  lifeline.fleet.state_info:
  register: state

- name: Refuse boxes with another OpenSSL
  ansible.builtin.assert:
    that: state.state['package:openssl'] is version('3.0.15', '>=')
"""

RETURN = r"""
state:
  description:
    - "What the box is made of: texts by name."
    - "Of the box itself: C(kernel), C(kernel_build), C(os), C(os_version), C(hardware), C(cpu), C(clocksource), C(timezone),
      C(transparent_hugepage), C(transparent_hugepage_defrag), C(ruby)."
    - "C(package:NAME) has the versions that are installed, C(gem:NAME) as well; C(bundle:NAME) what C(Gemfile.lock) says."
    - "C(sysctl:NAME), C(cmdline:PARAMETER), C(locale:VARIABLE) and C(mount:PATH) have their values; C(unit-file:PATH) the checksum of a
      file below C(/etc/systemd/system); C(unit:NAME) whether the unit is enabled, and then C(active), C(failed) or C(restarting)."
    - "C(limit:WORKER:NAME) has the limit that C(ulimit) knows as V(nofile) and so on, soft and hard with a colon between them where they
      differ; C(program:WORKER) the file that it runs; C(environment:WORKER:VARIABLE) what it was told. The worker V(sshd) is the one
      that listens."
  returned: when the box has answered
  type: dict
  sample: {"kernel": "6.1.0-42-amd64", "package:openssl": "3.0.18-1~deb12u1", "sysctl:vm.swappiness": "60",
           "unit:cron.service": "enabled, active", "gem:sidekiq": "6.4.1", "limit:sshd:nofile": "1024:524288"}
whole:
  description: "The prefixes of which RV(state) has all names, so that what isn't there is not on the box."
  returned: when the box has answered
  type: list
  elements: str
  sample: ["cmdline:", "locale:", "mount:", "package:", "sysctl:", "unit:", "unit-file:", "gem:"]
unread:
  description: What could not be read, or not as a whole, such as V(packages) on a box with neither C(dpkg-query) nor C(rpm).
  returned: when the box has answered
  type: list
  elements: str
  sample: []
msg:
  description: A few words on what was read.
  returned: always
  type: str
  sample: Debian GNU/Linux 12 (bookworm), kernel 6.1.0-42-amd64, 183 packages, 924 sysctls, 166 units, 93 gems
"""
