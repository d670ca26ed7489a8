#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Document the action lifeline.fleet.state_info, whose code is plugins/action/state_info.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: state_info
short_description: Returns the state of a host for comparisons between hosts
version_added: 0.1.0
description:
  - Reads in one round trip the kernel and its command line, packages, Ruby and gems, sysctls, systemd units, limits of
    the workers and of sshd, mount options, time zone and locale.
  - It runs a small POSIX C(sh) script, which needs no Python on the host and writes no file there. If memory runs out,
    the OOM killer chooses the script first.
  - The script runs no program that belongs to a user. It finds gems by the names of their specifications, in the
    system's folders, in those of common version managers, in the homes of root and of the workers' users, and in the
    application's own bundle.
  - It returns only values that stay the same until something changes them. It leaves out counters, random numbers and
    secrets, host names, ids of machines, addresses and disks, interfaces and units that come and go, and whether a unit
    runs that ends by itself.
  - If the variable C(lifeline_history) names a file on the controller, changes since the last time are recorded there.
options:
  workers:
    description:
      - The processes whose limits, programs and environment are returned, in the form of M(lifeline.fleet.health).
      - Only environment variables about memory management, the application's environment and the paths of gems leave
        the host, such as C(MALLOC_ARENA_MAX), C(RUBY_GC_*), C(LD_PRELOAD), C(RAILS_ENV) and C(GEM_HOME).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name of the worker.
        type: str
        required: true
      pids:
        description: Its processes.
        type: list
        elements: int
        required: true
  app_path:
    description:
      - The folder of an application whose C(Gemfile.lock) is read. By default the folders of
        C(sidekiq_watchdog_workers), or the variables C(app_path) and C(app_base). An empty string means none.
    type: str
  deadline:
    description:
      - Seconds that a host has to answer after it has accepted the connection. After that it counts as unreachable.
      - Must be more than 30. No part is started in the last 30 of them.
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
      - Without root, a few sysctls and the programs and environments of other users' workers cannot be read.
  facts:
    support: none
    details:
      - The state has thousands of names, which would slow down every other task.
seealso:
  - module: lifeline.fleet.compare
  - module: lifeline.fleet.health
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Read the state of the hosts
  lifeline.fleet.state_info:
  register: state

- name: Fail on hosts with an older OpenSSL
  ansible.builtin.assert:
    that: state.state['package:openssl'] is version('3.0.15', '>=')
"""

RETURN = r"""
state:
  description:
    - "The state of the host: strings by name."
    - "The host itself: C(kernel), C(kernel_build), C(os), C(os_version), C(hardware), C(cpu), C(clocksource),
      C(timezone), C(transparent_hugepage), C(transparent_hugepage_defrag), C(ruby)."
    - "C(package:NAME) and C(gem:NAME) are the installed versions, C(bundle:NAME) is the version in C(Gemfile.lock)."
    - "C(sysctl:NAME), C(cmdline:PARAMETER), C(locale:VARIABLE) and C(mount:PATH) have their values. C(unit-file:PATH)
      is the checksum of a file below C(/etc/systemd/system). C(unit:NAME) says whether the unit is enabled, and whether
      it is C(active), C(failed) or C(restarting)."
    - "C(limit:WORKER:NAME) is a limit such as V(nofile), as soft and hard limit separated by a colon if they differ.
      C(program:WORKER) is the file that it runs, and C(environment:WORKER:VARIABLE) a variable of its environment. The
      worker V(sshd) is the listening sshd."
  returned: when the host has answered
  type: dict
  sample: {"kernel": "6.1.0-42-amd64", "package:openssl": "3.0.18-1~deb12u1", "sysctl:vm.swappiness": "60",
           "unit:cron.service": "enabled, active", "gem:sidekiq": "6.4.1", "limit:sshd:nofile": "1024:524288"}
whole:
  description: "The prefixes whose names are complete in RV(state): a missing name doesn't exist on the host."
  returned: when the host has answered
  type: list
  elements: str
  sample: ["cmdline:", "locale:", "mount:", "package:", "sysctl:", "unit:", "unit-file:", "gem:"]
unread:
  description: Parts that could not be read, or not completely, such as V(packages) on a host without C(dpkg-query) and
    C(rpm).
  returned: when the host has answered
  type: list
  elements: str
  sample: []
msg:
  description: A short summary.
  returned: always
  type: str
  sample: Debian GNU/Linux 12 (bookworm), kernel 6.1.0-42-amd64, 183 packages, 924 sysctls, 166 units, 93 gems
"""
