#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.throughput_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: throughput_info
short_description: Counts the rows per hour of a table, and says whether they decrease
version_added: 0.1.0
description:
  - Counts the rows that a worker has written per hour, from a table with a time column in MySQL, MariaDB or PostgreSQL.
    A failing worker gets slower hours before it stops.
  - Runs one query with bound parameters in a read-only transaction. Names of tables and columns are validated and
    quoted. The query is fast if there is an index on the time column.
  - Needs a driver on the host that it runs on, which is PyMySQL for MySQL and MariaDB (Debian's package
    C(python3-pymysql)), and psycopg 3 or psycopg2 for PostgreSQL (C(python3-psycopg), C(python3-psycopg2)). With
    C(delegate_to), only the controller needs one.
options:
  engine:
    description: The kind of database. V(mysql) includes MariaDB.
    type: str
    choices: [mysql, postgresql]
    required: true
  host:
    description: Name or address of the server, as seen from the host that the module runs on.
    type: str
    default: 127.0.0.1
  port:
    description: Port of the server. By default V(3306) or V(5432).
    type: int
  socket:
    description: Unix socket of the server, such as V(/run/mysqld/mysqld.sock) or V(/run/postgresql/.s.PGSQL.5432).
    type: path
  username:
    description: The user. It only needs C(SELECT) on that table.
    type: str
    required: true
  password:
    description: The user's password.
    type: str
  database:
    description: The database.
    type: str
    required: true
  tls:
    description:
      - Whether to use TLS. By default PostgreSQL's library uses it if the server has it, and MySQL's driver does not.
    type: bool
  ca_path:
    description:
      - A file with the certificates of the authorities to trust, on the host that the module runs on. By default the
        system's.
    type: path
  validate_certs:
    description: Whether the server must present a trusted certificate for its name, if O(tls) is set.
    type: bool
    default: true
  table:
    description: The table or view, as V(name) or V(schema.name).
    type: str
    required: true
  time_column:
    description:
      - The column with the time of a row. It may be a timestamp with or without a zone, a datetime, a date, or a number
        of seconds since 1970 (see O(time_unit)).
      - A date has no hours, so days are counted instead. All that is documented for hours then applies to days, except
        RV(hours[].rows_per_hour).
    type: str
    required: true
  time_zone:
    description:
      - The time zone of a column without one, as V(UTC), V(+02:00) or V(Europe/Berlin). Rails and most other frameworks
        write UTC. It is ignored for MySQL's C(timestamp), PostgreSQL's C(timestamptz) and numbers.
      - When a zone puts its clocks back, an hour comes twice, and each of the two gets half of the rows.
    type: str
    default: UTC
  time_unit:
    description: The unit of a time column that is a number.
    type: str
    choices: [seconds, milliseconds]
    default: seconds
  where:
    description:
      - Values that other columns must have, by the columns' names, to count the rows of one host. V(null) matches rows
        without a value.
    type: dict
    default: {}
  hours:
    description: Number of whole hours to count, up to 744, or of days if O(time_column) is a date.
    type: int
    default: 24
  until:
    description: The end of the time to count, such as V(2026-11-20T14:00:00Z). By default now, by the server's clock.
    type: str
  warning:
    description: How many times slower than its best hour a worker must be for a warning.
    type: float
    default: 3
  critical:
    description: How many times slower than its best hour a worker must be for a critical finding.
    type: float
    default: 10
  timeout:
    description:
      - Seconds for everything from looking up the name to the last row. The task fails if it takes longer. The server
        is asked to end the query a little earlier.
    type: float
    default: 10
extends_documentation_fragment:
  - lifeline.fleet.facts.attributes
attributes:
  facts:
    description: Returns an C(ansible_facts) dictionary.
    support: none
notes:
  - The latest whole hour is recorded in the history that the variable C(lifeline_history) names, under the name of the
    task's host, even if the task is delegated.
  - Hours are in UTC.
  - A worker whose load depends on the time of day gets slower every evening. Raise its thresholds, or compare hosts
    with each other with the filter P(lifeline.fleet.throughput_peers#filter).
seealso:
  - module: lifeline.fleet.sidekiq_info
  - plugin: lifeline.fleet.throughput_peers
    plugin_type: filter
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Count the pages that this host has crawled, from the controller
  lifeline.fleet.throughput_info:
    engine: mysql
    host: db.example.com
    username: lifeline
    password: "{{ crawl_db_password }}"
    database: crawl
    table: pages
    time_column: crawled_at
    where:
      crawler: "{{ inventory_hostname }}"
  delegate_to: localhost
  register: pages

- name: Print the verdict
  ansible.builtin.debug:
    msg: "{{ pages.msg }}"

- name: Count the rows of a day in the past, in PostgreSQL with TLS
  lifeline.fleet.throughput_info:
    engine: postgresql
    host: db.example.com
    tls: true
    username: lifeline
    password: "{{ crawl_db_password }}"
    database: crawl
    table: public.pages
    time_column: created_at
    until: '2026-11-20T14:00:00Z'
    hours: 12
"""

RETURN = r"""
hours:
  description: The whole hours, the earliest first.
  returned: success
  type: list
  elements: dict
  contains:
    start:
      description: The time of its start.
      type: str
      sample: '2026-11-20T13:00:00Z'
    rows:
      description: Number of rows in it.
      type: int
      sample: 135
    rows_per_hour:
      description: Rows per hour, which differs if days are counted.
      type: float
      sample: 135.0
current:
  description: The hour that has not ended.
  returned: success
  type: dict
  contains:
    start:
      description: The time of its start.
      type: str
      sample: '2026-11-20T14:00:00Z'
    seconds:
      description: Seconds since it began.
      type: float
      sample: 720.0
    rows:
      description: Number of rows in it.
      type: int
      sample: 21
    rows_per_hour:
      description: Rows per hour; V(null) if it has just begun.
      type: float
      sample: 105.0
resolution:
  description: V(hour), or V(day) if the time column is a date.
  returned: success
  type: str
  sample: hour
verdict:
  description:
    - V(degrading) if the hours since the best one fall, or the latest three are low, by the factor O(warning) and by
      more than chance.
    - V(stopped) if there are no rows since some hour, and chance does not explain it.
    - V(recovering) if the latest hour is that far below the best one and the hours rise. V(steady) in all other cases.
    - V(no rows), and V(too few hours) with fewer than three since the first row, are no verdicts.
  returned: success
  type: str
  sample: degrading
best:
  description: The hour with the most rows; V(null) without rows.
  returned: success
  type: dict
  contains:
    start:
      description: The time of its start.
      type: str
      sample: '2026-11-20T06:00:00Z'
    rows:
      description: Number of rows in it.
      type: int
      sample: 11671
    rows_per_hour:
      description: Rows per hour.
      type: float
      sample: 11671.0
latest:
  description: The latest whole hour.
  returned: success
  type: dict
  contains:
    start:
      description: The time of its start.
      type: str
      sample: '2026-11-20T13:00:00Z'
    rows:
      description: Number of rows in it.
      type: int
      sample: 135
    rows_per_hour:
      description: Rows per hour.
      type: float
      sample: 135.0
times_slower:
  description: The best hour divided by the latest; V(null) if the latest has no rows.
  returned: success
  type: float
  sample: 86.45
slope:
  description: Change in rows from one hour to the next, as the median over all pairs of hours since the first row.
  returned: success
  type: float
  sample: -1765.17
findings:
  description: The findings, in the form of those of M(lifeline.fleet.health), with RV(times_slower) as the value.
  returned: success
  type: list
  elements: dict
  sample: []
msg:
  description:
    - The verdict in one line, or the reason why there is none. The factor is rounded down, from 10 on to its leading
      digit.
  returned: always
  type: str
  sample: >-
    degrading, 80 times slower than its best hour: 135 rows in the latest whole hour, 11671 in the best
    (2026-11-20T06:00:00Z)
cause:
  description:
    - The reason why the database could not be queried, as one of V(unreachable), V(timeout), V(tls), V(login),
      V(schema) if the database, the table or a column does not exist, and V(refused) for every other error of the
      server.
  returned: failure, unless an option was wrong
  type: str
  sample: schema
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.lifeline.fleet.plugins.module_utils._database import database, info, throughput
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure

ARGUMENTS = {
    "engine": {"type": "str", "choices": ["mysql", "postgresql"], "required": True},
    "host": {"type": "str", "default": "127.0.0.1"},
    "port": {"type": "int"},
    "socket": {"type": "path"},
    "username": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True},
    "database": {"type": "str", "required": True},
    "tls": {"type": "bool"},
    "ca_path": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
    "table": {"type": "str", "required": True},
    "time_column": {"type": "str", "required": True},
    "time_zone": {"type": "str", "default": "UTC"},
    "time_unit": {"type": "str", "choices": ["seconds", "milliseconds"], "default": "seconds"},
    "where": {"type": "dict", "default": {}},
    "hours": {"type": "int", "default": 24},
    "until": {"type": "str"},
    "warning": {"type": "float", "default": throughput.WARNING},
    "critical": {"type": "float", "default": throughput.CRITICAL},
    "timeout": {"type": "float", "default": 10},
}


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        mutually_exclusive=[("socket", "port"), ("socket", "tls")],
        supports_check_mode=True,
    )
    engine = module.params["engine"]
    if database.MISSING[engine]:
        module.fail_json(msg=missing_required_lib(database.LIBRARIES[engine]), exception=database.MISSING[engine])
    try:
        found = dict(info.result(module.params, info.check(module.params)))
    except ValueError as error:
        module.fail_json(msg=str(error))
    except ServerFailure as failure:
        module.fail_json(msg=str(failure), cause=failure.cause)
    module.exit_json(msg=found.pop("message"), **found)


if __name__ == "__main__":
    main()
