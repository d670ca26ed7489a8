# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose files lie in a folder, and a systemd that knows its units from them."""

from __future__ import annotations

import fnmatch
import os

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown.files import UNITS, Files
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import units

VENDOR = "/lib/systemd/system/"
OPTIONS = {
    "stopped": [],
    "unexpected": [],
    "masked": False,
    "protected": [],
    "workers": ["sidekiq*"],
    "worker_needs": ["redis*"],
    "worker_expected": False,
    "takeover": "keep",
    "applications": [],
    "guard_installs": False,
    "started": [],
    "timeout": 100,
}


class Systemd:
    """Knows the units that `add` makes, records the calls in `calls`, and reads masks and links itself."""

    def __init__(self, root):
        self.root, self.units, self.calls = root, {}, []
        # Units that run on after they were stopped, and units that do not start.
        self.undying, self.broken = set(), set()

    def add(self, name, state="active", **properties):
        path = self.root / (VENDOR + name).lstrip("/")
        path.write_text("[Service]\n")
        self.units[name] = {"ActiveState": state, "FragmentPath": VENDOR + name, **properties}

    def link(self, path, target):
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def enable(self, name):
        self.link(f"{UNITS}/multi-user.target.wants/{name}", VENDOR + name)

    def show(self, names):
        return [self._one(name) for name in names]

    def _one(self, name):
        for unit_id, properties in self.units.items():
            if name == unit_id or name in properties.get("Names", ""):
                masked = os.path.islink(self.root / f"{UNITS}/{unit_id}".lstrip("/"))
                enabled = (self.root / f"{UNITS}/multi-user.target.wants/{unit_id}".lstrip("/")).is_symlink()
                shown = {
                    "Id": unit_id,
                    "Names": unit_id,
                    "LoadState": "masked" if masked else "loaded",
                    "UnitFileState": "masked" if masked else "enabled" if enabled else "disabled",
                    **properties,
                }
                (unit,) = units.parse_units("".join(f"{key}={value}\n" for key, value in shown.items()))
                return unit
        return units.parse_units(f"Id={name}\nLoadState=not-found\nActiveState=inactive\n")[0]

    def loaded(self, patterns):
        return [name for name in self.units if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]

    installed = loaded

    def stop(self, unit_ids, seconds):
        self.calls.append(f"stop {' '.join(unit_ids)} within {seconds} s")
        for unit_id in set(unit_ids) - self.undying:
            self.units[unit_id]["ActiveState"] = "inactive"
        return [unit_id for unit_id in unit_ids if unit_id in self.undying]

    def call(self, verb, _dashes, *names, check=True):
        self.calls.append(f"{verb} {' '.join(names)}")
        for name in set(names) - self.broken:
            self.units[name]["ActiveState"] = "active"
        return (
            (1, "", f"Job for {' '.join(sorted(self.broken))} failed.\n") if self.broken & set(names) else (0, "", "")
        )

    def reload(self):
        self.calls.append("daemon-reload")


@pytest.fixture
def root(tmp_path):
    """Return the folder of a host with nothing on it."""
    for folder in (UNITS, VENDOR, "/etc/init.d", "/etc/cron.d", "/etc/rc2.d", "/etc/rc3.d", "/etc/rc0.d"):
        (tmp_path / folder.strip("/")).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def systemd(root):
    return Systemd(root)


@pytest.fixture
def files(root):
    return Files(str(root))


@pytest.fixture
def options():
    """Return a function that makes options: names of units to stop, and what differs from the defaults."""

    def make(*names, **more):
        stopped = [{"name": name, "masked": None, "state": "present"} for name in names]
        return {**OPTIONS, "stopped": stopped, **more}

    return make
