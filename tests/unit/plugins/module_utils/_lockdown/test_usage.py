# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the users of a queue, a cache or a database."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown import usage
from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown.usage import Process
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.connections import Connection
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import parse_units

REDIS = "redis-server.service"
PROCESSES = {
    100: Process(REDIS, "/usr/bin/redis-server 127.0.0.1:6379"),
    200: Process("session-3.scope", "sidekiq 6.4.1 banks [2 of 25 busy]"),
    300: Process("redis-sentinel.service", "/usr/bin/redis-sentinel *:26379"),
    400: Process(None, "redis-cli monitor"),
    500: Process("apache2.service", "/usr/sbin/apache2"),
}


def unit(name, **values):
    lines = "".join(f"{key}={value}\n" for key, value in values.items())
    return parse_units(f"Id={name}\nLoadState=loaded\nActiveState=active\n{lines}")[0]


def clients(*pids, stopped=()):
    connected = [Connection(100, pid, "tcp/6379 from 192.0.2.9") for pid in pids]
    return usage.of_connections({REDIS: unit(REDIS)}, stopped, connected, PROCESSES)


def test_a_worker_in_a_terminal_uses_its_queue():
    assert clients(200) == {REDIS: "sidekiq 6.4.1 banks [2 of 25 busy] (pid 200, session-3.scope)"}


def test_a_client_on_another_host_counts():
    assert clients(None) == {REDIS: "a client at tcp/6379 from 192.0.2.9"}


def test_the_service_itself_onlookers_and_units_that_are_stopped_too_do_not_count():
    assert clients(100, 400) == {}
    assert clients(300, 500, stopped=["redis-sentinel.service", "apache2.service"]) == {}


def test_many_clients_are_counted_and_each_is_named_once(monkeypatch):
    many = {**PROCESSES, **{pid: Process(None, f"worker {pid}") for pid in (601, 602, 603, 604)}}
    connected = [Connection(100, pid, "") for pid in (601, 601, 602, 603, 604)]
    found = usage.of_connections({REDIS: unit(REDIS)}, (), connected, many)
    assert found == {REDIS: "worker 601 (pid 601), worker 602 (pid 602), worker 603 (pid 603) and 1 more"}


@pytest.mark.parametrize(
    ("shown", "holds"),
    [
        (unit("redis.service"), True),
        (unit("x.service", Names="x.service memcached.service"), True),
        (unit("postgresql@15-main.service"), True),
        (unit("apache2.service"), False),
        (unit("varnish.service"), False),
    ],
)
def test_units_that_hold_data(shown, holds):
    assert usage.holds_data(shown) is holds


def test_a_service_that_an_application_names_is_used_even_if_it_does_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(usage.connections, "read", lambda: pytest.fail("no unit runs"))
    (tmp_path / ".env").write_text("REDIS_URL=redis://localhost:6379\n")
    units = {REDIS: unit(REDIS, ActiveState="inactive"), "apache2.service": unit("apache2.service")}
    assert usage.users(units, [str(tmp_path)]) == {REDIS: f"the application ({tmp_path}/.env:1)"}
    assert usage.users({"apache2.service": unit("apache2.service")}, [str(tmp_path)]) == {}


def test_the_connections_of_this_host_are_read(monkeypatch):
    monkeypatch.setattr(usage.connections, "read", lambda: ({}, {}))
    assert usage.users({REDIS: unit(REDIS)}, []) == {}
