#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual of the action lifeline.fleet.health; its code is plugins/action/health.py and runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: health
short_description: Tells which boxes are about to die, and why, while they still answer
version_added: 0.1.0
description:
  - Reads in one round trip what a verdict on a box needs (memory, swap, pressure, file systems, descriptors, OOM kills, load, and
    the workers that the box is there for), and judges it by thresholds that can differ from box to box.
  - The reading is done by a small POSIX C(sh) script. It needs no Python on the box, writes no file there, and answers on a box
    that has 4 MB of memory left. The parsing and the judging are done on the controller.
  - With the stdout callback P(lifeline.fleet.table#callback) the results of all boxes are one table, worst box first.
  - Where the variable C(lifeline_history) names a file on the controller, every reading is kept there, and what is going to be used up is
    foretold from those before it.
options:
  thresholds:
    description:
      - Thresholds that differ from the ones that the inventory gives, by the name of the check. Each holds C(warning), C(critical),
        or both; V(null) switches a level off.
      - The variable C(lifeline_thresholds) has the same form. It may be set for all boxes, for groups and for hosts at once. Each layer
        names only what differs from the layer before it, and this option is the last layer.
      - A check strikes when its value reaches the threshold. For what is available and for the forecasts less is worse; for all others
        more is.
      - C(memory_available_mib), C(disk_available_mib) and C(inodes_available) are the companions of C(memory_available_percent),
        C(disk_used_percent) and C(inodes_used_percent). A level of the share strikes only if the companion's strikes as well. A layer that
        sets a level of a share switches off that of the companion, unless it sets both.
      - "The checks and their defaults, warning then critical: C(memory_available_percent) 25, 10;
        C(memory_available_mib) 6144, 2048; C(memory_pressure_percent) 5, 20; C(memory_committed_percent) 90,
        98; C(swap_used_percent) 50, 80; C(slab_unreclaimable_percent) 25, 50; C(disk_used_percent) 90, 95;
        C(disk_available_mib) 102400, 10240; C(inodes_used_percent) 90, 95; C(inodes_available) 1000000,
        100000; C(disks_hung) 1, null; C(login_disks_hung) null, 1; C(disks_failed) 1, null;
        C(disks_read_only) null, 1; C(root_read_only) null, 1; C(fds_used_percent) 70, 90;
        C(process_fds_used_percent) 80, 95; C(fd_limits_above_maximum) 1, null; C(oom_kills) 1, 5;
        C(workers_missing) null, 1; C(workers_given_up) null, 1; C(worker_memory_percent) 80, 100;
        C(worker_allowance_percent) 100, null; C(sshd_missing) null, 1; C(sshd_killed) null, 1;
        C(sshd_drops_percent) 1, 50; C(logins_refused) null, 1; C(pids_used_percent) 80, 95;
        C(conntrack_used_percent) 80, 95; C(ptys_used_percent) 80, 95; C(sshd_killable) 1, null;
        C(services_unexpected) 1, null; C(io_pressure_percent) 40, null; C(load_per_cpu) 2, 8;
        C(steal_percent) 10, 30; C(forecast_minutes) 120, 30; C(disk_forecast_minutes) 1440, 120."
      - C(forecast_minutes) is how long memory, descriptors and the allowance of a worker will last, C(disk_forecast_minutes) how long space
        and inodes of a file system will. They are judged only where C(lifeline_history) names a history.
      - C(services_unexpected) is judged only where C(service_lockdown_expected) says what the box is for. Whose sockets they are, only
        root may see, so that it wants a login as root or C(become).
    type: dict
  workers:
    description:
      - The processes that the box is there for. By default the variable C(lifeline_workers); where that is not set, the workers of
        C(sidekiq_watchdog_workers); where there are none either, Sidekiq with the memory that the variable C(max_sidekiq_memory) allows
        it. Without that variable Sidekiq may be missing.
    type: list
    elements: dict
    suboptions:
      name:
        description: What the worker is called in findings.
        type: str
        required: true
      pattern:
        description:
          - Regular expression that is searched in the command lines, arguments separated by blanks. By default the name, and for
            V(sidekiq) what finds Sidekiq while it starts and while it runs.
        type: str
      max_memory:
        description:
          - Memory that the worker may use, its child processes included, such as V(13 GB), V(512 MiB) or V(80%) of the box's
            memory. Units are powers of 1024. Not set means no limit.
        type: raw
      required:
        description: Whether the box is in danger when the worker is not running.
        type: bool
        default: true
  oom_window:
    description: How far back OOM kills count, in seconds or with one of the units s, m, h, d and w.
    type: str
    default: 24h
  timeout:
    description: Seconds that a mount of the network is waited for before it is called hung; at most 60.
    type: float
    default: 2
  deadline:
    description:
      - Seconds that a box has to answer once it has accepted the connection. After that it counts as unreachable.
      - Must be more than O(timeout).
    type: float
    default: 30
  fail_on:
    description: The verdict from which on the task fails, so that C(ansible) exits with a code that cron jobs and CI can see.
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
      - Without root the kernel log may be closed, and limits of other users' processes on some kernels.
notes:
  - "The history is a SQLite file, which any number of runs may write at once. C(lifeline_history) is its path, relative to the directory
    that Ansible was started in; C(lifeline_history_days) is how long a reading is kept, 30 days by default; C(lifeline_history_size) how
    large the file may become, 1 GB by default, before the oldest readings go. All three are variables for all, groups or hosts, or
    given with C(-e)."
  - A history that can't be written never stops a reading; there is a warning. One that is damaged is set aside, and a new one is begun.
    In check mode it is read and not written.
  - A box that can't be reached is recorded with the verdict V(down), one that could not be judged with V(unknown).
  - Steal is an average since boot, for a sample would take time; M(lifeline.fleet.pressure_facts) takes one.
  - A box that doesn't accept a connection is given up after Ansible's own timeout (C(ansible -T)); one that accepts it and then hangs,
    after O(deadline).
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
- name: See which boxes are about to die
  lifeline.fleet.health:

# ansible all -m lifeline.fleet.health -e lifeline_history=~/lifeline/history.db
- name: Keep what is read, and see what will be used up
  lifeline.fleet.health:
  vars:
    lifeline_history: "{{ inventory_dir }}/history.db"

# ansible all -m lifeline.fleet.health -a fail_on=critical || mail-the-operator
- name: Fail where a box is in danger, with a stricter eye on the disks
  lifeline.fleet.health:
    fail_on: critical
    thresholds:
      disk_used_percent:
        warning: 80
        critical: 90

- name: Watch a worker of another kind
  lifeline.fleet.health:
    workers:
      - name: resque
        pattern: ^resque-\d
        max_memory: 60%
"""

RETURN = r"""
verdict:
  description: The box's state, which is the worst severity among the findings.
  returned: when the box has answered
  type: str
  sample: critical
findings:
  description: The reasons for the verdict, worst first.
  returned: when the box has answered
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
      description: What was found wanting, such as a mount point, a process or a worker; V(null) where it is the box itself.
      type: str
      sample: /
    value:
      description: What was read.
      type: float
      sample: 96
    threshold:
      description: What it was held against.
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
    - What the verdict does not speak about because it could not be read, with how much. Without root these are mostly the descriptors of
      other users' processes.
  returned: when the box has answered
  type: list
  elements: str
  sample: [descriptors of 84 processes]
thresholds:
  description: The thresholds that hold for the box, all layers merged, by the name of the check.
  returned: when the box has answered
  type: dict
  sample: {"disk_used_percent": {"warning": 85, "critical": 95}}
workers:
  description: What the box's workers use.
  returned: when the box has answered
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
        - V(running); V(stopped) by a signal; V(stuck) in the kernel although no disk is busy; V(missing); or V(unknown) if the login may not
          see all processes.
      type: str
      choices: [running, stopped, stuck, missing, unknown]
      sample: running
    zombies:
      description: Its processes that are dead and that their parent has not waited for.
      type: int
      sample: 0
    pids:
      description: Its processes, without their children.
      type: list
      elements: int
      sample: [25910]
    processes:
      description: How many processes it is, children included.
      type: int
      sample: 1
    rss_bytes:
      description: Resident memory of all of them; V(null) when the worker is not running.
      type: int
      sample: 8940122112
    max_memory_bytes:
      description: What it is allowed; V(null) when it has no limit.
      type: int
      sample: 13958643712
    used_percent:
      description: The first as a share of the second.
      type: float
      sample: 64.05
    restarts:
      description: How often the watchdog has restarted the worker since boot; V(null) where it has noted nothing of it.
      type: int
      sample: 2
    given_up:
      description: Whether the watchdog has given up on the worker.
      type: bool
    paused:
      description: Whether somebody has stopped the worker by C(sidekiq-watchdog pause); it then counts as no missing one.
      type: bool
oom_kills:
  description: OOM kills in O(oom_window); V(null) where neither the kernel's log nor its counter can tell.
  returned: when the box has answered
  type: int
  sample: 1
forecasts:
  description:
    - What will be used up before a threshold of C(forecast_minutes) or C(disk_forecast_minutes), if it goes on as it does; the soonest
      first.
    - Each is a finding too, as severe as these thresholds say.
  returned: when the box has answered and C(lifeline_history) names a history
  type: list
  elements: dict
  contains:
    check:
      description: Name of the check, as in O(thresholds).
      type: str
      sample: forecast_minutes
    metric:
      description: What grows, as the history calls it.
      type: str
      sample: memory_used_bytes
    subject:
      description: Of what, such as a mount point, a process or a worker; V(null) where it is the box itself.
      type: str
    value:
      description: How much is used now, in the unit of RV(forecasts[].metric).
      type: float
      sample: 12884901888
    capacity:
      description: How much there is.
      type: float
      sample: 16042127360
    rate_per_hour:
      description: How much more it becomes in an hour.
      type: float
      sample: 4736755200
    seconds:
      description: After how many seconds all is used up.
      type: int
      sample: 2400
    seconds_low:
      description: The same at the highest rate that the readings leave open.
      type: int
      sample: 1500
    seconds_high:
      description: The same at the lowest rate.
      type: int
      sample: 4200
    since:
      description: Since when it has grown like this.
      type: str
      sample: "2026-11-21T04:12:08Z"
    message:
      description: The forecast in words.
      type: str
      sample: memory exhausted in about 40 minutes (25 to 70)
unread:
  description: What could not be read of the host, such as the command line of a process that hangs every reader.
  returned: when the box has answered
  type: list
  elements: str
  sample: []
msg:
  description: The verdict and all its reasons in one line.
  returned: always
  type: str
  sample: "critical: / is 96 % full, 305M left"
ansible_facts:
  description: What was read, in the form of the fact modules, as far as one probe can tell.
  returned: when the box has answered
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
      description: The kernel's tables that each login needs, and what kind of host it is.
      type: dict
      contains:
        pids:
          description:
            - Processes and threads, in the fullest of the kernel's own table and the control groups of the login, as C(used), C(maximum) and
              C(used_percent). V(null) is what the kernel doesn't tell, here as in the next two.
          type: dict
          sample: {"used": 412, "maximum": 32768, "used_percent": 1.26}
        conntrack:
          description: Entries of the firewall's connection tracking table.
          type: dict
          sample: {"used": 120, "maximum": 65536, "used_percent": 0.18}
        ptys:
          description: Terminals.
          type: dict
          sample: {"used": 2, "maximum": 4096, "used_percent": 0.05}
        container:
          description: Whether the host is a container.
          type: bool
        lxcfs:
          description: Whether lxcfs shows figures of the container in some files of C(/proc), beside those of the whole machine in others.
          type: bool
        ssh_socket:
          description: Whether systemd listens for sshd (C(ssh.socket) or C(sshd.socket)).
          type: bool
        logins_refused_by:
          description: The file that makes PAM refuse every login but root's; V(null) if there is none.
          type: str
          sample: null
    lifeline_listeners:
      description: See M(lifeline.fleet.listener_facts); packages and users are not read. Only where C(service_lockdown_expected) is set.
      type: dict
"""
