# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test a host with a worker outside of the role's units: in tmux, under supervise or in a foreign unit."""

from __future__ import annotations

import pytest

testinfra_hosts = ["ansible://service_lockdown"]

CLIENT = (
    "import os, socket, time; s = socket.create_connection(('127.0.0.1', 6379)); s.sendall(b'PING\\r\\n'); s.recv(9); "
    "os.fork() and os._exit(0); time.sleep(3600)"
)
QUEUE = {"stopped": [{"name": "redis"}], "workers": [], "worker_needs": [], "guard_installs": False}


@pytest.fixture
def client(host):
    """Connect a process of a foreign unit to Redis. The unit has started once the process is connected."""
    host.check_output(f'systemd-run --unit=foreign-worker --service-type=forking python3 -c "{CLIENT}"')
    yield
    host.check_output("systemctl stop foreign-worker")


def test_a_queue_with_a_client_is_spared_refused_or_taken(lockdown, unit, client):
    answer = lockdown(check=True, **QUEUE)
    (spared,) = (one for one in answer["spared"] if one["unit"] == "redis-server.service")
    assert "python3 -c" in spared["needed_by"] and "foreign-worker.service" in spared["needed_by"]
    assert "redis-server.service" not in answer["units"]
    refused = lockdown(**QUEUE, takeover="refuse")
    assert refused["failed"] and "redis-server.service is used by /usr/bin/python3 -c" in refused["msg"]
    assert "nothing was changed" in refused["msg"]
    taken = lockdown(check=True, **QUEUE, takeover="take")
    assert "redis-server.service: stopped, disabled" in taken["changes"]
    assert unit("redis-server") == "active"


def test_a_queue_that_an_application_names_is_spared(host, lockdown, unit):
    assert "redis-server.service" in lockdown(check=True, **QUEUE)["units"]
    host.check_output("mkdir -p /srv/app/config && echo 'url: redis://localhost:6379/0' > /srv/app/config/redis.yml")
    try:
        answer = lockdown(check=True, **QUEUE, applications=["/srv/app"])
        needed_by = {one["unit"]: one["needed_by"] for one in answer["spared"]}["redis-server.service"]
        assert needed_by == "the application (/srv/app/config/redis.yml:1)"
    finally:
        host.check_output("rm -r /srv/app")


def test_the_queue_of_a_worker_that_comes_later_is_spared(lockdown):
    answer = lockdown(check=True, **{**QUEUE, "worker_needs": ["redis*"]}, worker_expected=True)
    needed_by = {one["unit"]: one["needed_by"] for one in answer["spared"]}["redis-server.service"]
    assert needed_by == "the worker that the inventory requires"
