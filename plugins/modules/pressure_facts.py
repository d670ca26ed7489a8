#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.pressure_facts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pressure_facts
short_description: Returns what a host waits for, like vmstat and uptime
version_added: 0.1.0
description:
  - Returns the load per CPU, the kernel's pressure stall information (PSI) for CPU, memory and I/O, and the rates of
    swapping, major faults, forks, context switches and CPU time, including steal by a noisy neighbor.
extends_documentation_fragment:
  - lifeline.fleet.facts
  - lifeline.fleet.facts.attributes
options:
  sample_seconds:
    description:
      - The length of the sample for the rates. V(0) means since boot, and takes no time.
      - At most V(60).
    type: float
    default: 1
seealso:
  - module: lifeline.fleet.health
"""

EXAMPLES = r"""
- name: Sample what the hosts are waiting for, over five seconds
  lifeline.fleet.pressure_facts:
    sample_seconds: 5

- name: Show the hosts whose neighbors take their CPU
  ansible.builtin.debug:
    msg: "{{ ansible_facts['lifeline_pressure']['cpu_percent']['steal'] }} % of the CPU time is stolen"
  when: (ansible_facts['lifeline_pressure']['cpu_percent']['steal'] or 0) > 10
"""

RETURN = r"""
ansible_facts:
  description: The facts that this module adds.
  returned: always
  type: dict
  contains:
    lifeline_pressure:
      description: What the host waits for. A value is V(null) if the kernel doesn't provide it.
      returned: always
      type: dict
      contains:
        uptime_seconds:
          description: Seconds since boot (C(/proc/uptime)).
          type: float
          sample: 28441.94
        cpus:
          description: CPUs that are online (C(/proc/stat)).
          type: int
          sample: 2
        load:
          description: Tasks that ran, or waited for a CPU or a disk, as C(uptime) averages them (C(/proc/loadavg)).
          type: dict
          contains: &minutes
            one:
              description: Over one minute.
              type: float
              sample: 0.52
            five:
              description: Over five minutes.
              type: float
              sample: 0.33
            fifteen:
              description: Over fifteen minutes.
              type: float
              sample: 0.21
        load_per_cpu:
          description: The load divided by the CPUs.
          type: dict
          contains: *minutes
        running:
          description: Tasks that run or could run right now (C(procs_running) of C(/proc/stat)).
          type: int
          sample: 1
        blocked:
          description: Tasks that wait for I/O right now (C(procs_blocked) of C(/proc/stat)).
          type: int
          sample: 0
        threads:
          description: Threads of all processes (C(/proc/loadavg)).
          type: int
          sample: 143
        pressure:
          description: Pressure stall information (C(/proc/pressure)).
          type: dict
          contains:
            cpu: &stall
              description: Waiting for the named resource; V(null) if the kernel doesn't measure it (before 4.20, or
                switched off).
              type: dict
              contains:
                some_avg10_percent:
                  description: Share of the last 10 seconds in which at least one task waited.
                  type: float
                  sample: 0.0
                some_avg60_percent:
                  description: The same over 60 seconds.
                  type: float
                  sample: 0.0
                some_avg300_percent:
                  description: The same over 300 seconds.
                  type: float
                  sample: 0.0
                some_total_microseconds:
                  description: The total of this time since boot.
                  type: int
                  sample: 1202110
                full_avg10_percent:
                  description: Share of the last 10 seconds in which all tasks that had work waited.
                  type: float
                  sample: 0.0
                full_avg60_percent:
                  description: The same over 60 seconds.
                  type: float
                  sample: 0.0
                full_avg300_percent:
                  description: The same over 300 seconds.
                  type: float
                  sample: 0.0
                full_total_microseconds:
                  description: The total of this time since boot.
                  type: int
                  sample: 0
            memory: *stall
            io: *stall
        sampled_seconds:
          description: The length of the sample for the rates, in seconds.
          type: float
          sample: 1.0
        since_boot:
          description: Whether the rates are averages since boot.
          type: bool
          sample: false
        cpu_percent:
          description: Share of the CPUs' time in each state (C(/proc/stat)); they add up to 100.
          type: dict
          contains:
            user:
              description: Processes, virtual machines included.
              type: float
              sample: 12.5
            nice:
              description: Processes of lower priority.
              type: float
              sample: 0.0
            system:
              description: The kernel.
              type: float
              sample: 1.5
            idle:
              description: Nothing to do.
              type: float
              sample: 85.0
            iowait:
              description: Idle while a task waits for a disk.
              type: float
              sample: 0.5
            irq:
              description: Interrupts.
              type: float
              sample: 0.0
            softirq:
              description: Deferred interrupts.
              type: float
              sample: 0.1
            steal:
              description: Time that the hypervisor gave to another machine. A noisy neighbor shows here.
              type: float
              sample: 0.4
        swap_in_bytes_per_second:
          description: Memory read back from swap.
          type: float
          sample: 0.0
        swap_out_bytes_per_second:
          description: Memory written to swap.
          type: float
          sample: 0.0
        major_faults_per_second:
          description: Pages that had to be read from a disk. Many of them without swap mean that the host thrashes on
            its page cache.
          type: float
          sample: 0.0
        forks_per_second:
          description: Processes and threads started.
          type: float
          sample: 2.0
        context_switches_per_second:
          description: Context switches.
          type: float
          sample: 312.0
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import page_size, pressure


def read(paths):
    return _reader.read_files(paths, _reader.read_files(page_size.SOURCES, limit=page_size.READ_LIMIT))


def main():
    module = AnsibleModule(argument_spec={"sample_seconds": {"type": "float", "default": 1}}, supports_check_mode=True)
    seconds = module.params["sample_seconds"]
    if not 0 <= seconds <= 60:
        module.fail_json(msg=f"sample_seconds: out of range ({seconds}); use 0 (since boot) or at most 60 seconds")
    earlier = None
    if seconds > 0:
        earlier = read(pressure.COUNTERS)
        time.sleep(seconds)
    module.exit_json(ansible_facts={"lifeline_pressure": pressure.parse(read(pressure.SOURCES), earlier)})


if __name__ == "__main__":
    main()
