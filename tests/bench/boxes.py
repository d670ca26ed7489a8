# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure an operator's commands on lab boxes, over real SSH with pipelining and warm connections."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = ROOT / "tests" / "lab" / "lab.py"
COMMANDS = {
    "raw": ["-m", "raw", "-a", "true"],
    "health": ["-m", "lifeline.fleet.health"],
    "noop": ["-m", "noop"],
    "ping": ["-m", "ansible.builtin.ping"],
    "command": ["-m", "ansible.builtin.command", "-a", "free -m"],
    "setup": ["-m", "ansible.builtin.setup", "-a", "gather_subset=!all,!min,hardware"],
}
# Steps of a box's free memory, in MB.
STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20, 24, 32, 48)

# Replaces the shell on a box and puts it into a new control group with a limit. A used control group still holds memory
# and refuses a lower limit.
LIMITED_SHELL = """#!/bin/sh
set -e
if [ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
    group=/sys/fs/cgroup/memory/bench
    file=memory.limit_in_bytes
else
    group=/sys/fs/cgroup/bench
    file=memory.max
    echo +memory > /sys/fs/cgroup/cgroup.subtree_control
fi
[ ! -d $group ] || rmdir $group
mkdir $group
read -r limit < /run/bench-limit
echo "$limit" > $group/$file
echo $$ > $group/cgroup.procs
exec /bin/sh "$@"
"""


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def booted():
    """Yield the boxes; boot them first, and remove them afterwards if they were not up before."""
    lab = [sys.executable, str(LAB)]
    listed = subprocess.run([*lab, "status", "--set", "bench"], stdout=subprocess.PIPE, text=True, check=True).stdout
    subprocess.run([*lab, "up", "--set", "bench"], check=True)
    try:
        with tempfile.TemporaryDirectory(prefix="bench.") as folder:
            yield Boxes(folder)
    finally:
        if "not up" in listed:
            subprocess.run([*lab, "down", "--set", "bench"], check=True)


class Boxes:
    """The lab's boxes for benchmarks, with a plain inventory file, because a script would distort the ratios."""

    def __init__(self, folder):
        listed = json.loads(
            subprocess.run(
                [sys.executable, LAB, "inventory", "--set", "bench"], stdout=subprocess.PIPE, check=True
            ).stdout
        )
        self.folder = pathlib.Path(folder)
        self.vars = listed["_meta"]["hostvars"]
        self._group_vars = listed["bench"]["vars"]
        self.inventory = self.folder / "boxes.yml"
        self.names = list(self.vars)
        self._write(self.vars)
        self._cpu_files = [cpu_file(box["lab_container"]) for box in self.vars.values()]

    def multiply(self, count):
        """List the boxes in the inventory under this many names, and return the names."""
        hosts = {f"box{number}": self.vars[self.names[number % len(self.names)]] for number in range(count)}
        self._write(hosts)
        return list(hosts)

    def _write(self, hosts):
        self.inventory.write_text(
            json.dumps({"all": {"children": {"bench": {"hosts": hosts, "vars": self._group_vars}}}})
        )

    def ansible(self, command, pattern="bench", check=True, environment=None, **variables):
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_LIBRARY": str(ROOT / "tests" / "bench" / "library"),
            **(environment or {}),
        }
        argv = ["ansible", pattern, "-i", str(self.inventory), *command]
        for name, value in variables.items():
            argv += ["-e", f"{name}={value}"]
        done = subprocess.run(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(argv)} failed:\n{done.stdout[-2000:]}")
        return done

    def answer(self, command, box, **variables):
        """Return the answer of one box, or None."""
        plain = {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "false", "ANSIBLE_NOCOLOR": "true"}
        done = self.ansible(command, box, check=False, environment=plain, **variables)
        _head, arrow, text = done.stdout.partition(" => ")
        return json.JSONDecoder().raw_decode(text)[0] if done.returncode == 0 and arrow else None

    def cpu_seconds(self):
        """Return the CPU time of all boxes together, from their control groups."""
        return sum(read_cpu(path) for path in self._cpu_files)


def cpu_file(container):
    inspected = subprocess.run(["podman", "inspect", container], stdout=subprocess.PIPE, check=True)
    pid = json.loads(inspected.stdout)[0]["State"]["Pid"]
    groups = [line.split(":", 2) for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    for _number, controllers, path in groups:
        if "cpuacct" in controllers.split(","):
            return pathlib.Path(f"/sys/fs/cgroup/{controllers}{path}/cpuacct.usage")
    # On cgroup v2 init is in a group below that of the container.
    return pathlib.Path("/sys/fs/cgroup" + groups[-1][2].removesuffix("/init.scope") + "/cpu.stat")


def read_cpu(path):
    text = path.read_text()
    return int(text) / 1e9 if path.name == "cpuacct.usage" else int(text.split()[1]) / 1e6


def measure_time(boxes, runs=7, say=print):
    """Run the commands in turn and return medians: `{"raw": {"wall": seconds, "cpu": seconds per box}, ..}`."""
    for command in COMMANDS.values():
        boxes.ansible(command)
    times = {name: {"wall": [], "cpu": []} for name in COMMANDS}
    for run in range(runs):
        for name, command in COMMANDS.items():
            cpu, start = boxes.cpu_seconds(), time.perf_counter()
            boxes.ansible(command)
            times[name]["wall"].append(time.perf_counter() - start)
            times[name]["cpu"].append((boxes.cpu_seconds() - cpu) / len(boxes.names))
        say(f"round {run + 1} of {runs}")
    return {name: {key: statistics.median(values) for key, values in taken.items()} for name, taken in times.items()}


def measure_memory(boxes, names=("health", "noop", "ping"), tries=3, say=print):
    """Return the least memory in MB that a box needs to answer each command: `{"health": 3, ..}`."""
    box = boxes.names[0]
    install = (
        f"printf %s {shell_quote(LIMITED_SHELL)} > /usr/local/bin/limited-sh && chmod +x /usr/local/bin/limited-sh"
    )
    boxes.ansible(["-m", "raw", "-a", install], box)
    least = {}
    for name in names:
        whole = shape(boxes.answer(COMMANDS[name], box))
        for megabytes in STEPS:
            boxes.ansible(["-m", "raw", "-a", f"echo {megabytes << 20} > /run/bench-limit"], box)
            answers = (
                boxes.answer(COMMANDS[name], box, ansible_shell_executable="/usr/local/bin/limited-sh")
                for _try in range(tries)
            )
            # An incomplete answer doesn't count.
            if all(shape(answer) == whole for answer in answers):
                least[name] = megabytes
                break
        say(f"{name} answers with {least.get(name, f'more than {STEPS[-1]}')} MB")
    return least


def shape(answer):
    """Return which values an answer has and which are None, without control groups, whose limits vary."""
    if isinstance(answer, dict):
        return {
            key: shape(value)
            for key, value in answer.items()
            if key not in ("cgroup", "findings", "msg", "verdict", "processes")
        }
    return type(answer) if not isinstance(answer, list) else bool(answer)


def shell_quote(text):
    """Return a script for printf with octal escapes, because Ansible templates and splits its arguments."""
    return "\"$(printf '" + "".join(f"\\{byte:03o}" for byte in text.encode()) + "')\""
