# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run real servers for the tests: Redis, Sentinel, MariaDB and PostgreSQL from this machine's packages, on loopback.

They have a folder of their own, are no system services and don't run as root. A missing program is an error that names
its package.
"""

from __future__ import annotations

import contextlib
import glob
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import time

import machine
import psycopg
import pymysql

# Debian 12's redis-tools has the server program under another name, and does not start a service as redis-server does.
PROGRAMS = {
    "redis-check-rdb": "redis-tools",
    "redis-cli": "redis-tools",
    "mariadbd": "mariadb-server-core",
    "mariadb-install-db": "mariadb-server-core",
    "my_print_defaults": "mariadb-client-core",
    "openssl": "openssl",
    "podman": "podman",
}
# The drivers of the distribution, as on a box.
PYTHON = "/usr/bin/python3"
DRIVERS = {"pymysql": "python3-pymysql", "psycopg2": "python3-psycopg2"}
PASSWORD = "sesame, öffne dich"


def require():
    machine.require(
        {program: package for program, package in PROGRAMS.items() if not pathlib.Path("/usr/sbin", program).exists()}
    )
    missing = [] if glob.glob("/usr/lib/postgresql/*/bin/postgres") else ["postgresql"]
    missing += [
        package
        for name, package in DRIVERS.items()
        if subprocess.run([PYTHON, "-c", "import " + name], stderr=subprocess.DEVNULL, check=False).returncode
    ]
    if missing:
        raise machine.LabError(f"these tests need packages that are missing: apt-get install {' '.join(missing)}")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def postgres_program(name):
    return max(glob.glob("/usr/lib/postgresql/*/bin/" + name), key=lambda path: int(path.split("/")[4]))


def unprivileged():
    """Return the user for servers: root uses nobody, because databases refuse to run as root."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}"
    return done.stdout.strip()


def age(history, seconds):
    """Make all readings of a history older by this many seconds."""
    with contextlib.closing(sqlite3.connect(history)) as database:
        database.execute("UPDATE readings SET taken = taken - ?", [seconds])
        database.commit()


class Server:
    """A program that runs until the tests have ended."""

    def __init__(self, folder, name):
        self.folder = pathlib.Path(folder) / name
        self.folder.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody", "nogroup")
        self.port = free_port()
        self.process = None

    def start(self, *command):
        self.log = self.folder / "log"
        self.process = subprocess.Popen(
            ["nice", *map(str, command)],
            stdout=self.log.open("ab"),
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
            **unprivileged(),
        )
        self.wait()
        return self

    def wait(self, patience=300):
        deadline = time.monotonic() + patience
        while not self.answers():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text(errors="replace")[
                -2000:
            ]
            time.sleep(0.05)

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)


class Certificates:
    """Make a certificate authority and its certificate for localhost and 127.0.0.1."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / "tls"
        self.folder.mkdir()
        self.ca, self.cert, self.key = (self.folder / name for name in ("ca.pem", "server.pem", "server.key"))
        run(
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=authority of a test",
            "-days",
            "2",
            "-addext",
            "keyUsage=critical,keyCertSign",
            "-keyout",
            self.folder / "ca.key",
            "-out",
            self.ca,
        )
        (self.folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        run(
            "openssl",
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=localhost",
            "-keyout",
            self.key,
            "-out",
            self.folder / "request",
        )
        run(
            "openssl",
            "x509",
            "-req",
            "-in",
            self.folder / "request",
            "-CA",
            self.ca,
            "-CAkey",
            self.folder / "ca.key",
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            self.folder / "names",
            "-out",
            self.cert,
        )
        self.key.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(self.key, "nobody", "nogroup")


class Redis(Server):
    """A Redis with these settings, or a Sentinel with `as_sentinel`."""

    def __init__(self, folder, name, settings="", plain=True, as_sentinel=False):
        super().__init__(folder, name)
        # The program's name decides whether it is a Sentinel.
        program = self.folder / ("redis-sentinel" if as_sentinel else "redis-server")
        program.symlink_to(shutil.which("redis-check-rdb"))
        config = self.folder / "redis.conf"
        config.write_text(
            "bind 127.0.0.1\n%s %d\ndir %s\n%s"
            % ("port" if plain else "port 0\ntls-port", self.port, self.folder, settings)
            + ("" if as_sentinel else 'save ""\n')
        )
        if os.geteuid() == 0:
            shutil.chown(config, "nobody", "nogroup")
        self.start(program, config)

    def cli(self, *words, database=0, **options):
        return run("redis-cli", "-p", str(self.port), "-n", str(database), "--raw", *map(str, words), **options)


class MariaDB(Server):
    def __init__(self, folder, tls):
        super().__init__(folder, "mariadb")
        self.socket = self.folder / "mariadb.sock"
        data = self.folder / "data"
        run(
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            **unprivileged(),
        )
        self.start(
            shutil.which("mariadbd", path="/usr/sbin:" + os.environ["PATH"]),
            "--no-defaults",
            f"--datadir={data}",
            f"--socket={self.socket}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--innodb-buffer-pool-size=16M",
            "--innodb-flush-log-at-trx-commit=0",
            f"--ssl-ca={tls.ca}",
            f"--ssl-cert={tls.cert}",
            f"--ssl-key={tls.key}",
        )

    def answers(self):
        """Wait for the socket, which appears after the port is open."""
        try:
            return bool(self.sql("SELECT 1"))
        except pymysql.err.OperationalError:
            return False

    def sql(self, *statements, database=None):
        connection = pymysql.connect(unix_socket=str(self.socket), user="root", database=database, autocommit=True)
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()

    def busy(self):
        """Return the running queries, except for this one."""
        return [
            row
            for row in self.sql("SELECT info FROM information_schema.processlist WHERE info IS NOT NULL")
            if "processlist" not in row[0]
        ]


class PostgreSQL(Server):
    def __init__(self, folder, tls):
        super().__init__(folder, "postgresql")
        data, secret = self.folder / "data", self.folder / "secret"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        run(
            postgres_program("initdb"),
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "scram-sha-256",
            f"--pwfile={secret}",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            **unprivileged(),
        )
        self.socket = self.folder / (f".s.PGSQL.{self.port}")
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "fsync": "off",
            "ssl": "on",
            "ssl_cert_file": tls.cert,
            "ssl_key_file": tls.key,
            "timezone": "America/New_York",
        }
        self.start(postgres_program("postgres"), "-D", data, *("--%s=%s" % item for item in settings.items()))

    def answers(self):
        """Wait until the server accepts a login: while it starts it takes connections and refuses them."""
        argv = [postgres_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(argv, check=False).returncode == 0

    def sql(self, *statements, database="postgres"):
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", password=PASSWORD, dbname=database, autocommit=True
        ) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def busy(self):
        """Return the running queries, except for this one."""
        return self.sql(
            "SELECT query FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND backend_type = "
            "'client backend'"
        )
