#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Document the action lifeline.fleet.health, whose code is plugins/action/health.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: health
short_description: Tells which hosts are about to die, and why, while they still answer
version_added: 0.1.0
description:
  - Reads everything for a verdict on a host in one round trip (memory, swap, pressure, file systems, descriptors, OOM
    kills, load, and the host's workers), and judges it by thresholds that can differ between hosts.
  - It runs a small POSIX C(sh) script, which needs no Python on the host, writes no file there, and answers on a host
    that has 4 MB of memory left. The controller parses and judges its output.
  - With the stdout callback P(lifeline.fleet.table#callback) the results of all hosts are one table, the worst host
    first.
  - If the variable C(lifeline_history) names a file on the controller, every reading is recorded there. The module then
    forecasts from earlier readings what will be used up.
options:
  thresholds:
    description:
      - Thresholds that differ from those of the inventory, by the name of the check. Each has C(warning), C(critical),
        or both; V(null) switches a level off.
      - The variable C(lifeline_thresholds) has the same form. It may be set for all hosts, for groups and for single
        hosts at the same time. Each layer names only what differs from the previous layer. This option is the last
        layer.
      - A level applies when the value of the check reaches it. Lower values are worse for available resources and for
        the forecasts, higher values for all other checks.
      - C(memory_available_mib), C(disk_available_mib) and C(inodes_available) are the companions of
        C(memory_available_percent), C(disk_used_percent) and C(inodes_used_percent). A level of the share applies only
        if that of the companion applies as well. A layer that sets a level of a share switches off that of the
        companion, unless it sets both.
      - "The checks and their defaults, warning then critical: C(fork_fails) null, 1; C(probe_incomplete) 1, null;
        C(memory_available_percent) 25, 10; C(memory_available_mib) 6144, 2048; C(memory_pressure_percent) 5, 20;
        C(major_faults_per_second) 1000, null; C(memory_committed_percent) 90, 98; C(swap_used_percent) 50, 80;
        C(slab_unreclaimable_percent) 25, 50; C(disk_used_percent) 90, 95; C(disk_available_mib) 102400, 10240;
        C(inodes_used_percent) 90, 95; C(inodes_available) 1000000, 100000; C(disks_hung) 1, null; C(login_disks_hung)
        null, 1; C(disks_failed) 1, null; C(disk_errors) 1, null; C(disks_read_only) null, 1; C(root_read_only) null, 1;
        C(fds_used_percent) 70, 90; C(process_fds_used_percent) 80, 95; C(fd_limits_above_maximum) 1, null; C(oom_kills)
        1, 5; C(workers_missing) null, 1; C(workers_given_up) null, 1; C(worker_crashes) 1, 5; C(worker_memory_percent)
        80, 100; C(worker_allowance_percent) 100, null; C(sshd_missing) null, 1; C(sshd_killed) null, 1;
        C(sshd_drops_percent) 1, 50; C(logins_refused) null, 1; C(pids_used_percent) 80, 95; C(conntrack_used_percent)
        80, 95; C(ptys_used_percent) 80, 95; C(ports_used_percent) 80, null; C(listen_drops_per_minute) 10, null;
        C(login_services_missing) 1, null; C(zombies) 1000, null; C(clock_skew_seconds) 60, null; C(sshd_killable) 1,
        null; C(services_unexpected) 1, null; C(io_pressure_percent) 40, null; C(load_per_cpu) 2, 8; C(steal_percent)
        10, 30; C(forecast_minutes) 120, 30; C(disk_forecast_minutes) 1440, 120."
      - C(forecast_minutes) is the time until memory, descriptors or the allowance of a worker are used up,
        C(disk_forecast_minutes) the time until the space or the inodes of a file system are used up. They are judged
        only if C(lifeline_history) names a history.
      - C(services_unexpected) is judged only if C(service_lockdown_expected) is set. Only root may see the processes of
        all sockets, so this check needs a login as root or C(become).
    type: dict
  workers:
    description:
      - The processes that the host exists for. The default is the variable C(lifeline_workers), or else the workers of
        C(sidekiq_watchdog_workers), or else Sidekiq with the memory in the variable C(max_sidekiq_memory). Without that
        variable Sidekiq may be missing.
    type: list
    elements: dict
    suboptions:
      name:
        description: The name of the worker in findings.
        type: str
        required: true
      pattern:
        description:
          - Regular expression for the command lines, whose arguments are separated by blanks. The default is the name.
            The default for V(sidekiq) finds Sidekiq while it starts and while it runs.
          - Long command lines, such as those of Java, are read as a whole if the pattern has a literal text of four
            characters or more outside of groups.
          - Only one of O(workers[].pattern), O(workers[].unit) and O(workers[].pidfile) can be set.
        type: str
      unit:
        description:
          - The systemd service whose control group holds the worker's processes, such as V(puma.service) for a Sidekiq
            that is embedded in Puma.
        type: str
      pidfile:
        description: A file below C(/run) that ends in C(.pid) and holds the process id of the worker.
        type: str
      max_memory:
        description:
          - Memory that the worker and its child processes may use, such as V(13 GB), V(512 MiB) or V(80%) of the host's
            memory. Units are powers of 1024. If it is not set, there is no limit.
        type: raw
      restart_command:
        description:
          - The command with which M(lifeline.fleet.rescue) restarts a worker that is no unit. One line without single
            quotes and exclamation marks.
        type: str
      required:
        description: Whether the host is in danger when the worker is not running.
        type: bool
        default: true
  oom_window:
    description: How far back OOM kills count, in seconds or with one of the units s, m, h, d and w.
    type: str
    default: 24h
  timeout:
    description: Seconds after which a network mount without an answer counts as hung; at most 60.
    type: float
    default: 2
  deadline:
    description:
      - Seconds that a host has to answer after it has accepted the connection. After that it counts as unreachable.
      - Must be more than O(timeout).
    type: float
    default: 30
  fail_on:
    description: The verdict from which on the task fails. C(ansible) then exits with a code for cron jobs and CI.
    type: str
    choices: [never, warning, critical]
    default: never
extends_documentation_fragment:
  - lifeline.fleet.facts.attributes
  - lifeline.fleet.support.shell
attributes:
  become:
    description: Can be used with C(become).
    support: full
    details:
      - Without root the kernel log may be unreadable, and on some kernels also the limits of other users' processes.
notes:
  - The history is a SQLite file that any number of runs may write at the same time. C(lifeline_history) is its path,
    relative to the directory in which Ansible was started. C(lifeline_history_days) is how long a reading is kept, 30
    days by default. C(lifeline_history_size) is the maximum size of the file, 1 GB by default; above it the oldest
    readings are removed. All three are variables for all, groups or hosts, or given with C(-e).
  - A history that can't be written causes a warning but never stops a reading. A damaged history is set aside, and a
    new one is started. Check mode reads the history but doesn't write it.
  - An unreachable host is recorded with the verdict V(down), one that could not be judged with V(unknown).
  - Steal is judged only between two readings. M(lifeline.fleet.pressure_facts) takes a sample of it.
  - A host that doesn't accept a connection counts as unreachable after Ansible's own timeout (C(ansible -T)), one that
    accepts it and then hangs after O(deadline).
seealso:
  - plugin: lifeline.fleet.table
    plugin_type: callback
  - module: lifeline.fleet.memory_facts
  - module: lifeline.fleet.disk_facts
  - module: lifeline.fleet.fd_facts
  - module: lifeline.fleet.oom_facts
  - module: lifeline.fleet.process_facts
  - module: lifeline.fleet.pressure_facts
  - module: lifeline.fleet.listener_facts
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
# ansible all -m lifeline.fleet.health
- name: Check the hosts
  lifeline.fleet.health:

# ansible all -m lifeline.fleet.health -e lifeline_history=~/lifeline/history.db
- name: Record the readings and forecast what will be used up
  lifeline.fleet.health:
  vars:
    lifeline_history: "{{ inventory_dir }}/history.db"

# ansible all -m lifeline.fleet.health -a fail_on=critical || mail-the-operator
- name: Fail on hosts in danger, with stricter thresholds for the disks
  lifeline.fleet.health:
    fail_on: critical
    thresholds:
      disk_used_percent:
        warning: 80
        critical: 90

- name: Check a worker other than Sidekiq
  lifeline.fleet.health:
    workers:
      - name: resque
        pattern: ^resque-\d
        max_memory: 60%
"""

RETURN = r"""
verdict:
  description: The state of the host, which is the worst severity among the findings.
  returned: when the host has answered
  type: str
  sample: critical
findings:
  description: The reasons for the verdict, worst first.
  returned: when the host has answered
  type: list
  elements: dict
  contains:
    check:
      description: Name of the check, as in O(thresholds).
      type: str
      sample: disk_used_percent
    severity:
      description: V(warning) or V(critical).
      type: str
      sample: critical
    subject:
      description: The affected mount point, process or worker; V(null) if it is the host itself.
      type: str
      sample: /
    value:
      description: The value that was read.
      type: float
      sample: 96
    threshold:
      description: The threshold that the value has reached.
      type: float
      sample: 95
    unit:
      description: The unit of both.
      type: str
      sample: "%"
    message:
      description: The reason in words.
      type: str
      sample: / is 96 % full, 305M left
unread:
  description:
    - Parts that could not be read, with their number, and are not part of the verdict. Without root these are mostly
      the descriptors of other users' processes. Another example is the command line of a process that hangs every
      reader.
  returned: when the host has answered
  type: list
  elements: str
  sample: [descriptors of 84 processes]
thresholds:
  description: The thresholds of the host, all layers merged, by the name of the check.
  returned: when the host has answered
  type: dict
  sample: {"disk_used_percent": {"warning": 85, "critical": 95}}
workers:
  description: The state and the resources of the workers.
  returned: when the host has answered
  type: list
  elements: dict
  contains:
    name:
      description: Name of the worker.
      type: str
      sample: sidekiq
    required:
      description: Whether it must be running.
      type: bool
      sample: true
    state:
      description:
        - V(running); V(starting), as systemd says; V(stopped) by a signal; V(stuck) in the kernel although no disk is
          busy; V(missing); or V(unknown) if the login may not see all processes, or if Puma may run it.
      type: str
      choices: [running, starting, stopped, stuck, missing, unknown]
      sample: running
    zombies:
      description: The number of its zombie processes.
      type: int
      sample: 0
    pids:
      description: Its processes, without their children.
      type: list
      elements: int
      sample: [25910]
    processes:
      description: The number of its processes, including children.
      type: int
      sample: 1
    crashes:
      description: How often it crashed in the last hour, as far as that is known; V(null) if nothing tells of a crash.
      type: int
      sample: null
    rss_bytes:
      description: Resident set size of all of them; V(null) if the worker is not running.
      type: int
      sample: 8940122112
    max_memory_bytes:
      description: The memory that it may use; V(null) if it has no limit.
      type: int
      sample: 13958643712
    used_percent:
      description: C(rss_bytes) as a share of C(max_memory_bytes).
      type: float
      sample: 64.05
    restarts:
      description: How often the watchdog has restarted the worker since boot; V(null) if it has no record of the
        worker.
      type: int
      sample: 2
    given_up:
      description: Whether the watchdog has given up on the worker.
      type: bool
    paused:
      description: Whether C(sidekiq-watchdog pause) has stopped the worker. It then doesn't count as missing.
      type: bool
oom_kills:
  description: OOM kills in O(oom_window); V(null) if neither the kernel log nor its counter is readable.
  returned: when the host has answered
  type: int
  sample: 1
forecasts:
  description:
    - Resources that will be used up within the thresholds of C(forecast_minutes) or C(disk_forecast_minutes) at the
      present rate, the soonest first.
    - Each is also a finding, with the severity of these thresholds.
  returned: when the host has answered and C(lifeline_history) names a history
  type: list
  elements: dict
  contains:
    check:
      description: Name of the check, as in O(thresholds).
      type: str
      sample: forecast_minutes
    metric:
      description: The metric that grows, by its name in the history.
      type: str
      sample: memory_used_bytes
    subject:
      description: The affected mount point, process or worker; V(null) if it is the host itself.
      type: str
    value:
      description: The amount in use now, in the unit of RV(forecasts[].metric).
      type: float
      sample: 12884901888
    capacity:
      description: The total amount.
      type: float
      sample: 16042127360
    rate_per_hour:
      description: The growth per hour.
      type: float
      sample: 4736755200
    seconds:
      description: Seconds until everything is used up.
      type: int
      sample: 2400
    seconds_low:
      description: The same at the highest rate of the interval.
      type: int
      sample: 1500
    seconds_high:
      description: The same at the lowest rate of the interval.
      type: int
      sample: 4200
    since:
      description: The start of this growth.
      type: str
      sample: "2026-11-21T04:12:08Z"
    message:
      description: The forecast in words.
      type: str
      sample: memory exhausted in about 40 minutes (25 to 70)
msg:
  description: The verdict and all its reasons in one line.
  returned: always
  type: str
  sample: "critical: / is 96 % full, 305M left"
ansible_facts:
  description: The facts that one probe can read, in the form of the fact modules.
  returned: when the host has answered
  type: dict
  contains:
    lifeline_memory:
      description: See M(lifeline.fleet.memory_facts).
      type: dict
    lifeline_disks:
      description: See M(lifeline.fleet.disk_facts).
      type: dict
    lifeline_fds:
      description: See M(lifeline.fleet.fd_facts); the kinds of descriptors and the sockets are not read.
      type: dict
    lifeline_oom:
      description: See M(lifeline.fleet.oom_facts); the kills in O(oom_window), from the kernel's ring buffer.
      type: dict
    lifeline_pressure:
      description: See M(lifeline.fleet.pressure_facts); the rates are averages since boot.
      type: dict
    lifeline_kernel:
      description: The kernel's tables that every login needs, and the kind of host.
      type: dict
      contains:
        pids:
          description:
            - Processes and threads, in the fullest of the kernel's own table and the login's control groups, as
              C(used), C(maximum) and C(used_percent). A value is V(null) if the kernel doesn't provide it; this also
              holds for the next two.
          type: dict
          sample: {"used": 412, "maximum": 32768, "used_percent": 1.26}
        conntrack:
          description: Entries in the firewall's connection tracking table.
          type: dict
          sample: {"used": 120, "maximum": 65536, "used_percent": 0.18}
        ptys:
          description: Terminals.
          type: dict
          sample: {"used": 2, "maximum": 4096, "used_percent": 0.05}
        ports:
          description: TCP connections, also those that wait for their end, against the local ports of outgoing ones.
          type: dict
          sample: {"used": 310, "maximum": 28232, "used_percent": 1.1}
        disk_errors:
          description: Errors that ext4 has met since the last check of each file system, by device.
          type: dict
          sample: {"vda1": 3}
        login_session:
          description: Whether systemd-logind has made a session of the login that was used.
          type: bool
        container:
          description: Whether the host is a container.
          type: bool
        lxcfs:
          description: Whether some files in C(/proc) show the container (lxcfs) and others the whole machine.
          type: bool
        ssh_socket:
          description: Whether systemd listens for sshd (C(ssh.socket) or C(sshd.socket)).
          type: bool
        logins_refused_by:
          description: The file that makes PAM reject every login except root's; V(null) if there is none.
          type: str
          sample: null
    lifeline_listeners:
      description: See M(lifeline.fleet.listener_facts); packages and users are not read. Only if
        C(service_lockdown_expected) is set.
      type: dict
"""
