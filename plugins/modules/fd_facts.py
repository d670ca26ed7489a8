#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.fd_facts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fd_facts
short_description: Returns how close a host and its processes are to their limits of open descriptors
version_added: 0.1.0
description:
  - Returns the open descriptors of the whole system with C(file-max), and the processes with the most descriptors with
    their own limits.
  - Lists the processes whose own limit is above the system's maximum. Such a limit never takes effect. With a leak, no
    process, not even C(sshd), can then open a file.
  - Returns sockets by state, because a leak of connections shows as many sockets in one state, for example
    V(close_wait).
extends_documentation_fragment:
  - lifeline.fleet.facts
  - lifeline.fleet.facts.attributes
options:
  top:
    description:
      - The number of processes to return, those with the most descriptors first.
      - Up to 50 other processes that have used half of their own limit are returned in addition.
    type: int
    default: 10
  inotify:
    description:
      - Whether inotify instances and watches are counted. This reads every descriptor of every process, which takes a
        while on a host with many descriptors.
    type: bool
    default: false
seealso:
  - module: lifeline.fleet.process_facts
  - module: lifeline.fleet.health
"""

EXAMPLES = r"""
- name: Find the processes with the most descriptors
  lifeline.fleet.fd_facts:

- name: Show processes that have almost reached their limit
  ansible.builtin.debug:
    msg: "{{ item.name }} ({{ item.pid }}) has {{ item.open }} of {{ item.soft_limit }}"
  loop: "{{ ansible_facts['lifeline_fds']['processes'] | selectattr('used_percent', 'ge', 90) }}"
"""

RETURN = r"""
ansible_facts:
  description: The facts that this module adds.
  returned: always
  type: dict
  contains:
    lifeline_fds:
      description: The open descriptors. A value is V(null) if the kernel doesn't provide it, or not to this user.
      returned: always
      type: dict
      contains:
        allocated:
          description: Files that are open in the whole system (C(/proc/sys/fs/file-nr)).
          type: int
          sample: 2144
        maximum:
          description: The maximum of open files (C(file-max)).
          type: int
          sample: 48226
        used_percent:
          description: C(allocated) as a share of C(maximum); V(null) if the maximum means no limit.
          type: float
          sample: 4.45
        nr_open:
          description: The highest limit that a process can be given (C(/proc/sys/fs/nr_open)).
          type: int
          sample: 1048576
        processes:
          description: The processes with the most open descriptors, and those that have used half of their own limit.
          type: list
          elements: dict
          contains:
            pid:
              description: Number of the process.
              type: int
              sample: 25910
            name:
              description: Its name, as the kernel keeps it.
              type: str
              sample: ruby
            open:
              description: The number of its open descriptors.
              type: int
              sample: 87
            soft_limit:
              description: The most that it may have open; V(null) if it is unknown.
              type: int
              sample: 1024
            hard_limit:
              description: The limit to which it may raise C(soft_limit).
              type: int
              sample: 524288
            used_percent:
              description: Open descriptors as a share of the soft limit.
              type: float
              sample: 8.5
            kinds:
              description: The number of descriptors of each kind; V(null) if this user may not see them.
              type: dict
              contains:
                file:
                  description: Files and directories.
                  type: int
                  sample: 12
                socket:
                  description: Sockets.
                  type: int
                  sample: 61
                pipe:
                  description: Pipes.
                  type: int
                  sample: 4
                eventpoll:
                  description: Event polls.
                  type: int
                  sample: 2
                inotify:
                  description: Instances of inotify.
                  type: int
                  sample: 0
                device:
                  description: Devices.
                  type: int
                  sample: 3
                deleted:
                  description: Deleted files that still take space. M(lifeline.fleet.disk_facts) shows how much.
                  type: int
                  sample: 1
                other:
                  description: Everything else, such as timers, signals and namespaces.
                  type: int
                  sample: 4
        processes_total:
          description: All processes that this user can see, without threads of the kernel.
          type: int
          sample: 102
        unreadable:
          description: The number of those whose descriptors or limit could not be read.
          type: int
          sample: 0
        limit_above_maximum:
          description: The processes whose own soft limit is above the system's maximum.
          type: dict
          contains:
            count:
              description: Their number.
              type: int
              sample: 1
            processes:
              description: Those with the highest limits, at most O(top).
              type: list
              elements: dict
              sample: [{"pid": 812, "name": "nginx", "soft_limit": 65536}]
        sockets:
          description: Sockets of the network namespace (C(/proc/net)).
          type: dict
          contains:
            used:
              description: Sockets of all kinds (C(sockstat)).
              type: int
              sample: 131
            tcp:
              description: TCP sockets of IPv4 and IPv6 by state, under the names of C(ss).
              type: dict
              sample: {"established": 12, "close_wait": 0, "listen": 4, "time_wait": 3}
            tcp_in_use:
              description: TCP sockets in use, without those waiting to time out (C(sockstat)).
              type: int
              sample: 16
            tcp_orphaned:
              description: TCP sockets that no process holds any more (C(sockstat)).
              type: int
              sample: 0
            tcp_max_orphaned:
              description: The maximum of C(tcp_orphaned) (C(net.ipv4.tcp_max_orphans)).
              type: int
              sample: 65536
            tcp_time_wait:
              description: TCP sockets waiting to time out (C(sockstat)).
              type: int
              sample: 3
            tcp_memory_bytes:
              description: Memory of TCP buffers, of all namespaces (C(sockstat)).
              type: int
              sample: 45056
            tcp_max_memory_bytes:
              description: The maximum of C(tcp_memory_bytes) (C(net.ipv4.tcp_mem)).
              type: int
              sample: 785596416
            udp:
              description: UDP sockets of IPv4 and IPv6.
              type: int
              sample: 4
            unix:
              description: Unix domain sockets.
              type: int
              sample: 98
        inotify:
          description: Inotify, which fails with "no space left on device" at its limits.
          type: dict
          contains:
            max_user_instances:
              description: The most instances that a user may have.
              type: int
              sample: 128
            max_user_watches:
              description: The most watches that a user may have.
              type: int
              sample: 65536
            max_queued_events:
              description: The most events that an instance keeps.
              type: int
              sample: 16384
            instances:
              description: Instances of all processes whose descriptors could be read; V(null) unless O(inotify=true).
              type: int
              sample: 14
            watches:
              description: Their watches; V(null) unless O(inotify=true).
              type: int
              sample: 312
        inodes:
          description: Inodes in the kernel's memory (C(/proc/sys/fs/inode-nr)).
          type: dict
          contains:
            allocated:
              description: All of them.
              type: int
              sample: 43210
            free:
              description: Those not in use.
              type: int
              sample: 312
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import descriptor_reader, fds, page_size, sockets

_INOTIFY = tuple(
    "/proc/sys/fs/inotify/" + name for name in ("max_user_instances", "max_user_watches", "max_queued_events")
)


def read(pids):
    sources = _reader.read_files(page_size.SOURCES, limit=page_size.READ_LIMIT)
    _reader.read_files(fds.SOURCES + sockets.SOURCES + _INOTIFY, sources)
    _reader.read_files(_reader.process_paths(("stat", "limits"), pids), sources)
    sources["fds"] = descriptor_reader.count_all(pids)
    return sources


def tell_kinds(facts):
    """Say of the processes that are shown what their descriptors are. Reading that of all would take long."""
    links = descriptor_reader.links([process["pid"] for process in facts["processes"]])
    for process in facts["processes"]:
        if process["pid"] in links:
            process["kinds"] = fds.kinds(links[process["pid"]])


def count_inotify(facts, pids):
    counts = {pid: targets.count(descriptor_reader.INOTIFY) for pid, targets in descriptor_reader.links(pids).items()}
    facts["inotify"]["instances"] = sum(counts.values())
    facts["inotify"]["watches"] = sum(descriptor_reader.inotify_watches(pid) for pid, count in counts.items() if count)


def main():
    module = AnsibleModule(
        argument_spec={"top": {"type": "int", "default": 10}, "inotify": {"type": "bool", "default": False}},
        supports_check_mode=True,
    )
    top = module.params["top"]
    if top < 1:
        module.fail_json(msg=f"top: too small ({top}); use 1 or more")
    pids = _reader.list_pids()
    facts = fds.parse(read(pids), top)
    tell_kinds(facts)
    if module.params["inotify"]:
        count_inotify(facts, pids)
    module.exit_json(ansible_facts={"lifeline_fds": facts})


if __name__ == "__main__":
    main()
