# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change the files that make a unit start: links, masks, links of init scripts and cron jobs; keep their previous
state.

`systemctl disable` also disables other units (`Also=`) and removes links that were made by hand, which `enable` does
not bring back. This module removes exactly the links of one unit, and restores exactly those.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
from typing import Any, Dict, Iterable, List, Mapping, Optional

from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic

UNITS = "/etc/systemd/system"
CRON = "/etc/cron.d"
SCRIPTS = "/etc/init.d"
GENERATED = "/run/systemd/generator.late"
STORE = "/var/lib/lifeline/service_lockdown"
PRESET = "/etc/systemd/system-preset/95-lifeline-lockdown.preset"
DROP_IN = "50-lifeline-lockdown.conf"

_MASK = "/dev/null"


class FilesError(Exception):
    """A file cannot be read or written; the text says which and why."""


class Files:
    """The files of a host, below `root`, which is another folder than / in tests only."""

    def __init__(self, root: str = "") -> None:
        self.root = root

    def path(self, path: str) -> str:
        """Return where a file of the host is."""
        return self.root + path

    # --- the record -------------------------------------------------------------------------------------------------

    def load(self) -> Dict[str, Any]:
        """Return the record of how the host was, an empty one before the first lockdown. Raises FilesError."""
        path = self.path(STORE + "/state.json")
        try:
            with open(path, "rb") as stream:
                record = json.loads(stream.read().decode("utf-8"))
        except FileNotFoundError:
            return {"units": {}, "cron": {}, "scripts": None}
        except (OSError, ValueError) as error:
            raise FilesError(
                f"{path} cannot be read ({error}); repair it, or remove it to forget how this host was before"
            ) from error
        if not isinstance(record, dict) or not {"units", "cron", "scripts"} <= set(record):
            raise FilesError(f"{path} is not a record of this module; repair or remove it")
        return record

    def save(self, record: Mapping[str, Any]) -> None:
        """Write the record. Raises FilesError."""
        with contextlib.suppress(OSError):
            os.makedirs(self.path(STORE), mode=0o700, exist_ok=True)
        self.write(STORE + "/state.json", json.dumps(record, indent=1, sort_keys=True) + "\n", 0o600)

    def forget(self) -> None:
        """Remove the record and all that was put aside."""
        shutil.rmtree(self.path(STORE), ignore_errors=True)
        # Other parts of the collection may keep files there.
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(self.path(STORE)))

    def is_recorded(self) -> bool:
        """Return whether there is a record."""
        return os.path.exists(self.path(STORE + "/state.json"))

    # --- links ------------------------------------------------------------------------------------------------------

    def links(self, unit: Mapping[str, Any]) -> Dict[str, str]:
        """Return the links that enable a unit or give it another name, by path, with their targets.

        A template has those of all its instances.
        """
        names = {unit["Id"], *unit["Names"]}
        fragment = os.path.realpath(self.path(unit["FragmentPath"])) if unit["FragmentPath"] else None
        found: Dict[str, str] = {}
        for path in glob.glob(self.path(UNITS) + "/*") + glob.glob(self.path(UNITS) + "/*.*/*"):
            if not os.path.islink(path):
                continue
            name, target = os.path.basename(path), os.readlink(path)
            # A link of the unit's own name in this folder is its file: a mask, or a link to where the file is.
            own_file = os.path.dirname(path) == self.path(UNITS) and name == unit["Id"]
            if target == _MASK or own_file or os.path.basename(os.path.dirname(path)).endswith(".d"):
                continue
            if (
                name in names
                or _is_instance(name, unit["Id"])
                or (fragment and os.path.realpath(path) == fragment and "@" not in unit["Id"])
            ):
                found[path[len(self.root) :]] = target
        return found

    def start_links(self, unit_id: str) -> Dict[str, str]:
        """Return the links that start a unit's init script in a runlevel, by path, with their targets.

        systemd and the scripts of some packages look at them.
        """
        found = {}
        if unit_id.endswith(".service") and os.path.exists(self.path(f"{SCRIPTS}/{unit_id[:-8]}")):
            for path in glob.glob(self.path("/etc/rc[2-5S].d/S[0-9][0-9]") + glob.escape(unit_id[:-8])):
                if os.path.islink(path):
                    found[path[len(self.root) :]] = os.readlink(path)
        return found

    def remove_links(self, paths: Iterable[str]) -> None:
        """Remove links."""
        for path in paths:
            _unlink(self.path(path))

    def disable_script(self, start_links: Mapping[str, str]) -> None:
        """Turn each link that starts an init script into one that stops it, as update-rc.d does."""
        for path, target in start_links.items():
            folder, name = os.path.split(path)
            # The name comes from `start_links`: S, two digits, and the script's name.
            sequence, script = name[1:3], name[3:]
            _unlink(self.path(path))
            _relink(self.path(f"{folder}/K{int((100 - int(sequence)) % 100):02}{script}"), target)

    def enable_script(self, start_links: Mapping[str, str]) -> None:
        """Turn links that stop an init script back into those that start it."""
        for path, target in start_links.items():
            folder, name = os.path.split(path)
            for stop in glob.glob(self.path(f"{folder}/K[0-9][0-9]") + glob.escape(name[3:])):
                _unlink(stop)
            _relink(self.path(path), target)

    def put_back_links(self, links: Mapping[str, str]) -> None:
        """Restore links, except where there is another file now."""
        for path, target in links.items():
            os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
            if not os.path.lexists(self.path(path)):
                os.symlink(target, self.path(path))

    # --- masks ------------------------------------------------------------------------------------------------------

    def is_masked(self, unit_id: str) -> bool:
        """Return whether a unit is masked."""
        path = self.path(f"{UNITS}/{unit_id}")
        return os.path.islink(path) and os.readlink(path) == _MASK

    def mask(self, unit_id: str) -> Optional[str]:
        """Mask a unit. Return where its own file is kept, if it has one at the mask's place, or None."""
        path, kept = f"{UNITS}/{unit_id}", None
        if os.path.lexists(self.path(path)):
            kept = f"{STORE}/units/{unit_id}"
            self._move(path, kept)
        os.makedirs(self.path(UNITS), exist_ok=True)
        _relink(self.path(path), _MASK)
        return kept

    def unmask(self, unit_id: str, kept: Optional[str]) -> None:
        """Remove a mask and restore the unit's own file, unless there is another one now."""
        path = f"{UNITS}/{unit_id}"
        if self.is_masked(unit_id):
            _unlink(self.path(path))
        if kept and os.path.lexists(self.path(kept)) and not os.path.lexists(self.path(path)):
            self._move(kept, path)

    # --- cron -------------------------------------------------------------------------------------------------------

    def jobs(self, names: Iterable[str]) -> List[str]:
        """Return the cron jobs with the names of services."""
        paths = [f"{CRON}/{name}" for name in sorted(names)]
        return [path for path in paths if os.path.isfile(self.path(path))]

    def keep_job(self, path: str) -> str:
        """Put a cron job aside; return where it is kept."""
        kept = f"{STORE}/cron.d/{os.path.basename(path)}"
        self._move(path, kept)
        return kept

    def put_back_job(self, path: str, kept: str) -> None:
        """Restore a cron job, unless there is another one now."""
        if os.path.lexists(self.path(kept)) and not os.path.lexists(self.path(path)):
            self._move(kept, path)

    # --- packages installed later ------------------------------------------------------------------------------------

    def scripts(self) -> List[str]:
        """Return the units that systemd makes of init scripts."""
        return sorted(os.path.basename(path) for path in glob.glob(self.path(GENERATED) + "/*.service"))

    def ours(self) -> Dict[str, str]:
        """Return the texts of the files that keep new services off, by path."""
        found = {}
        for path in [self.path(PRESET), *glob.glob(f"{self.path(UNITS)}/*.d/{DROP_IN}")]:
            if os.path.isfile(path):
                with open(path, encoding="utf-8", errors="replace") as stream:
                    found[path[len(self.root) :]] = stream.read()
        return found

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Replace a file. Raises FilesError, and leaves the old file as it was."""
        try:
            atomic.replace(self.path(path), text, mode)
        except OSError as error:
            raise FilesError(f"{self.path(path)} cannot be written ({error.strerror})") from error

    def remove(self, path: str) -> None:
        """Remove a file, and its folder if nothing else is in it."""
        _unlink(self.path(path))
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(self.path(path)))

    def _move(self, path: str, target: str) -> None:
        os.makedirs(
            os.path.dirname(self.path(target)), mode=0o700 if target.startswith(STORE) else 0o755, exist_ok=True
        )
        if os.path.lexists(self.path(target)):
            _unlink(self.path(target))
        shutil.move(self.path(path), self.path(target))


def guards(preset: str, allowed_scripts: Iterable[str], guarded: Iterable[str]) -> Dict[str, str]:
    """Return the files that keep services off that are installed later, as texts by path.

    The preset keeps off services with a unit file. It has no effect on init scripts: a condition of all services keeps
    off the units that systemd makes of them, except `allowed_scripts`. `guarded` are services whose packages start them
    even if they are disabled.
    """
    heading = "# Managed by Ansible (lifeline.fleet.service_lockdown).\n"
    files = {
        PRESET: preset,
        f"{UNITS}/service.d/{DROP_IN}": heading
        + f"# A preset has no effect on init scripts.\n[Unit]\nConditionPathExists=!{GENERATED}/%n\n",
    }
    for unit in allowed_scripts:
        files[f"{UNITS}/{unit}.d/{DROP_IN}"] = (
            heading + "# May start although it is an init script.\n[Unit]\nConditionPathExists=\n"
        )
    for unit in guarded:
        files[f"{UNITS}/{unit}.d/{DROP_IN}"] = (
            heading
            + f"# Its package starts it even when disabled.\n[Unit]\nConditionPathExistsGlob={UNITS}/*.wants/{unit}\n"
        )
    return files


def _is_instance(name: str, template: str) -> bool:
    prefix, at, kind = template.partition("@.")
    return bool(at) and name.startswith(prefix + "@") and name.endswith("." + kind)


def _relink(path: str, target: str) -> None:
    if os.path.lexists(path):
        _unlink(path)
    os.symlink(target, path)


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
