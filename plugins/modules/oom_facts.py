#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: oom_facts
short_description: Every OOM kill on record, as a structured event
version_added: 0.1.0
description:
  - Finds every process that the kernel killed for want of memory, in the journal, in the kernel's own buffer, and in
    C(/var/log/kern.log), C(/var/log/syslog) and C(/var/log/messages) with their rotations, or in the files that
    O(logs) names.
  - Each kill is one event even if several logs have it. The kernel's version and the format of the log don't matter.
  - Lines that programs wrote to look like the kernel's are ignored if the log shows who wrote them. The journal and
    C(/dev/kmsg) always show it; a file of C(syslog) shows it unless the program called itself C(kernel).
  - Kills by C(systemd-oomd), C(earlyoom) and other programs are no OOM kills of the kernel, so they are listed apart.
extends_documentation_fragment:
  - lifeline.fleet.facts
  - lifeline.fleet.facts.attributes
options:
  logs:
    description:
      - Read these files instead of the host's own logs. Shell patterns are allowed.
      - The files may be plain, or compressed with C(gzip), C(bzip2), C(xz) or C(zstd). The last one needs the program
        C(zstd) on the host.
      - They may have any format, such as that of C(/dev/kmsg), or of C(dmesg) and C(journalctl) with any option.
      - A file that does not exist or cannot be read is an error.
    type: list
    elements: path
  since:
    description:
      - Leave out kills that are known to be older. Kills without a time in the log are kept.
      - A length of time before now, such as V(24h), V(90m) or V(7d), or a time as in V(2026-10-03T22:19:59Z).
    type: str
  max_events:
    description:
      - Return at most this many events, and as many other kills, the newest ones.
      - The counts include the others.
    type: int
    default: 50
  workers:
    description:
      - Regular expressions. A victim is a worker if its name or its unit contains a match of one of them.
    type: list
    elements: str
    default: ['(?i)sidekiq', '^ruby']
seealso:
  - module: lifeline.fleet.health
  - module: lifeline.fleet.memory_facts
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Find all OOM kills on record
  lifeline.fleet.oom_facts:
  become: true

- name: Stop if the worker was killed in the last day
  lifeline.fleet.oom_facts:
    since: 24h
    workers:
      - ^puma
      - ^sidekiq
  become: true
  failed_when: ansible_facts.lifeline_oom.worker_killed

- name: Find the OOM kills in saved logs
  lifeline.fleet.oom_facts:
    logs:
      - /srv/incident/syslog*
      - /srv/incident/dmesg.txt
"""

RETURN = r"""
ansible_facts:
  description: Facts that are added to those of the host.
  returned: success
  type: dict
  contains:
    lifeline_oom:
      description: OOM kills on record.
      returned: success
      type: dict
      contains:
        events:
          description:
            - Kills by the kernel, newest first; kills without a time come last. At most O(max_events).
            - A key is V(null) if the log does not tell its value.
          returned: success
          type: list
          elements: dict
          contains:
            time:
              description: Time of the kill, in RFC 3339 and UTC.
              type: str
              returned: success
              sample: "2026-10-03T22:19:59Z"
            uptime_seconds:
              description: Time of the kill, in seconds after the boot of the host.
              type: float
              returned: success
              sample: 28441.948805
            killer:
              description: Always V(kernel).
              type: str
              returned: success
              sample: kernel
            pid:
              description: Number of the process that was killed.
              type: int
              returned: success
              sample: 25910
            name:
              description:
                - Name of the process that was killed, at most 15 bytes, chosen by the process itself.
                - In this and all other names and paths, control characters are escaped as in C(\x0a).
              type: str
              returned: success
              sample: ruby
            uid:
              description: Number of the user whose process it was.
              type: int
              returned: success
              sample: 1000
            score:
              description:
                - The victim's badness, as kernels before 5.1 print it; thousandths of the memory since 2.6.36.
                - V(null) if a child was killed in place of the process that was scored.
              type: int
              returned: success
              sample: 979
            chosen_pid:
              description:
                - Number of the process that the kernel scored and chose, if another one died in its place, such as a
                  child of it. Kernels before 5.1 do so.
                - V(null) if the process that was chosen is the one that died, or a thread of it.
              type: int
              returned: success
              sample: null
            chosen_name:
              description: Name of the process that was chosen, if another one died in its place.
              type: str
              returned: success
              sample: null
            chosen_score:
              description: Score of the process that was chosen, if another one died in its place.
              type: int
              returned: success
              sample: null
            oom_score_adj:
              description: The victim's adjustment of the score, from -1000 to 1000.
              type: int
              returned: success
              sample: 0
            total_vm_bytes:
              description: Virtual size of the victim.
              type: int
              returned: success
              sample: 16678629376
            anon_rss_bytes:
              description: Resident anonymous memory of the victim.
              type: int
              returned: success
              sample: 15677624320
            file_rss_bytes:
              description: Resident file pages of the victim; with shared memory on kernels before 4.5.
              type: int
              returned: success
              sample: 0
            shmem_rss_bytes:
              description: Resident shared memory of the victim.
              type: int
              returned: success
              sample: 0
            pgtables_bytes:
              description: Page tables of the victim, as the kernel printed them. Early 5.4 kernels print 1024 times
                as much.
              type: int
              returned: success
              sample: 143360
            invoker:
              description: Name of the process that asked for memory when there was none; often not the culprit.
              type: str
              returned: success
              sample: ucrawler.rb:213
            constraint:
              description: The memory that had run out - that of the whole host, of a cgroup, or of some NUMA nodes.
              type: str
              choices: [system, memcg, cpuset, mempolicy, unknown]
              returned: success
              sample: system
            memcg:
              description: The cgroup whose limit was hit.
              type: str
              returned: success
              sample: /system.slice/crawler.service
            task_memcg:
              description: The victim's own cgroup.
              type: str
              returned: success
              sample: /system.slice/crawler.service
            oom_group:
              description:
                - V(true) if all processes of the victim's cgroup were killed with it (C(memory.oom.group)), V(null)
                  otherwise.
                - The kernel then counts the victim itself twice in
                  RV(ansible_facts.lifeline_oom.kills_since_boot).
              type: bool
              returned: success
              sample: null
            unit:
              description: The systemd unit of RV(ansible_facts.lifeline_oom.events[].task_memcg).
              type: str
              returned: success
              sample: crawler.service
            limit_bytes:
              description: The limit that was hit.
              type: int
              returned: success
              sample: 536870912
            usage_bytes:
              description: The memory in use under that limit.
              type: int
              returned: success
              sample: 536870912
            source:
              description: The first log that has the kill - V(journal), V(kmsg), V(dmesg), or the path of a file.
              type: str
              returned: success
              sample: journal
        other_kills:
          description: Kills for want of memory by programs, newest first. At most O(max_events).
          returned: success
          type: list
          elements: dict
          contains:
            time:
              description: Time of the kill, in RFC 3339 and UTC.
              type: str
              returned: success
              sample: "2026-10-03T22:19:59Z"
            uptime_seconds:
              description: Time of the kill, in seconds after the boot of the host.
              type: float
              returned: success
              sample: null
            killer:
              description: The program that killed.
              type: str
              choices: [systemd-oomd, earlyoom, nohang, talos, lowmemorykiller]
              returned: success
              sample: earlyoom
            pid:
              description: Number of the process; V(null) if a whole cgroup was killed.
              type: int
              returned: success
              sample: 4211
            name:
              description: Name of the process.
              type: str
              returned: success
              sample: Web Content
            uid:
              description: Number of the user whose process it was.
              type: int
              returned: success
              sample: 1000
            rss_bytes:
              description: Resident memory of the process.
              type: int
              returned: success
              sample: 1073741824
            signal:
              description: The strongest signal that was sent.
              type: str
              returned: success
              sample: SIGTERM
            cgroup:
              description: The cgroup that was killed.
              type: str
              returned: success
              sample: null
            unit:
              description: The systemd unit that was killed.
              type: str
              returned: success
              sample: null
            reason:
              description: The reason, in the program's words.
              type: str
              returned: success
              sample: null
            source:
              description: The first log that has the kill.
              type: str
              returned: success
              sample: journal
        kills_since_boot:
          description:
            - The kernel's own count of kills since the boot; kernels before 4.13 have none. In a container it is the
              count of the container's control group.
            - The logs may have fewer kills, or older ones.
          returned: success
          type: int
          sample: 1
        kills_in_log:
          description: How many kills by the kernel the logs have, within O(since).
          returned: success
          type: int
          sample: 1
        invocations_without_kill:
          description: How often the OOM killer ran without a victim, in the log that shows most of these.
          returned: success
          type: int
          sample: 0
        sshd_killed:
          description: Whether a process of the SSH server was among the victims.
          returned: success
          type: bool
          sample: false
        worker_killed:
          description: Whether a victim's name or unit matches one of O(workers).
          returned: success
          type: bool
          sample: true
        sources:
          description: The logs, and which of them could be read.
          returned: success
          type: list
          elements: dict
          contains:
            name:
              description: V(journal), V(kmsg), V(dmesg), or the path of a file.
              type: str
              returned: success
              sample: /var/log/kern.log
            readable:
              description: Whether it was read.
              type: bool
              returned: success
              sample: true
            reason:
              description: Why it could not be read, or not all of it.
              type: str
              returned: success
              sample: null
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils import _quantities, _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log import reader as log_reader, stamps
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import facts as oom_facts


def utc_offset(local: float) -> float:
    """Return the seconds that the host's local time was ahead of UTC when its clock showed `local` seconds."""
    try:
        return local - time.mktime(time.gmtime(local)[:8] + (-1,))
    except (OverflowError, ValueError, OSError):
        return 0


def since_epoch(value: str, now: float) -> float:
    """Return the option `since` in seconds since 1970. Raises ValueError if it is neither a duration nor a time."""
    epoch = stamps.parse_time(value, stamps.Clock(now, None, utc_offset)) if "-" in value[4:5] else None
    if epoch is not None:
        return epoch
    try:
        return now - _quantities.parse_duration(value)
    except ValueError:
        raise ValueError(
            f"since: neither a duration nor a time ({value}); write it as in 24h or as in 2026-10-03T22:19:59Z"
        ) from None


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "logs": {"type": "list", "elements": "path"},
            "since": {"type": "str"},
            "max_events": {"type": "int", "default": 50},
            "workers": {"type": "list", "elements": "str", "default": list(oom_facts.DEFAULT_WORKERS)},
        },
        supports_check_mode=True,
    )
    now = time.time()
    try:
        since = None if module.params["since"] is None else since_epoch(module.params["since"], now)
        if module.params["max_events"] < 0:
            raise ValueError(
                f"max_events: less than 0 ({module.params['max_events']}); give the number of events to return"
            )
        if module.params["logs"] is not None:
            logs = log_reader.read_named(module.params["logs"])
        else:
            logs = log_reader.read_box(since)
        sources = logs.sources
        _reader.read_files(oom_facts.SOURCES, sources)
        _reader.read_files(oom_facts.paths(sources), sources)
        _reader.read_files(oom_facts.paths(sources), sources)
        facts = oom_facts.parse(
            sources,
            logs=logs.names,
            now=now,
            utc_offset=utc_offset,
            since=since,
            max_events=module.params["max_events"],
            workers=module.params["workers"],
            unread=logs.unread,
        )
    except (ValueError, log_reader.LogError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(ansible_facts={"lifeline_oom": facts})


if __name__ == "__main__":
    main()
