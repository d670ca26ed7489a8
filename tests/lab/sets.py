# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sets of hosts that boxes.toml describes, and what podman knows of those that are up."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import itertools
import json
import os
import pathlib
import shutil
import tomllib

from machine import run

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# Two clones of the project on one machine have separate labs.
CLONE = hashlib.sha256(str(ROOT).encode()).hexdigest()[:4]
RUN = pathlib.Path("/run/lifeline-lab")
LABEL = "lifeline-lab"
TABLE = tomllib.loads((HERE / "boxes.toml").read_text())


@dataclasses.dataclass
class Kind:
    """A kind of host; boxes.toml explains the fields."""

    name: str
    purpose: str
    memory: str
    suite: str | None = None
    units: list[str] = dataclasses.field(default_factory=list)
    installed: list[str] = dataclasses.field(default_factory=list)
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    vars: dict[str, str] = dataclasses.field(default_factory=dict)
    ready: str = "true"
    kernel_log: bool = False
    disk_mib: int = 0
    power: bool = True


@dataclasses.dataclass
class Box:
    """A host of a set."""

    name: str
    kind: Kind
    suite: str
    login: str


class Lab:
    """The hosts of one set, for one clone of the project."""

    def __init__(self, name):
        self.name = name
        self.id = f"{LABEL}-{CLONE}-{name}"
        self.run = RUN / f"{CLONE}-{name}"
        self.key = self.run / "key"
        self.known_hosts = self.run / "known_hosts"

    @property
    def suites(self):
        """The releases that boxes.toml wants for this set."""
        return TABLE["sets"][self.name]["suites"]

    def boxes(self, suites):
        """Return the hosts that this set has on these releases."""
        entry = TABLE["sets"][self.name]
        kinds = {name: Kind(name, **fields) for name, fields in TABLE["kinds"].items()}
        boxes = []
        for suite in suites if "each_suite" in entry else ():
            boxes.append(Box(f"{self.name}-{suite}", kinds[entry["each_suite"]], suite, _login(entry, suite)))
        for number in range(len(boxes), entry.get("at_least", 0)):
            # Tests of a single release need both logins as well.
            login = "root" if boxes[0].login == "ops" else "ops"
            boxes.append(dataclasses.replace(boxes[0], name=f"{boxes[0].name}-{number + 1}", login=login))
        taken = itertools.cycle(suites)
        count = {name: itertools.count(1) for name in kinds}
        for name in entry["boxes"]:
            label = name if entry["boxes"].count(name) == 1 else str(next(count[name]))
            suite = kinds[name].suite or next(taken)
            boxes.append(Box(f"{self.name}-{label}", kinds[name], suite, _login(entry, name)))
        return boxes

    def containers(self, listed=None):
        """Return each host's labels as podman has them, with its state and its container's name added."""
        listed = [one for one in (podman_lists() if listed is None else listed) if one["Labels"][LABEL] == self.id]
        boxes = [{**one["Labels"], "container": one["Names"][0], "state": _state(one)} for one in listed]
        return {box["lifeline-lab.box"]: box for box in sorted(boxes, key=lambda box: int(box["lifeline-lab.number"]))}


def _login(entry, name):
    """Return how Ansible logs in to the host of a release or a kind: as root, or as `ops`, who uses sudo."""
    return "ops" if name in entry.get("ops", ()) else "root"


def _state(listed):
    # podman still reports a host as running if its monitor was killed, as at the end of some CI jobs.
    if listed["State"] == "running" and not pathlib.Path(f"/proc/{listed['Pid']}").exists():
        return "gone"
    return listed["State"]


def podman(*argv, **options):
    """Run podman and return its output."""
    return run("podman", *argv, **options)


def podman_lists():
    """Return the hosts of all labs on this machine, as podman lists them."""
    if os.geteuid() != 0 or not shutil.which("podman"):
        return []
    return json.loads(podman("ps", "--all", "--filter", f"label={LABEL}", "--format", "json") or "[]")


@contextlib.contextmanager
def alone_with(what):
    """Hold a lock against other runs of this tool."""
    RUN.mkdir(exist_ok=True)
    with (RUN / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@functools.cache
def cgroup_version():
    """Return 2 on a machine with the unified control group hierarchy, else 1."""
    return 2 if pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1
