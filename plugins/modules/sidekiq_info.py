#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.sidekiq_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sidekiq_info
short_description: What Sidekiq gets done, from its own Redis
version_added: 0.1.0
description:
  - Asks the Redis of a worker what Sidekiq has processed, what waits and for how long, and how its processes are.
  - Runs on the box, whose Redis is most often on its own loopback, and needs nothing there but Python 3.8 and its standard library. Where
    Redis is elsewhere, it runs as well with C(delegate_to).
  - Only reads, and never more than a bounded number of keys.
  - Knows Sidekiq 6.0 to 8.1.
options:
  url:
    description:
      - Where Redis is, such as V(redis://user:password@192.0.2.7:6379/0), V(rediss://redis.example.com/1) for TLS, or
        V(unix:///run/redis/redis.sock?db=2). What Sidekiq has in C(REDIS_URL) will do.
      - O(username) and O(password) may be given beside it.
    type: str
  host:
    description: Redis' name or address. By default the box itself, V(127.0.0.1).
    type: str
  port:
    description: Redis' port. By default V(6379).
    type: int
  socket:
    description: Redis' Unix socket.
    type: path
  database:
    description: The number of the database. By default V(0).
    type: int
  username:
    description: The user of Redis' access control list. Without it, the password is that of the user C(default).
    type: str
  password:
    description: The password.
    type: str
  prefix:
    description: What every key of Sidekiq begins with, such as V(banks:) where the application uses C(redis-namespace) with V(banks).
    type: str
    default: ''
  tls:
    description: Whether to use TLS, with Redis and with the Sentinels.
    type: bool
  ca_path:
    description: A file with the certificates of authorities to trust, on the machine that the module runs on. By default the system's.
    type: path
  validate_certs:
    description: Whether the server must show a certificate for its name that is trusted.
    type: bool
    default: true
  client_cert:
    description: A file with the certificate to show to the server, and with its key unless O(client_key) has that.
    type: path
  client_key:
    description: A file with the key of O(client_cert).
    type: path
  sentinels:
    description:
      - Addresses of Sentinels, as V(host), V(host:port) or V([2001:db8::1]:port). They are asked in turn for the master, and the first that
        knows one is believed. The port is V(26379) by default.
    type: list
    elements: str
  sentinel_master:
    description: What the Sentinels call the master.
    type: str
  sentinel_username:
    description: The user that the Sentinels want.
    type: str
  sentinel_password:
    description: The password that the Sentinels want. O(password) is Redis' own.
    type: str
  timeout:
    description:
      - Seconds that looking up a name, connecting, logging in and reading may take, all together. After that the task fails.
    type: float
    default: 5
  since:
    description:
      - An earlier reading, as this module returned it under RV(reading). The rates are taken from there to now.
      - Where neither this nor O(interval) is given, and the variable C(lifeline_history) names a history, the rates are taken from the
        last reading there.
      - Counts come to Redis with the beat of each process, every 5 or 10 seconds. A rate over less than half a minute is a rough one.
    type: dict
    suboptions:
      time:
        description: When it was, in seconds since the epoch.
        type: float
        required: true
      processed:
        description: What had been processed by then.
        type: int
        required: true
      failed:
        description: What had failed by then.
        type: int
        required: true
  interval:
    description: Read twice, so many seconds apart, for the rates. From 10 to 600.
    type: float
extends_documentation_fragment:
  - lifeline.fleet.facts.attributes
attributes:
  facts:
    description: Returns an C(ansible_facts) dictionary.
    support: none
notes:
  - Where C(lifeline_history) is set, the numbers are recorded there, under the name of the host that the task is for, also where it is
    delegated.
  - The counts are of all processes that share the Redis, the prefix and the database, whichever box they run on.
  - Ages are counted by the clock of the machine that the module runs on.
  - A user of Redis' access control list needs C(+get +zcard +scard +sscan +llen +lindex +sismember +hmget +hgetall) on Sidekiq's keys.
seealso:
  - module: lifeline.fleet.throughput_info
  - module: lifeline.fleet.sidekiq_facts
  - module: lifeline.fleet.process_facts
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Ask the Redis of the box itself
  lifeline.fleet.sidekiq_info:

- name: Ask a Redis elsewhere, from the controller
  lifeline.fleet.sidekiq_info:
    url: rediss://redis.example.com:6380/2
    username: lifeline
    password: "{{ redis_password }}"
    ca_path: /etc/ssl/redis-ca.pem
  delegate_to: localhost

- name: Ask whichever Redis is the master
  lifeline.fleet.sidekiq_info:
    sentinels: ['192.0.2.11', '192.0.2.12', '192.0.2.13']
    sentinel_master: sidekiq
    sentinel_password: "{{ sentinel_password }}"
    password: "{{ redis_password }}"

- name: Take a reading
  lifeline.fleet.sidekiq_info:
  register: before

- name: Take the rate since then
  lifeline.fleet.sidekiq_info:
    since: "{{ before.reading }}"
  register: after

- name: Find boxes whose workers beat no more
  ansible.builtin.assert:
    that: after.sidekiq.heartbeat_seconds is not none and after.sidekiq.heartbeat_seconds < 60
"""

RETURN = r"""
asked:
  description: What was asked, as its place, database and prefix.
  returned: success
  type: str
  sample: 127.0.0.1:6379/0
sidekiq:
  description: What Sidekiq has in Redis.
  returned: success
  type: dict
  contains:
    processed:
      description: Jobs that ended, well or not, since the count began.
      type: int
      sample: 421337
    failed:
      description: How many of them failed.
      type: int
      sample: 12
    retries:
      description: Jobs that failed and will be tried again.
      type: int
      sample: 3
    scheduled:
      description: Jobs that wait for their time.
      type: int
      sample: 0
    dead:
      description: Jobs that have failed for the last time.
      type: int
      sample: 0
    enqueued:
      description: Jobs that wait in all queues together.
      type: int
      sample: 210
    latency_seconds:
      description: How long the oldest of them has waited.
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
          description: Jobs that wait in it.
          type: int
          sample: 210
        latency_seconds:
          description: How long the oldest of them has waited.
          type: float
          sample: 12.5
        paused:
          description: Whether it is paused (Sidekiq Pro).
          type: bool
          sample: false
    queues_total:
      description: How many queues there are.
      type: int
      sample: 2
    processes:
      description: The processes that have beaten within the last minute; at most 1000.
      type: list
      elements: dict
      contains:
        identity:
          description: What Sidekiq calls the process.
          type: str
          sample: crawler1:2172:1b2c3d4e5f60
        hostname:
          description: The box that it runs on, as it calls itself.
          type: str
          sample: crawler1
        pid:
          description: Its number there.
          type: int
          sample: 2172
        tag:
          description: Its tag, most often the name of the application.
          type: str
          sample: banks
        version:
          description: The version of Sidekiq; V(null) before 7.0, which does not tell.
          type: str
          sample: 7.3.2
        labels:
          description: Its labels.
          type: list
          elements: str
        queues:
          description: The queues that it works on.
          type: list
          elements: str
          sample: [crawl, default]
        started:
          description: When it was started.
          type: str
          sample: '2026-11-20T08:00:00Z'
        heartbeat_seconds:
          description: How long ago it beat last.
          type: float
          sample: 3.2
        concurrency:
          description: How many jobs it can work on at once.
          type: int
          sample: 25
        busy:
          description: How many it works on, as of its last beat.
          type: int
          sample: 25
        quiet:
          description: Whether it takes no new jobs any more, because it was told to, or because it stops.
          type: bool
          sample: false
        rss_bytes:
          description: Its resident set size, as it says itself; V(null) before Sidekiq 6.1, which does not tell.
          type: int
          sample: 8940122112
        redis_rtt_us:
          description: How long Redis takes to answer it, in microseconds. Over 50,000 is too long, says Sidekiq.
          type: int
          sample: 180
        jobs:
          description: The jobs that it works on, as of its last beat, those that take longest first.
          type: list
          elements: dict
          contains:
            class:
              description: The job's class.
              type: str
              sample: CrawlJob
            jid:
              description: The job's number.
              type: str
              sample: b4a577edbccf1d805744efa9
            queue:
              description: The queue that it came from.
              type: str
              sample: crawl
            seconds:
              description: How long it has run.
              type: float
              sample: 0.8
    processes_total:
      description: How many processes there are.
      type: int
      sample: 1
    vanished:
      description: Processes that have not beaten for a minute and did not sign off, which is how those look that were killed.
      type: list
      elements: str
      sample: []
    busy:
      description: Jobs that all processes together work on; V(null) without a process.
      type: int
      sample: 25
    concurrency:
      description: Jobs that all processes together can work on at once.
      type: int
      sample: 25
    busy_percent:
      description: The first as a share of the second.
      type: float
      sample: 100.0
    heartbeat_seconds:
      description: How long ago any process beat last; V(null) without a process.
      type: float
      sample: 3.2
    rss_bytes:
      description: The resident set sizes of all processes together, as they say themselves.
      type: int
      sample: 8940122112
rate:
  description: What was done since the earlier reading; V(null) without one, or where it does not fit.
  returned: success
  type: dict
  contains:
    seconds:
      description: How long ago the earlier reading is.
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
  description: Why there is no rate; V(null) where there is one.
  returned: success
  type: str
  sample: there is no earlier reading
reading:
  description: This reading, to be given as O(since) later.
  returned: success
  type: dict
  contains:
    time:
      description: When it was, in seconds since the epoch.
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
  description: The state in a line, or why it could not be read.
  returned: always
  type: str
  sample: 421337 processed (11500.8 an hour), 12 failed, 3 to retry, 0 dead, 0 enqueued, 25 of 25 busy, last beat 3 s ago
cause:
  description:
    - Why Redis could not be read, in a word. V(unreachable), V(timeout), V(tls), V(login), V(protocol) for what is no Redis, V(nothing)
      where nothing of Sidekiq is in that database, V(refused) for all else that Redis says.
  returned: failure, unless the options were at fault
  type: str
  sample: timeout
"""

import time
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import redis, state as sidekiq_state
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.resp import Refusal


def counts(now, state):
    return {"time": now, "processed": state["processed"], "failed": state["failed"]}


def read(options):
    """The state of Sidekiq, and a reading of its counts."""
    connection = redis.connect(options, options["timeout"])
    try:
        raw = sidekiq_state.read(connection, options["prefix"])
        if not sidekiq_state.is_there(raw):
            raise sidekiq_state.nothing(connection, options["prefix"])
    except Refusal as refusal:
        raise redis.refused(connection, refusal) from refusal
    finally:
        connection.close()
    now = round(time.time(), 3)
    state = sidekiq_state.parse(raw, now)
    return state, counts(now, state)


def main():
    module = AnsibleModule(
        argument_spec={
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
        },
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
    options = module.params
    try:
        check(module)
        before = options["since"]
        if options["interval"] is not None:
            _state, before = read(options)
            time.sleep(options["interval"])
        state, reading = read(options)
    except ValueError as error:
        module.fail_json(msg=str(error))
    except ServerFailure as failure:
        module.fail_json(msg=str(failure), cause=failure.cause)
    rate, missing = sidekiq_state.rate(before, reading)
    module.exit_json(
        asked=redis.asked(options),
        sidekiq=state,
        rate=rate,
        rate_missing=missing,
        reading=reading,
        msg=sidekiq_state.summary(state, rate),
    )


def check(module):
    """Raise ValueError for options that can't be followed, and see to it that no password of a URL is printed."""
    options = module.params
    if not 0 < options["timeout"] <= 300:
        raise ValueError(f"timeout is {options['timeout']:g}: it must be more than 0 and at most 300 seconds")
    if options["interval"] is not None and not sidekiq_state.SHORTEST <= options["interval"] <= 600:
        raise ValueError(
            f"interval is {options['interval']:g}: it must be from {sidekiq_state.SHORTEST} to 600 seconds"
        )
    if options["sentinels"] == []:
        raise ValueError("sentinels is empty: it must have one address or more")
    if options["url"]:
        # As it is written there, and as it is meant.
        password = redis.from_url(options["url"])["password"]
        if password:
            module.no_log_values.update((password, urlsplit(options["url"]).password))


if __name__ == "__main__":
    main()
