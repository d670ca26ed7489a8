#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.disk_facts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_facts
short_description: Returns how full each real file system of a host is, and which processes hold deleted files
version_added: 0.1.0
description:
  - Returns the space and the inodes of each real file system once, with the percentages that C(df) prints.
  - A file system that is mounted more than once (bind mounts, subvolumes) is shown by one of its mounts. The root of
    the host has precedence, then the mount of the whole file system, then the shortest mount point. If data sets share
    the free space of a ZFS pool, only the fullest is shown.
  - Kernel file systems, mounts inside of containers, and mounts that are covered by a later mount are left out. An
    overlay is shown only if it is the root of the host, as in a container. It then represents the file system under it.
  - Network and FUSE file systems are queried at the same time by separate processes, so a server that is down costs at
    most O(timeout). Automount points are never accessed.
  - With O(deleted=true) it finds the space that C(df) counts and C(du) doesn't, in files that are deleted but still
    held open, mapped, or used by a loop device or as swap.
  - M(ansible.builtin.mount_facts) returns what is configured and mounted where, from any source and on any Unix. This
    module returns what is full, hung, or read-only, on Linux only.
extends_documentation_fragment:
  - lifeline.fleet.facts
  - lifeline.fleet.facts.attributes
options:
  timeout:
    description:
      - Seconds that all network and FUSE file systems together have to answer. Must be more than 0.
    type: float
    default: 5
  network:
    description:
      - Whether to query network and FUSE file systems. If not, they are listed, but their numbers are V(null).
    type: bool
    default: true
  deleted:
    description:
      - Whether to look for deleted files that are held open. This reads the descriptors and the mappings of all
        processes.
    type: bool
    default: false
notes:
  - Without root, O(deleted=true) finds only the files that the user's own processes hold by a descriptor.
  - Files that are only mapped are found on kernels that have C(/proc/PID/map_files). Deleted files on network and FUSE
    file systems are never accessed.
seealso:
  - module: lifeline.fleet.health
  - module: lifeline.fleet.fd_facts
  - module: ansible.builtin.mount_facts
"""

EXAMPLES = r"""
- name: Read the file systems of all hosts
  lifeline.fleet.disk_facts:

- name: Show the file systems that are nearly full
  ansible.builtin.debug:
    msg: "{{ item['mount'] }} is {{ item['used_percent'] }} % full"
  loop: "{{ ansible_facts['lifeline_disks']['filesystems'] | rejectattr('always_full') | selectattr('readable') }}"
  loop_control:
    label: "{{ item['mount'] }}"
  when: item['used_percent'] is not none and item['used_percent'] > 90

- name: Find the space that du can't find
  lifeline.fleet.disk_facts:
    deleted: true
  become: true

- name: Show the deleted files that hold more than a gigabyte, and the processes to restart
  ansible.builtin.debug:
    msg: "{{ item['path'] }}: {{ item['holders'] | map(attribute='name') | unique | join(', ') }}"
  loop: "{{ ansible_facts['lifeline_disks']['deleted']['files'] | selectattr('bytes', 'gt', 1073741824) }}"
  loop_control:
    label: "{{ item['path'] }}"
"""

RETURN = r"""
ansible_facts:
  description: The facts that this module adds.
  returned: always
  type: dict
  contains:
    lifeline_disks:
      description: The file systems of the host. A value is V(null) if the kernel doesn't provide it.
      returned: always
      type: dict
      contains:
        filesystems:
          description: Each real file system once, in the order of the mount points.
          type: list
          elements: dict
          contains:
            mount:
              description: The mount point. A byte that is no UTF-8 is written as C(\xff).
              type: str
              sample: /
            device:
              description: The mounted object as the kernel names it, such as a device, an export, or C(overlay).
              type: str
              sample: /dev/xvda1
            type:
              description: Type of the file system.
              type: str
              sample: ext4
            kind:
              description:
                - Where the data is. V(local) is a disk of the host, V(network) another machine, V(memory) RAM and swap,
                  V(overlay) a union of directories, and V(image) a file system that was filled when it was made.
              type: str
              sample: local
            options:
              description: Options of the mount, V(rw) or V(ro) first, then those of the file system.
              type: list
              elements: str
              sample: [rw, relatime, errors=remount-ro]
            read_only:
              description:
                - Whether the file system can't be written to through any of its mounts. If C(/etc/fstab) says C(rw),
                  the kernel has made it read-only after an error.
              type: bool
              sample: false
            read_only_by_error:
              description: Whether the kernel has made it read-only after an error. It is not set for a mount that is
                read-only by design.
              type: bool
              sample: false
            always_full:
              description: Whether it is full by design, such as an image.
              type: bool
              sample: false
            readable:
              description: Whether it was queried and answered.
              type: bool
              sample: true
            hung:
              description: Whether it was queried and didn't answer within O(timeout).
              type: bool
              sample: false
            failed:
              description: Whether it answered with an error, such as a dead FUSE mount or a disk with I/O errors.
              type: bool
              sample: false
            inodes_from_space:
              description: Whether it creates inodes from free space, so both run out together.
              type: bool
              sample: false
            source:
              description: The file from which the mount was read.
              type: str
              sample: /proc/self/mountinfo
            size_bytes:
              description: Space of the file system.
              type: int
              sample: 8320901120
            used_bytes:
              description: Space in use.
              type: int
              sample: 5928640512
            available_bytes:
              description: Space that users can still get. It is negative if root has used reserved space.
              type: int
              sample: 1985646592
            reserved_bytes:
              description: Free space that only root can get.
              type: int
              sample: 406614016
            used_percent:
              description: Share of the users' space in use, rounded up to a whole number as C(df) does.
              type: float
              sample: 75.0
            inodes_total:
              description: Number of inodes. V(null) if the file system has no fixed number of them, like Btrfs.
              type: int
              sample: 524288
            inodes_used:
              description: Number of inodes in use.
              type: int
              sample: 99123
            inodes_available:
              description: Number of free inodes.
              type: int
              sample: 425165
            inodes_used_percent:
              description: Share of inodes in use, rounded up to a whole number as C(df -i) does.
              type: float
              sample: 19.0
        hung:
          description: Mount points of the file systems that didn't answer within O(timeout).
          type: list
          elements: str
          sample: [/mnt/backup]
        unreadable:
          description: Number of file systems that answered with an error.
          type: int
          sample: 0
        deleted:
          description: Deleted files that still take space. V(null) without O(deleted=true).
          type: dict
          contains:
            files:
              description: The files, those that take most first.
              type: list
              elements: dict
              contains:
                path:
                  description: Path of the file before it was deleted, as its holder sees it.
                  type: str
                  sample: /var/log/app/production.log
                mount:
                  description: Mount point of the file system that the file takes space on.
                  type: str
                  sample: /
                bytes:
                  description: Space on disk. V(null) if only a loop device holds the file, because its size is then
                    unknown.
                  type: int
                  sample: 3221225472
                holders:
                  description: The holders of the file. The space is free when all of them have closed it.
                  type: list
                  elements: dict
                  contains:
                    pid:
                      description: Number of the process. V(null) if the kernel itself is the holder.
                      type: int
                      sample: 25910
                    name:
                      description: Name of the process, of the loop device, or V(swap).
                      type: str
                      sample: ruby
                    fd:
                      description: The descriptor. V(null) if the file is mapped, or the kernel holds it.
                      type: int
                      sample: 7
            total_bytes:
              description: Space of all these files together.
              type: int
              sample: 3221225472
            unreadable_processes:
              description: Number of processes that this user may not read.
              type: int
              sample: 0
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._disks import (
    deleted,
    deleted_reader,
    facts as disk_facts,
    statfs,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import mountinfo


def main():
    module = AnsibleModule(
        argument_spec={
            "timeout": {"type": "float", "default": 5},
            "network": {"type": "bool", "default": True},
            "deleted": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    timeout = module.params["timeout"]
    # No comparison holds for a NaN, and poll takes no more than an integer of milliseconds.
    if not 0 < timeout <= 3600:
        module.fail_json(msg=f"timeout: out of range ({timeout:g}); use more than 0 and at most 3600 seconds")
    sources = _reader.read_files(disk_facts.SOURCES)
    mounts = mountinfo.parse(sources.get(mountinfo.SOURCES[0]))
    sources["statfs"] = statfs.read(mounts, timeout, module.params["network"])
    facts = disk_facts.parse(sources)
    if module.params["deleted"]:
        facts["deleted"] = deleted.parse(deleted_reader.read(mounts))
    module.exit_json(changed=False, ansible_facts={"lifeline_disks": facts})


if __name__ == "__main__":
    main()
