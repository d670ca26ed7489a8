#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.listener_facts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: listener_facts
short_description: Returns what listens where, for which process, since when, and how much memory that takes
version_added: 0.1.0
description:
  - Returns every listening TCP socket and every UDP socket that accepts packets from any address, with its process,
    systemd unit and package.
  - Compares them with O(expected), and returns unexpected services with their size. This finds daemons that run only
    because their package was installed.
  - Only root may see the process of a socket. For other users the process, unit and package are V(null), and
    C(unreadable) is the number of such sockets.
extends_documentation_fragment:
  - lifeline.fleet.facts
  - lifeline.fleet.facts.attributes
options:
  expected:
    description:
      - The services that may listen. A port such as V(tcp/22), a systemd unit such as V(ssh.service), or the name of a
        process such as V(sshd).
      - Units and names may contain the wildcards C(*), C(?) and C([...]).
      - Without this option nothing is compared. With an empty list every service is unexpected.
    type: list
    elements: str
seealso:
  - module: lifeline.fleet.process_facts
  - module: lifeline.fleet.service_lockdown
  - module: ansible.builtin.service_facts
"""

EXAMPLES = r"""
- name: Find unexpected listening services
  lifeline.fleet.listener_facts:
    expected:
      - ssh.service
      - tcp/443
      - udp/68

- name: Name it
  ansible.builtin.debug:
    msg: "{{ ansible_facts.lifeline_listeners.unexpected | map(attribute='text') }}"
"""

RETURN = r"""
ansible_facts:
  description: The facts that this module adds.
  returned: always
  type: dict
  contains:
    lifeline_listeners:
      description: What listens. A value is V(null) where the kernel doesn't say, or doesn't say it to this user.
      returned: always
      type: dict
      contains:
        listeners:
          description: The sockets, by protocol, port and address.
          type: list
          elements: dict
          contains:
            protocol:
              description: V(tcp) or V(udp), of IPv4 and IPv6 alike.
              type: str
              sample: tcp
            address:
              description: The address that it listens on. C(::) takes IPv4 as well, unless the program or the kernel's
                settings refuse it.
              type: str
              sample: 0.0.0.0
            port:
              description: The port.
              type: int
              sample: 6081
            loopback:
              description: Whether only the host itself can reach it.
              type: bool
              sample: false
            user:
              description: The user that the socket belongs to.
              type: str
              sample: root
            pid:
              description: The topmost of the processes that hold it. V(1) where systemd waits for the first connection.
              type: int
              sample: 812
            name:
              description: The name of that process, as the kernel keeps it.
              type: str
              sample: varnishd
            unit:
              description: Its systemd unit; the socket unit where only systemd holds it.
              type: str
              sample: varnish.service
            package:
              description: The package that owns its executable. That of a script is its interpreter.
              type: str
              sample: varnish
            unit_package:
              description: The package that the unit comes from.
              type: str
              sample: varnish
            started:
              description: When the process was started.
              type: str
              sample: '2026-11-20T08:00:00Z'
            age_seconds:
              description: How long it has run.
              type: float
              sample: 3600.5
            memory_bytes:
              description:
                - The resident set size of the process and of all below it in the same unit. Pages that they share are
                  counted for each of them.
              type: int
              sample: 104857600
            cache_bytes:
              description: The size of the cache that its command line allows it. Known of Varnish and memcached.
              type: int
              sample: 1073741824
            expected:
              description: Whether O(expected) has it; V(null) without that option.
              type: bool
              sample: false
        listeners_total:
          description: How many these are.
          type: int
          sample: 6
        unreadable:
          description: Of how many the process is unknown. Those of other users, and those of the kernel itself.
          type: int
          sample: 0
        unexpected:
          description:
            - What O(expected) doesn't have, as one for each unit, those that hold the most memory first; V(null)
              without that option.
          type: list
          elements: dict
          contains:
            unit:
              description: The unit.
              type: str
              sample: varnish.service
            name:
              description: The name of its process.
              type: str
              sample: varnishd
            pid:
              description: The number of its process.
              type: int
              sample: 812
            package:
              description: The package that owns its executable.
              type: str
              sample: varnish
            unit_package:
              description: The package that the unit comes from.
              type: str
              sample: varnish
            started:
              description: When it was started.
              type: str
              sample: '2026-11-20T08:00:00Z'
            age_seconds:
              description: How long it has run.
              type: float
              sample: 3600.5
            memory_bytes:
              description: The memory that it holds.
              type: int
              sample: 104857600
            cache_bytes:
              description: The size of the cache that its command line allows it.
              type: int
              sample: 1073741824
            loopback:
              description: Whether it listens nowhere but on loopback.
              type: bool
              sample: false
            listens:
              description: Where it listens.
              type: list
              elements: str
              sample: ["tcp/0.0.0.0:6081", "tcp/[::]:6081"]
            text:
              description: All this in a sentence.
              type: str
              sample: >-
                varnishd (varnish.service, package varnish) listens on tcp/0.0.0.0:6081, holds 98M, has a cache of up to
                1.0G
"""

import os
import pwd
import re
from typing import Dict, Iterable, List, Optional, Set

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import (
    descriptor_reader,
    listeners,
    page_size,
    processes,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.fds import DELETED
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import cgroup_units

_SOCKET = re.compile(r"^socket:\[(\d+)\]$")
# dpkg-query would take these for wildcards.
_WILDCARDS = re.compile(r"[*?\[\\\n]")
# A user can start any number of programs with long paths. The kernel takes 2 MB of arguments, or fewer.
_MOST_BYTES = 128 << 10


def read() -> Dict[str, str]:
    """Read what the parser needs, and look up only the processes and packages behind sockets that listen."""
    pids = _reader.list_pids()
    sources = _reader.read_files(page_size.SOURCES, limit=page_size.READ_LIMIT)
    _reader.read_files(listeners.SOURCES + processes.SOURCES + cgroup_units.SOURCES, sources)
    _reader.read_files(_reader.process_paths(("stat",), pids), sources)
    inodes = listeners.inodes(sources)
    held: Dict[str, Set[int]] = {}
    for pid, targets in descriptor_reader.links(pids).items():
        for target in targets:
            found = _SOCKET.match(target)
            if found and found.group(1) in inodes:
                held.setdefault(found.group(1), set()).add(pid)
    sources["sockets"] = "".join(f"{inode} {pid}\n" for inode in sorted(held) for pid in sorted(held[inode]))
    table = processes.parse_table(sources)
    chosen = {listeners.holder_of(table, pids_of_one) for pids_of_one in held.values()}
    holders = sorted(pid for pid in chosen if pid is not None)
    below = sorted(processes.tree(table, [pid for pid in holders if pid != 1]) | set(holders))
    _reader.read_files(_reader.process_paths(("cgroup",), below), sources)
    _reader.read_files(_reader.process_paths(("cmdline",), holders), sources, processes.READ_LIMIT)
    executables = {pid: path for pid, path in ((pid, executable(pid)) for pid in holders) if path}
    # A line break in a path would forge the line of another process.
    sources["exes"] = "".join(f"{pid} {escape(path)}\n" for pid, path in sorted(executables.items()))
    sources["packages"] = packages(sources, holders, executables.values()) or ""
    if 1 in holders:
        sources["socket_units"] = _reader.run(["systemctl", "show", "--property=Id,Listen", "*.socket"]) or ""
    return sources


def executable(pid: int) -> Optional[str]:
    """Return the path of a process's program, unless it is a file of a container."""
    link = f"/proc/{pid}/exe"
    try:
        path = _reader.decode(os.fsencode(os.readlink(link)))
        if path.endswith(DELETED):
            return path[: -len(DELETED)]
        return path if os.path.samestat(os.stat(link), os.stat(path)) else None
    except OSError:
        return None


def packages(sources: Dict[str, str], holders: Iterable[int], executables: Iterable[str]) -> Optional[str]:
    """Ask dpkg once which packages own the programs and the files of their units, and return its answer."""
    units = {cgroup_units.system_unit(sources, pid) for pid in holders}
    paths = [place for path in executables for place in listeners.both_places(path)]
    paths += [path for unit in units for path in listeners.unit_paths(unit)]
    wanted: List[str] = []
    room = _MOST_BYTES
    for path in sorted({path for path in paths if not _WILDCARDS.search(path)}):
        room -= len(os.fsencode(path)) + 1
        if room < 0:
            break
        wanted.append(path)
    # It fails if it does not know one of them, but still prints the others.
    return _reader.run(["sh", "-c", 'dpkg-query --search "$@"; true', "sh", *wanted]) if wanted else None


def main():
    module = AnsibleModule(
        argument_spec={"expected": {"type": "list", "elements": "str"}},
        supports_check_mode=True,
    )
    expected = module.params["expected"]
    try:
        listeners.check_expected(expected or ())
    except ValueError as error:
        module.fail_json(msg=f"expected: {error}")
    users = {entry.pw_uid: entry.pw_name for entry in pwd.getpwall()}
    module.exit_json(ansible_facts={"lifeline_listeners": listeners.parse(read(), expected, users)})


if __name__ == "__main__":
    main()
