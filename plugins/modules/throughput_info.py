#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.throughput_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: throughput_info
short_description: Rows per hour of a table, and whether they become fewer
version_added: 0.1.0
description:
  - Counts the rows that a worker has written, by the hour, from a table and its time column, in MySQL, MariaDB or PostgreSQL. A worker that
    is about to die gets slower hours before it is gone.
  - Asks in one transaction that can only read, by one query, all of whose values are parameters. What names a table or a column must look
    like a name, and is quoted. An index on the time column is all that makes it fast.
  - Needs a driver where it runs. That is PyMySQL for MySQL and MariaDB (Debian's package C(python3-pymysql)), and psycopg 3 or psycopg2 for
    PostgreSQL (C(python3-psycopg), C(python3-psycopg2)). C(delegate_to) the controller saves the boxes from having one.
options:
  engine:
    description: The kind of database. V(mysql) is for MariaDB as well.
    type: str
    choices: [mysql, postgresql]
    required: true
  host:
    description: The server's name or address, as seen from where the module runs.
    type: str
    default: 127.0.0.1
  port:
    description: The server's port. By default V(3306) or V(5432).
    type: int
  socket:
    description: The server's Unix socket, such as V(/run/mysqld/mysqld.sock) or V(/run/postgresql/.s.PGSQL.5432).
    type: path
  username:
    description: The user. One that may only C(SELECT) from that table is enough.
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
    description: Whether to use TLS. Without this option, PostgreSQL's library uses it where the server has it, and MySQL's driver does not.
    type: bool
  ca_path:
    description: A file with the certificates of authorities to trust, on the machine that the module runs on. By default the system's.
    type: path
  validate_certs:
    description: Whether the server must show a certificate for its name that is trusted, where O(tls) is set.
    type: bool
    default: true
  table:
    description: The table, or the view, as V(name) or V(schema.name).
    type: str
    required: true
  time_column:
    description:
      - The column that has the time of a row. It may be a timestamp with or without a zone, a datetime, a date, or a number of seconds
        since 1970 (see O(time_unit)).
      - A date knows no hours, so that days are counted. What is said of hours is then to be read as days, except RV(hours[].rows_per_hour).
    type: str
    required: true
  time_zone:
    description:
      - What the times of a column without a zone are told in, as V(UTC), V(+02:00) or V(Europe/Berlin). Rails and most other frameworks
        write UTC. MySQL's C(timestamp), PostgreSQL's C(timestamptz) and numbers have no need of it.
      - Where a zone puts its clocks back, an hour comes twice, and its rows are shared out between both.
    type: str
    default: UTC
  time_unit:
    description: What a time column counts that is a number.
    type: str
    choices: [seconds, milliseconds]
    default: seconds
  where:
    description:
      - Values that other columns must have, by the columns' names, so that it is the rows of one box that are counted. V(null) is no value.
    type: dict
    default: {}
  hours:
    description: How many whole hours to look at, up to 744; or days, where O(time_column) is a date.
    type: int
    default: 24
  until:
    description: The time to look back from, such as V(2026-11-20T14:00:00Z). By default now, by the server's clock.
    type: str
  warning:
    description: How many times slower than its best hour a worker must have become for a warning.
    type: float
    default: 3
  critical:
    description: How many times slower it must have become to be in danger.
    type: float
    default: 10
  timeout:
    description:
      - Seconds that everything together may take, from looking up the name to the last row. Then the task fails. The server is told to end
        the query a little earlier.
    type: float
    default: 10
extends_documentation_fragment:
  - lifeline.fleet.facts.attributes
attributes:
  facts:
    description: Returns an C(ansible_facts) dictionary.
    support: none
notes:
  - Where the variable C(lifeline_history) is set, the latest whole hour is recorded there, under the name of the host that the task is for,
    also where it is delegated.
  - Hours are those of UTC.
  - A worker whose work follows the day gets slower every evening. Give it higher thresholds, or compare boxes with each other by the filter
    P(lifeline.fleet.throughput_peers#filter).
seealso:
  - module: lifeline.fleet.sidekiq_info
  - plugin: lifeline.fleet.throughput_peers
    plugin_type: filter
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Count the pages that this box has crawled, from the controller
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

- name: Say it
  ansible.builtin.debug:
    msg: "{{ pages.msg }}"

- name: Ask a PostgreSQL by TLS about the day on which it died
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
      description: When it began.
      type: str
      sample: '2026-11-20T13:00:00Z'
    rows:
      description: The rows in it.
      type: int
      sample: 135
    rows_per_hour:
      description: The same by the hour, which differs where days are counted.
      type: float
      sample: 135.0
current:
  description: The hour that is not over.
  returned: success
  type: dict
  contains:
    start:
      description: When it began.
      type: str
      sample: '2026-11-20T14:00:00Z'
    seconds:
      description: How long it has lasted.
      type: float
      sample: 720.0
    rows:
      description: The rows in it.
      type: int
      sample: 21
    rows_per_hour:
      description: The same by the hour; V(null) where it has just begun.
      type: float
      sample: 105.0
resolution:
  description: V(hour), or V(day) where the time column is a date.
  returned: success
  type: str
  sample: hour
verdict:
  description:
    - V(degrading) where the hours since the best one fall, or the latest three are low, by the factor O(warning) and by more than chance.
    - V(stopped) where nothing has come since some hour, and chance does not explain it.
    - V(recovering) where it is that much below its best hour and climbs. V(steady) for all else.
    - V(no rows) and V(too few hours), with fewer than three since the first row, are no verdicts.
  returned: success
  type: str
  sample: degrading
best:
  description: The hour with the most rows, V(null) without any.
  returned: success
  type: dict
  contains:
    start:
      description: When it began.
      type: str
      sample: '2026-11-20T06:00:00Z'
    rows:
      description: The rows in it.
      type: int
      sample: 11671
    rows_per_hour:
      description: The same by the hour.
      type: float
      sample: 11671.0
latest:
  description: The latest whole hour.
  returned: success
  type: dict
  contains:
    start:
      description: When it began.
      type: str
      sample: '2026-11-20T13:00:00Z'
    rows:
      description: The rows in it.
      type: int
      sample: 135
    rows_per_hour:
      description: The same by the hour.
      type: float
      sample: 135.0
times_slower:
  description: The best hour against the latest; V(null) where the latest has no rows.
  returned: success
  type: float
  sample: 86.45
slope:
  description: By how many rows the hours change from one to the next, the median over all pairs of hours since the first row.
  returned: success
  type: float
  sample: -1765.17
findings:
  description: What is wrong, in the form of the findings of M(lifeline.fleet.health), with C(times_slower) as the value.
  returned: success
  type: list
  elements: dict
  sample: []
msg:
  description:
    - The verdict in a line, or why there is none. The factor is rounded down, from 10 on to its leading digit.
  returned: always
  type: str
  sample: "degrading, 80 times slower than its best hour: 135 rows in the latest whole hour, 11671 in the best (2026-11-20T06:00:00Z)"
cause:
  description:
    - Why the database could not be asked, in a word. V(unreachable), V(timeout), V(tls), V(login), V(schema) where the database, the table
      or a column is not there, V(refused) for all else that the server says.
  returned: failure, unless the options were at fault
  type: str
  sample: schema
"""

from datetime import datetime, timezone

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.lifeline.fleet.plugins.module_utils._asking import within
from ansible_collections.lifeline.fleet.plugins.module_utils._database import (
    database as database_database,
    row_count,
    throughput,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure


def check(options):
    """Raise ValueError for options that can't be followed."""
    if not 0 < options["timeout"] <= 300:
        raise ValueError(f"timeout is {options['timeout']:g}: it must be more than 0 and at most 300 seconds")
    if not 1 <= options["hours"] <= row_count.MOST_HOURS:
        raise ValueError(f"hours is {options['hours']}: it must be from 1 to {row_count.MOST_HOURS}")
    if not 1 < options["warning"] <= options["critical"]:
        raise ValueError(
            f"warning is {options['warning']:g} and critical {options['critical']:g}: they must be more than 1, and warning at most critical"
        )
    for column, value in options["where"].items():
        row_count.name(column, "where")
        if isinstance(value, (dict, list)):
            raise ValueError(f"where: {column} is {value!r}: it must be one value")


def count(database, options, table, until):
    """The whole hours, the current one, and what their length is."""
    with database:
        columns = database.columns(*table)
        for column in [options["time_column"], *options["where"]]:
            if column not in columns:
                raise ServerFailure(
                    "schema",
                    f"{database.name}: table {options['table']} has no column {column}: it has {database_database.some(list(columns))}",
                )
        kind = row_count.kind(options["engine"], columns[options["time_column"]], options["time_column"])
        until = until or datetime.fromtimestamp(database.now(), timezone.utc)
        rows = row_count.Count(
            options["engine"],
            table,
            options["time_column"],
            kind,
            hours=options["hours"],
            until=until,
            time_zone=row_count.zone(options["time_zone"]),
            equals=options["where"],
            unit=1000 if options["time_unit"] == "milliseconds" else 1,
        )
        hours, current = rows.hours(database.ask(*rows.query()))
    return hours, current, rows.resolution


def main():
    module = AnsibleModule(
        argument_spec={
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
        },
        mutually_exclusive=[("socket", "port"), ("socket", "tls")],
        supports_check_mode=True,
    )
    options = module.params
    engine = options["engine"]
    if database_database.MISSING[engine]:
        module.fail_json(
            msg=missing_required_lib(database_database.LIBRARIES[engine]), exception=database_database.MISSING[engine]
        )
    try:
        check(options)
        table, until = (
            row_count.table(options["table"]),
            row_count.moment(options["until"]) if options["until"] else None,
        )
        row_count.name(options["time_column"], "time_column")
        row_count.zone(options["time_zone"])
        database = database_database.Database(options, options["timeout"])
        # The drivers know limits for most waits, not for all.
        hours, current, resolution = within(options["timeout"], lambda: count(database, options, table, until))
    except ValueError as error:
        module.fail_json(msg=str(error))
    except TimeoutError:
        failure = database.timeout()
        module.fail_json(msg=str(failure), cause=failure.cause)
    except ServerFailure as failure:
        module.fail_json(msg=str(failure), cause=failure.cause)
    found = throughput.judge(hours, options["warning"], options["critical"], resolution, options["table"])
    module.exit_json(msg=found.pop("message"), hours=hours, current=current, resolution=resolution, **found)


if __name__ == "__main__":
    main()
