#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.sidekiq_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sidekiq_info
short_description: Reads the work of Sidekiq from its Redis
version_added: 0.1.0
description:
  - Reads from a worker's Redis how many jobs Sidekiq has processed, how many wait and for how long, and the state of
    its processes.
  - Runs on the host, because its Redis is most often on the loopback interface there, and needs only Python 3.8 and its
    standard library. With C(delegate_to), it also runs elsewhere.
  - Only reads, and reads a bounded number of keys.
  - Supports Sidekiq 6.0 to 8.1.
options:
  url:
    description:
      - The URL of Redis, such as V(redis://user:password@192.0.2.7:6379/0), V(rediss://redis.example.com/1) for TLS, or
        V(unix:///run/redis/redis.sock?db=2). Sidekiq's own C(REDIS_URL) has this form.
      - O(username) and O(password) override its parts.
    type: str
  host:
    description: Name or address of Redis. By default V(127.0.0.1).
    type: str
  port:
    description: Port of Redis. By default V(6379).
    type: int
  socket:
    description: Unix socket of Redis.
    type: path
  database:
    description: The number of the database. By default V(0).
    type: int
  username:
    description: The user in Redis' access control list. Without it, O(password) belongs to the user C(default).
    type: str
  password:
    description: The password.
    type: str
  prefix:
    description:
      - The prefix of all of Sidekiq's keys, such as V(banks:) if the application uses C(redis-namespace) with V(banks).
    type: str
    default: ''
  tls:
    description: Whether to use TLS, both with Redis and with the Sentinels.
    type: bool
  ca_path:
    description:
      - A file with the certificates of the authorities to trust, on the host that the module runs on. By default the
        system's.
    type: path
  validate_certs:
    description: Whether the server must present a trusted certificate for its name.
    type: bool
    default: true
  client_cert:
    description: A file with the client's certificate. It also holds the key, unless O(client_key) is given.
    type: path
  client_key:
    description: A file with the key of O(client_cert).
    type: path
  sentinels:
    description:
      - Addresses of Sentinels, as V(host), V(host:port) or V([2001:db8::1]:port). They are asked for the master one
        after another, and the first answer is used. The port is V(26379) by default.
    type: list
    elements: str
  sentinel_master:
    description: The master's name in the Sentinels' configuration.
    type: str
  sentinel_username:
    description: The user for the Sentinels.
    type: str
  sentinel_password:
    description: The password for the Sentinels. O(password) is the one for Redis.
    type: str
  timeout:
    description:
      - Seconds for looking up a name, connecting, logging in and reading, all together. The task fails if they take
        longer.
    type: float
    default: 5
  since:
    description:
      - An earlier reading, as this module returned it in RV(reading). The rates cover the time since then.
      - Without this and O(interval), the rates cover the time since the last reading in the history that the variable
        C(lifeline_history) names.
      - Each process sends its counts to Redis every 5 or 10 seconds, so a rate over less than half a minute is
        imprecise.
    type: dict
    suboptions:
      time:
        description: The time of the reading, in seconds since the epoch.
        type: float
        required: true
      processed:
        description: The jobs processed until then.
        type: int
        required: true
      failed:
        description: The jobs failed until then.
        type: int
        required: true
  interval:
    description: Read twice, this many seconds apart, for the rates. From 10 to 600.
    type: float
extends_documentation_fragment:
  - lifeline.fleet.facts.attributes
attributes:
  facts:
    description: Returns an C(ansible_facts) dictionary.
    support: none
notes:
  - The numbers are recorded in the history that the variable C(lifeline_history) names, under the name of the task's
    host, even if the task is delegated.
  - The counts include all processes that share the Redis, the prefix and the database, on whichever host they run.
  - Ages are measured with the clock of the host that the module runs on.
  - A user in Redis' access control list needs C(+get +zcard +scard +sscan +llen +lindex +sismember +hmget +hgetall) on
    Sidekiq's keys.
seealso:
  - module: lifeline.fleet.throughput_info
  - module: lifeline.fleet.sidekiq_facts
  - module: lifeline.fleet.process_facts
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Read Sidekiq from the Redis on the host
  lifeline.fleet.sidekiq_info:

- name: Read Sidekiq from a Redis elsewhere, from the controller
  lifeline.fleet.sidekiq_info:
    url: rediss://redis.example.com:6380/2
    username: lifeline
    password: "{{ redis_password }}"
    ca_path: /etc/ssl/redis-ca.pem
  delegate_to: localhost

- name: Read Sidekiq from the master that the Sentinels name
  lifeline.fleet.sidekiq_info:
    sentinels: ['192.0.2.11', '192.0.2.12', '192.0.2.13']
    sentinel_master: sidekiq
    sentinel_password: "{{ sentinel_password }}"
    password: "{{ redis_password }}"

- name: Read the counts
  lifeline.fleet.sidekiq_info:
  register: before

- name: Read the rate since then
  lifeline.fleet.sidekiq_info:
    since: "{{ before.reading }}"
  register: after

- name: Require a heartbeat within the last minute
  ansible.builtin.assert:
    that: after.sidekiq.heartbeat_seconds is not none and after.sidekiq.heartbeat_seconds < 60
"""

RETURN = r"""
asked:
  description: Place, database and prefix that were read.
  returned: success
  type: str
  sample: 127.0.0.1:6379/0
sidekiq:
  description: The state of Sidekiq.
  returned: success
  type: dict
  contains:
    processed:
      description: Jobs that ended, successfully or not, since the count began.
      type: int
      sample: 421337
    failed:
      description: The number of them that failed.
      type: int
      sample: 12
    retries:
      description: Jobs that failed and will be retried.
      type: int
      sample: 3
    scheduled:
      description: Jobs that are scheduled for later.
      type: int
      sample: 0
    dead:
      description: Jobs that failed and will not be retried.
      type: int
      sample: 0
    enqueued:
      description: Jobs waiting in all queues together.
      type: int
      sample: 210
    latency_seconds:
      description: Seconds that the oldest of them has waited.
      type: float
      sample: 12.5
    queues:
      description: The queues, by name; at most 1000.
      type: list
      elements: dict
      contains:
        name:
          description: The queue's name.
          type: str
          sample: crawl
        size:
          description: Jobs waiting in it.
          type: int
          sample: 210
        latency_seconds:
          description: Seconds that the oldest of them has waited.
          type: float
          sample: 12.5
        paused:
          description: Whether it is paused (Sidekiq Pro).
          type: bool
          sample: false
    queues_total:
      description: Number of queues.
      type: int
      sample: 2
    processes:
      description: The processes with a heartbeat within the last minute; at most 1000.
      type: list
      elements: dict
      contains:
        identity:
          description: Sidekiq's name for the process.
          type: str
          sample: crawler1:2172:1b2c3d4e5f60
        hostname:
          description: The hostname of the machine that it runs on.
          type: str
          sample: crawler1
        pid:
          description: Its process ID there.
          type: int
          sample: 2172
        tag:
          description: Its tag, usually the application's name.
          type: str
          sample: banks
        version:
          description: The version of Sidekiq; V(null) before 7.0, which does not report it.
          type: str
          sample: 7.3.2
        labels:
          description: Its labels.
          type: list
          elements: str
        queues:
          description: The queues that it processes.
          type: list
          elements: str
          sample: [crawl, default]
        started:
          description: The time of its start.
          type: str
          sample: '2026-11-20T08:00:00Z'
        heartbeat_seconds:
          description: Seconds since its last heartbeat.
          type: float
          sample: 3.2
        concurrency:
          description: Jobs that it can process at the same time.
          type: int
          sample: 25
        busy:
          description: Jobs in progress at its last heartbeat.
          type: int
          sample: 25
        quiet:
          description: Whether it no longer takes new jobs, because it was quieted or is stopping.
          type: bool
          sample: false
        rss_bytes:
          description: Its resident set size, as it reports it; V(null) before Sidekiq 6.1, which does not report it.
          type: int
          sample: 8940122112
        redis_rtt_us:
          description: Round-trip time to Redis in microseconds. Sidekiq considers more than 50,000 too long.
          type: int
          sample: 180
        jobs:
          description: The jobs in progress at its last heartbeat, the longest-running first.
          type: list
          elements: dict
          contains:
            class:
              description: The job's class.
              type: str
              sample: CrawlJob
            jid:
              description: The job's ID.
              type: str
              sample: b4a577edbccf1d805744efa9
            queue:
              description: The queue that it came from.
              type: str
              sample: crawl
            seconds:
              description: Seconds that it has run.
              type: float
              sample: 0.8
    processes_total:
      description: Number of processes.
      type: int
      sample: 1
    vanished:
      description: Processes without a heartbeat for a minute that did not sign off, because they were probably killed.
      type: list
      elements: str
      sample: []
    busy:
      description: Jobs in progress in all processes; V(null) without a process.
      type: int
      sample: 25
    concurrency:
      description: Jobs that all processes can process at the same time.
      type: int
      sample: 25
    busy_percent:
      description: RV(sidekiq.busy) as a percentage of RV(sidekiq.concurrency).
      type: float
      sample: 100.0
    heartbeat_seconds:
      description: Seconds since the last heartbeat of any process; V(null) without a process.
      type: float
      sample: 3.2
    rss_bytes:
      description: The sum of the processes' resident set sizes, as they report them.
      type: int
      sample: 8940122112
rate:
  description: The jobs since the earlier reading; V(null) without one, or if it does not fit.
  returned: success
  type: dict
  contains:
    seconds:
      description: Seconds since the earlier reading.
      type: float
      sample: 60.1
    processed:
      description: Jobs processed since.
      type: int
      sample: 192
    failed:
      description: Jobs failed since.
      type: int
      sample: 0
    processed_per_hour:
      description: Jobs processed per hour.
      type: float
      sample: 11500.83
    failed_per_hour:
      description: Jobs failed per hour.
      type: float
      sample: 0.0
rate_missing:
  description: The reason why there is no rate; V(null) if there is one.
  returned: success
  type: str
  sample: there is no earlier reading
reading:
  description: This reading, for the option O(since) of a later task.
  returned: success
  type: dict
  contains:
    time:
      description: The time of the reading, in seconds since the epoch.
      type: float
      sample: 1795257600.5
    processed:
      description: As in RV(sidekiq.processed).
      type: int
      sample: 421337
    failed:
      description: As in RV(sidekiq.failed).
      type: int
      sample: 12
msg:
  description: The state in one line, or the reason why it could not be read.
  returned: always
  type: str
  sample: 42133 processed (11500 an hour), 12 failed, 3 to retry, 0 dead, 0 enqueued, 25 of 25 busy, last beat 3 s ago
cause:
  description:
    - The reason why Redis could not be read, as one of V(unreachable), V(timeout), V(tls), V(login), V(protocol) if the
      server is not Redis, V(nothing) if the database holds no data of Sidekiq, and V(refused) for every other error of
      Redis.
  returned: failure, unless an option was wrong
  type: str
  sample: timeout
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import info

ARGUMENTS = {
    "url": {"type": "str"},
    "host": {"type": "str"},
    "port": {"type": "int"},
    "socket": {"type": "path"},
    "database": {"type": "int"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "prefix": {"type": "str", "default": ""},
    "tls": {"type": "bool"},
    "ca_path": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "sentinels": {"type": "list", "elements": "str"},
    "sentinel_master": {"type": "str"},
    "sentinel_username": {"type": "str"},
    "sentinel_password": {"type": "str", "no_log": True},
    "timeout": {"type": "float", "default": 5},
    "since": {
        "type": "dict",
        "options": {
            "time": {"type": "float", "required": True},
            "processed": {"type": "int", "required": True},
            "failed": {"type": "int", "required": True},
        },
    },
    "interval": {"type": "float"},
}


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        mutually_exclusive=[
            ("url", "host", "socket", "sentinels"),
            ("url", "port"),
            ("socket", "port"),
            ("sentinels", "port"),
            ("url", "database"),
            ("url", "tls"),
            ("socket", "tls"),
            ("since", "interval"),
        ],
        required_together=[("sentinels", "sentinel_master")],
        required_by={
            "sentinel_username": ("sentinel_password",),
            "sentinel_password": ("sentinels",),
            "client_key": ("client_cert",),
        },
        supports_check_mode=True,
    )
    try:
        module.no_log_values.update(info.secrets(module.params))
        info.check(module.params)
        found = info.result(module.params)
    except ValueError as error:
        module.fail_json(msg=str(error))
    except ServerFailure as failure:
        module.fail_json(msg=str(failure), cause=failure.cause)
    module.exit_json(**found)


if __name__ == "__main__":
    main()
