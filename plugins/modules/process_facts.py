#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.process_facts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: process_facts
short_description: Read what chosen processes use, and what the kernel allows them
version_added: 0.1.0
description:
  - Returns memory, CPU time, descriptors, limits and OOM score of the processes that are chosen by name, pattern or id,
    or of those with the most resident memory.
  - A process is returned if any of O(name), O(pattern) and O(pid) finds it. O(top) limits how many are returned, the
    largest resident set first.
  - Command lines can hold secrets, so they are returned only with O(command_line=true).
extends_documentation_fragment:
  - lifeline.fleet.facts
  - lifeline.fleet.facts.attributes
options:
  name:
    description: Names of processes, exactly as the kernel keeps them (at most 15 bytes, as in C(ps -o comm)).
    type: list
    elements: str
    default: []
  pattern:
    description:
      - Regular expression that is searched in the first 4096 bytes of the command lines, with arguments separated by
        blanks, or in the name if there is no command line.
    type: str
  pid:
    description: Ids of processes. A process that does not exist is not an error.
    type: list
    elements: int
    default: []
  top:
    description:
      - How many processes are returned at most, the largest resident set first.
      - By default V(10) if nothing else chooses, and without bound if something does.
    type: int
  command_line:
    description: Whether command lines are returned, up to 4096 bytes of each.
    type: bool
    default: false
  maps:
    description: Whether memory by mapping is returned. Reading it takes a while for processes of many gigabytes.
    type: bool
    default: false
seealso:
  - module: lifeline.fleet.memory_facts
  - module: lifeline.fleet.fd_facts
  - module: ansible.builtin.service_facts
"""

EXAMPLES = r"""
- name: Read what the workers use
  lifeline.fleet.process_facts:
    pattern: ^sidekiq \d

- name: See what the memory of the largest process is made of
  lifeline.fleet.process_facts:
    top: 1
    maps: true
"""

RETURN = r"""
ansible_facts:
  description: The facts that this module adds.
  returned: always
  type: dict
  contains:
    lifeline_processes:
      description: The chosen processes. A value is V(null) if the kernel does not tell it to this user.
      returned: always
      type: dict
      contains:
        processes:
          description: The chosen processes, the largest resident set first.
          type: list
          elements: dict
          contains:
            pid:
              description: Id of the process.
              type: int
              sample: 25910
            ppid:
              description: Id of its parent.
              type: int
              sample: 1
            name:
              description: Its name, as the kernel keeps it.
              type: str
              sample: ruby
            command_line:
              description: Its command line, arguments separated by blanks; V(null) unless O(command_line=true).
              type: str
              sample: sidekiq 7.3.2 crawler [5 of 25 busy]
            user:
              description: Name of its effective user.
              type: str
              sample: crawler
            uid:
              description: Id of its effective user (C(/proc/PID/status)).
              type: int
              sample: 999
            unit:
              description: The systemd unit that it belongs to.
              type: str
              sample: sidekiq.service
            cgroup:
              description: Its control group (C(/proc/PID/cgroup)).
              type: str
              sample: /system.slice/sidekiq.service
            state:
              description:
                - Its state as one letter, as C(ps) shows it. V(D) is a process that waits for I/O and cannot be killed.
              type: str
              sample: S
            nice:
              description: How readily it gives way to others, from -20 (not at all) to 19.
              type: int
              sample: 0
            threads:
              description: Number of its threads.
              type: int
              sample: 31
            rss_bytes:
              description: Resident set size (C(/proc/PID/stat)).
              type: int
              sample: 8940122112
            rss_peak_bytes:
              description: The largest resident set that it had (C(VmHWM)).
              type: int
              sample: 8940122112
            pss_bytes:
              description:
                - Proportional set size, in which shared pages count in part. Only root can read it of other users'
                  processes.
              type: int
              sample: 8931475456
            swap_bytes:
              description: Its memory in swap (C(VmSwap)).
              type: int
              sample: 0
            virtual_bytes:
              description: Virtual size, which says little about memory in use.
              type: int
              sample: 9857794048
            cpu_seconds:
              description: CPU time in user space and kernel.
              type: float
              sample: 5120.33
            age_seconds:
              description: Seconds since it was started.
              type: float
              sample: 86400.5
            started:
              description: When it was started, RFC 3339 in UTC.
              type: str
              sample: "2026-10-03T14:26:12Z"
            open_fds:
              description: Descriptors that it has open.
              type: int
              sample: 87
            fd_soft_limit:
              description: The most that it may have open; V(null) is unlimited or unknown.
              type: int
              sample: 1024
            fd_hard_limit:
              description: The most that it may raise that to.
              type: int
              sample: 524288
            oom_score:
              description: How likely the OOM killer chooses it (C(/proc/PID/oom_score)).
              type: int
              sample: 979
            oom_score_adj:
              description: What is added to that; V(-1000) is never chosen.
              type: int
              sample: 0
            kernel_thread:
              description: Whether it is a thread of the kernel.
              type: bool
              sample: false
            limits:
              description:
                - All its limits by the kernel's names with underscores, such as C(open_files), each with C(soft) and
                  C(hard). V(null) is unlimited.
              type: dict
              sample: {"address_space": {"soft": null, "hard": null}}
            maps:
              description: Its memory by what is mapped, the most resident first; V(null) unless O(maps=true).
              type: list
              elements: dict
              contains:
                name:
                  description: The file, or C([heap]), C([stack]), C([anonymous]) and the kernel's own.
                  type: str
                  sample: "[heap]"
                kind:
                  description: V(heap), V(stack), V(anonymous), V(file) or V(kernel).
                  type: str
                  sample: heap
                mappings:
                  description: How many mappings it is.
                  type: int
                  sample: 1
                size_bytes:
                  description: Their virtual size.
                  type: int
                  sample: 8589934592
                rss_bytes:
                  description: Resident.
                  type: int
                  sample: 8053063680
                pss_bytes:
                  description: Resident, shared pages in part.
                  type: int
                  sample: 8053063680
                private_bytes:
                  description: Resident and in no other process.
                  type: int
                  sample: 8053063680
                swap_bytes:
                  description: In swap.
                  type: int
                  sample: 0
        matched:
          description: How many processes were chosen, before O(top) bounded them.
          type: int
          sample: 2
        rss_bytes:
          description: Resident set sizes of those returned, added up.
          type: int
          sample: 8940122112
        processes_total:
          description: All processes that this user can see, threads of the kernel included.
          type: int
          sample: 143
        threads_total:
          description: All their threads.
          type: int
          sample: 301
        unreadable:
          description: How many of those returned did not let all be read.
          type: int
          sample: 0
"""

import pwd
import re

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import (
    descriptor_reader,
    maps,
    page_size,
    processes as proc_processes,
)

_DEFAULT_TOP = 10


def read_table():
    """Read what the table of all processes is made of."""
    sources = _reader.read_files(page_size.SOURCES, limit=page_size.READ_LIMIT)
    _reader.read_files((path for path in proc_processes.SOURCES if path not in sources), sources)
    paths = _reader.process_paths(proc_processes.TABLE_FILES, _reader.list_pids())
    return _reader.read_files(paths, sources, proc_processes.READ_LIMIT)


def describe(process, sources, users, params):
    """Return one process's facts, with what else was asked for. Only few processes are chosen, so each is read now."""
    pid = process["pid"]
    _reader.read_files(_reader.process_paths(proc_processes.DETAIL_FILES, [pid]), sources)
    facts = proc_processes.details(process, sources, users)
    facts["open_fds"] = descriptor_reader.count(pid)
    if not params["command_line"]:
        facts["command_line"] = None
    facts["maps"] = None
    if params["maps"]:
        path = f"/proc/{pid}/smaps"
        text = _reader.read_files([path]).get(path)
        facts["maps"] = None if text is None else maps.parse(text)
    return facts


def fail_on_nonsense(module):
    """Fail if an option has no sense."""
    params = module.params
    if params["top"] is not None and params["top"] < 1:
        module.fail_json(msg=f"top: too small ({params['top']}); use 1 or more")
    for pid in params["pid"]:
        if pid < 1:
            module.fail_json(msg=f"pid: too small ({pid}); use 1 or more")
    try:
        re.compile(params["pattern"] or "")
    except re.error as error:
        module.fail_json(msg=f"pattern: not a regular expression ({params['pattern']}); correct it: {error}")


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "default": []},
            "pattern": {"type": "str"},
            "pid": {"type": "list", "elements": "int", "default": []},
            "top": {"type": "int"},
            "command_line": {"type": "bool", "default": False},
            "maps": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    fail_on_nonsense(module)
    params = module.params
    sources = read_table()
    table = proc_processes.parse_table(sources)
    if params["name"] or params["pid"] or params["pattern"]:
        chosen, top = proc_processes.choose(table, params["name"], params["pid"], params["pattern"]), params["top"]
    else:
        chosen, top = list(table), params["top"] or _DEFAULT_TOP
    chosen.sort(key=lambda pid: (-table[pid]["rss_bytes"], pid))
    users = {user.pw_uid: user.pw_name for user in reversed(pwd.getpwall())}
    processes = [describe(table[pid], sources, users, params) for pid in chosen[:top]]
    module.exit_json(
        ansible_facts={
            "lifeline_processes": {
                "processes": processes,
                "matched": len(chosen),
                "rss_bytes": sum(process["rss_bytes"] for process in processes),
                "processes_total": len(table),
                "threads_total": sum(process["threads"] for process in table.values()),
                "unreadable": sum(
                    1
                    for process in processes
                    if not process["kernel_thread"] and None in (process["pss_bytes"], process["open_fds"])
                ),
            }
        }
    )


if __name__ == "__main__":
    main()
