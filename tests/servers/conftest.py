# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide the servers, and the modules as they run on a box."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest
from servers import crawl, serving
from servers.proxy import Proxy

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session", autouse=True)
def programs():
    serving.require()


@pytest.fixture(scope="session")
def folder():
    """Return a folder that every user may enter. Its name is short, because a socket's path has at most 107 bytes."""
    found = tempfile.mkdtemp(prefix="lifeline-", dir="/tmp")
    os.chmod(found, 0o755)
    yield found
    shutil.rmtree(found)


@pytest.fixture(scope="session")
def tls(folder):
    return serving.Certificates(folder)


def until_the_end(server):
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis(folder):
    yield from until_the_end(serving.Redis(folder, "redis", f"unixsocket {folder}/redis/sock\nunixsocketperm 777\n"))


@pytest.fixture(scope="session")
def mariadb(folder, tls):
    yield from until_the_end(serving.MariaDB(folder, tls))


@pytest.fixture(scope="session")
def postgresql(folder, tls):
    yield from until_the_end(serving.PostgreSQL(folder, tls))


@pytest.fixture(scope="session")
def mysql(mariadb):
    return crawl.in_mariadb(mariadb)


@pytest.fixture(scope="session")
def postgres(postgresql):
    return crawl.in_postgresql(postgresql)


@pytest.fixture
def slow():
    """Return a function that starts a proxy to a port, delays each answer by 10 s or `delay`, and returns its port."""
    opened = []

    def through(port, delay=10):
        opened.append(Proxy(port, delay))
        return opened[-1].port

    yield through
    for each in opened:
        each.close()


@pytest.fixture(scope="session")
def module():
    """Return a function that runs a module with options and returns its result."""

    def call(name, **options):
        # The default is long, because a busy machine is slow; tests of timeouts set their own.
        options.setdefault("timeout", 120)
        done = subprocess.run(
            [sys.executable, "-m", "ansible_collections.lifeline.fleet.plugins.modules." + name],
            text=True,
            check=False,
            input=json.dumps({"ANSIBLE_MODULE_ARGS": options}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(os.environ, PYTHONPATH=str(ROOT / ".cache" / "collections")),
        )
        assert not done.stderr and done.stdout, done.stderr
        assert "sesame" not in done.stdout, "the password is in the result"
        return json.loads(done.stdout)

    return call
