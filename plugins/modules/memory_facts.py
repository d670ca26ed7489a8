#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.memory_facts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: memory_facts
short_description: Returns what a host's memory is used for, and how much of it is left
version_added: 0.1.0
description:
  - Returns the values of C(free) and C(/proc/meminfo) in bytes, with the same keys on every host.
  - RV(ansible_facts.lifeline_memory.available_bytes) is the kernel's own estimate of what can be allocated without
    swapping. Kernels before 3.14 have no such estimate. The module then computes it from free memory, page cache and
    slab, and sets RV(ansible_facts.lifeline_memory.available_estimated).
  - If a control group (version 1 or 2) limits the host below its RAM, that limit is the real ceiling.
    RV(ansible_facts.lifeline_memory.cgroup) is the smallest limit of the reading process's group and all its ancestors.
    RV(ansible_facts.lifeline_memory.limit_bytes) is the memory that the host may really use.
extends_documentation_fragment:
  - lifeline.fleet.facts
  - lifeline.fleet.facts.attributes
seealso:
  - module: lifeline.fleet.health
  - module: lifeline.fleet.process_facts
  - module: ansible.builtin.setup
"""

EXAMPLES = r"""
- name: Read the memory of all hosts
  lifeline.fleet.memory_facts:

- name: Show the hosts with less than a tenth of their memory left
  ansible.builtin.debug:
    msg: "only {{ ansible_facts['lifeline_memory']['limit_available_percent'] }} % left"
  when: ansible_facts['lifeline_memory']['limit_available_percent'] < 10
"""

RETURN = r"""
ansible_facts:
  description: The facts that this module adds.
  returned: always
  type: dict
  contains:
    lifeline_memory:
      description:
        - The memory of the host. A value is V(null) if the kernel doesn't provide it.
        - The source is C(/proc/meminfo) unless another is named. Bytes are its kilobytes times 1024.
      returned: always
      type: dict
      contains:
        total_bytes:
          description: RAM that the kernel can use (C(MemTotal)).
          type: int
          sample: 16042127360
        free_bytes:
          description: RAM in no use at all (C(MemFree)).
          type: int
          sample: 6248821760
        available_bytes:
          description: RAM that can be allocated without swapping (C(MemAvailable), or an estimate).
          type: int
          sample: 6832500736
        available_estimated:
          description: Whether the module computed RV(ignore:available_bytes), because kernels before 3.14 don't provide
            it.
          type: bool
          sample: false
        available_percent:
          description: Share of RAM that is available.
          type: float
          sample: 42.59
        used_bytes:
          description: RAM that is not available, as C(free) counts it (total less available).
          type: int
          sample: 9209626624
        buffers_bytes:
          description: Buffers of block devices (C(Buffers)).
          type: int
          sample: 171433984
        cached_bytes:
          description: Page cache, shared memory included (C(Cached)).
          type: int
          sample: 440917196
        shared_bytes:
          description: Shared memory and tmpfs, which can't be dropped (C(Shmem)).
          type: int
          sample: 389120
        anonymous_bytes:
          description: Memory of processes that is not backed by a file (C(AnonPages)).
          type: int
          sample: 8939921408
        mapped_bytes:
          description: Page cache that processes have mapped (C(Mapped)).
          type: int
          sample: 52428800
        dirty_bytes:
          description: Page cache that waits to be written (C(Dirty)).
          type: int
          sample: 131072
        writeback_bytes:
          description: Page cache that is being written (C(Writeback)).
          type: int
          sample: 0
        unevictable_bytes:
          description: Memory that can't be reclaimed, such as locked memory (C(Unevictable)).
          type: int
          sample: 0
        slab_bytes:
          description: The kernel's own objects (C(Slab)).
          type: int
          sample: 104857600
        slab_reclaimable_bytes:
          description: The part of the slab that the kernel gives back under pressure (C(SReclaimable)).
          type: int
          sample: 83886080
        slab_unreclaimable_bytes:
          description: The part of the slab that it doesn't give back (C(SUnreclaim)). If it only grows, the kernel
            leaks memory.
          type: int
          sample: 20971520
        slab_unreclaimable_percent:
          description: Share of RAM that the unreclaimable slab holds.
          type: float
          sample: 0.13
        kernel_stack_bytes:
          description: Stacks of all threads in the kernel (C(KernelStack)).
          type: int
          sample: 2949120
        page_tables_bytes:
          description: Page tables (C(PageTables)).
          type: int
          sample: 20971520
        per_cpu_bytes:
          description: Memory that each CPU has of its own (C(Percpu)).
          type: int
          sample: 655360
        unaccounted_bytes:
          description: RAM that no line of C(/proc/meminfo) explains. Drivers, balloons and leaks outside the slab show
            here.
          type: int
          sample: 104857600
        commit_limit_bytes:
          description: The memory that may be promised to processes if the kernel doesn't overcommit (C(CommitLimit)).
          type: int
          sample: 8021061632
        committed_bytes:
          description: The memory that has been promised to processes (C(Committed_AS)).
          type: int
          sample: 9663676416
        committed_percent:
          description: The same as a share of RV(ignore:commit_limit_bytes).
          type: float
          sample: 75.2
        arc_reclaimable_bytes:
          description: The part of ZFS's cache that ZFS gives back under pressure; V(null) without ZFS. It counts as
            available.
          type: int
          sample: null
        overcommit_mode:
          description: Whether the kernel promises more than it has, from C(vm.overcommit_memory). The limit binds only
            with V(never).
          type: str
          sample: heuristic
        swap:
          description: Swap space.
          type: dict
          contains:
            total_bytes:
              description: Size of all swap (C(SwapTotal)); 0 if there is none.
              type: int
              sample: 0
            free_bytes:
              description: Swap not in use (C(SwapFree)).
              type: int
              sample: 0
            used_bytes:
              description: Swap in use.
              type: int
              sample: 0
            used_percent:
              description: Share of swap in use; V(null) if there is none.
              type: float
              sample: null
            cached_bytes:
              description: Memory that is in RAM and in swap as well (C(SwapCached)).
              type: int
              sample: 0
            compressed:
              description: Whether all swap is compressed memory (zram) instead of a disk's; V(null) without swap.
              type: bool
              sample: null
        huge_pages:
          description: Reserved huge pages. They count in the total but never as available.
          type: dict
          contains:
            page_size_bytes:
              description: Size of one (C(Hugepagesize)).
              type: int
              sample: 2097152
            total:
              description: How many there are (C(HugePages_Total)).
              type: int
              sample: 0
            free:
              description: How many are free (C(HugePages_Free)).
              type: int
              sample: 0
            reserved:
              description: How many of the free ones are promised (C(HugePages_Rsvd)).
              type: int
              sample: 0
            surplus:
              description: How many there are above the configured number (C(HugePages_Surp)).
              type: int
              sample: 0
            size_bytes:
              description: The size of all of them.
              type: int
              sample: 0
        cgroup:
          description: The control group that limits the host below its RAM, or V(null) if none does.
          type: dict
          contains:
            version:
              description: Version of the control group hierarchy, V(1) or V(2).
              type: int
              sample: 2
            path:
              description: Folder of the group whose limit is the smallest.
              type: str
              sample: /sys/fs/cgroup
            limit_bytes:
              description: The limit (C(memory.max), or C(memory.limit_in_bytes)).
              type: int
              sample: 419430400
            used_bytes:
              description: The memory charged to the group, minus the page cache that is reclaimed first
                (C(inactive_file)).
              type: int
              sample: 52428800
            usage_bytes:
              description: All memory charged to the group (C(memory.current), or C(memory.usage_in_bytes)).
              type: int
              sample: 94371840
            available_bytes:
              description: The limit minus RV(ignore:used_bytes).
              type: int
              sample: 367001600
            swap_limit_bytes:
              description: Swap that the group may use; V(null) where it isn't limited or not accounted.
              type: int
              sample: 0
            swap_used_bytes:
              description: Swap that the group uses; V(null) where it isn't accounted.
              type: int
              sample: 0
        limit_bytes:
          description: What the host may really use, the control group's limit or all its RAM.
          type: int
          sample: 16042127360
        limit_available_bytes:
          description: How much of it is still to be had.
          type: int
          sample: 6832500736
        limit_available_percent:
          description: The same as a share of RV(ignore:limit_bytes).
          type: float
          sample: 42.59
        ram_available_percent:
          description:
            - RV(ignore:available_bytes) as a share of the RAM without the pool of huge pages. It may be less than
              RV(ignore:limit_available_percent), if the whole host is short of memory and a control group is not.
          type: float
          sample: 42.59
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import memory


def main():
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    sources = _reader.read_files(memory.SOURCES)
    _reader.read_files(memory.paths(sources), sources)
    module.exit_json(ansible_facts={"lifeline_memory": memory.parse(sources)})


if __name__ == "__main__":
    main()
