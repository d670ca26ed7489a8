# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probe a box while it leaks: one thread opens SSH connections, another runs health. The result is a list of records.

A record is a dictionary with "kind", "t" (when it started, in seconds since the start of the leak; negative before it)
and "seconds" (how long the answer took). A connection ("knock") has "answered", "available_bytes", "starts" (how often
the worker has started) and "error". A reading ("health") has "verdict" ("down" if there was no answer) and "reasons".
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import threading
import time

import yaml
from lab.boxes import PLAIN

KNOCK_EVERY = 2
HEALTH_EVERY = 15
INVENTORY = pathlib.Path(__file__).resolve().parent / "inventory"


class Observer:
    """A context manager that probes a box until it is left."""

    def __init__(self, machine, records):
        self.machine, self.records = machine, records
        self.began = None
        self.over = threading.Event()
        self.pool = concurrent.futures.ThreadPoolExecutor(2)

    def mark(self):
        """Mark the start of the leak."""
        self.began = time.monotonic()

    def __enter__(self):
        self.loops = [
            self.pool.submit(self.every, KNOCK_EVERY, self.knock),
            self.pool.submit(self.every, HEALTH_EVERY, self.ask),
        ]
        return self

    def __exit__(self, kind, error, trace):
        self.over.set()
        self.pool.shutdown()
        if kind is None:
            for loop in self.loops:
                loop.result()
        for record in self.records:
            record["t"] = round(record["t"] - (self.began or 0), 2)
        self.records.sort(key=lambda record: record["t"])

    def every(self, seconds, look):
        """Probe on an interval, or as soon as the previous probe has ended if that takes longer."""
        due = time.monotonic()
        while not self.over.wait(max(0, due - time.monotonic())):
            look()
            due = max(due + seconds, time.monotonic())

    def knock(self):
        """Open a new connection and read values that take no memory to read."""
        moment = time.monotonic()
        done = self.machine.attempt("exec cat /proc/meminfo /var/lib/crawler/starts", user="ops")
        seconds = time.monotonic() - moment
        available = re.search(r"^MemAvailable: +(\d+) kB$", done.stdout, re.MULTILINE)
        answered = done.returncode == 0 and available is not None
        self.records.append(
            {
                "kind": "knock",
                "t": moment,
                "seconds": round(seconds, 3),
                "answered": answered,
                "available_bytes": int(available[1]) * 1024 if answered else None,
                "starts": len(re.findall(r"^\d+$", done.stdout, re.MULTILINE)) if answered else None,
                "error": None if answered else done.stderr.strip()[-200:] or "it answered with nothing",
            }
        )

    def ask(self):
        moment = time.monotonic()
        answer = ansible(self.machine, "health")
        findings = answer.get("findings", [])
        self.records.append(
            {
                "kind": "health",
                "t": moment,
                "seconds": round(time.monotonic() - moment, 3),
                "verdict": answer.get("verdict", "down"),
                "reasons": [
                    {name: one[name] for name in ("check", "severity", "subject", "message")} for one in findings
                ],
            }
        )


def connection(machine):
    """Return an inventory file with the address of the box, to be used with the user's inventory."""
    path = machine.folder / f"{machine.name}.yml"
    if not path.exists():
        path.write_text(
            yaml.safe_dump(
                {
                    "crawler": {
                        "hosts": {
                            machine.name: {
                                "ansible_host": "127.0.0.1",
                                "ansible_port": machine.port,
                                "ansible_user": "root",
                                "ansible_python_interpreter": "/usr/bin/python3",
                                "ansible_ssh_common_args": machine.ssh_arguments,
                                "ansible_control_path_dir": str(machine.folder / "cp"),
                            }
                        }
                    }
                }
            )
        )
    return ["-i", str(INVENTORY), "-i", str(path), "--limit", machine.name]


def environment():
    # An emulated box is slow.
    return {**os.environ, **PLAIN, "ANSIBLE_TIMEOUT": "60", "ANSIBLE_INJECT_FACT_VARS": "false"}


def ansible(machine, module):
    """Return a module's result, or a result that says that the box is down."""
    argv = ["ansible", machine.name, *connection(machine), "-m", "lifeline.fleet." + module]
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**environment(), "ANSIBLE_LOAD_CALLBACK_PLUGINS": "false"},
    )
    if " => " not in done.stdout:
        raise RuntimeError(done.stdout)
    return json.JSONDecoder().raw_decode(done.stdout.partition(" => ")[2])[0]
