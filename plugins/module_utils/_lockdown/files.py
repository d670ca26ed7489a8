# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a unit start, as files: links, masks, links of init scripts and jobs of cron; and how it all was before.

C(systemctl disable) takes other units with it (C(Also=)), and links that were made by hand, which no C(enable) brings back. Here
exactly the links of one unit are taken away, and exactly those are put back.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import shutil

from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic

UNITS = "/etc/systemd/system"
CRON = "/etc/cron.d"
SCRIPTS = "/etc/init.d"
GENERATED = "/run/systemd/generator.late"
STORE = "/var/lib/lifeline/service_lockdown"
PRESET = "/etc/systemd/system-preset/95-lifeline-lockdown.preset"
DROP_IN = "50-lifeline-lockdown.conf"

_MASK = "/dev/null"
_SEQUENCE = re.compile(r"^S(\d\d)(.+)$")


class FilesError(Exception):
    """A file can't be read or written; the text says which and why."""


class Files:
    """The files of one box. V(root) is another folder than / in tests only."""

    def __init__(self, root=""):
        self.root = root

    def path(self, path):
        return self.root + path

    # --- the record -------------------------------------------------------------------------------------------------

    def load(self):
        """The record, or an empty one where there is none."""
        path = self.path(STORE + "/state.json")
        try:
            with open(path, "rb") as stream:
                record = json.loads(stream.read().decode("utf-8"))
        except FileNotFoundError:
            return {"units": {}, "cron": {}, "scripts": None}
        except (OSError, ValueError) as error:
            raise FilesError(
                f"{path} can't be read ({error}): without it nobody knows how this box was. Repair or remove it"
            ) from error
        if not isinstance(record, dict) or not {"units", "cron", "scripts"} <= set(record):
            raise FilesError(f"{path} is no record of this module: repair or remove it")
        return record

    def save(self, record):
        with contextlib.suppress(OSError):
            os.makedirs(self.path(STORE), mode=0o700, exist_ok=True)
        self.write(STORE + "/state.json", json.dumps(record, indent=1, sort_keys=True) + "\n", 0o600)

    def forget(self):
        shutil.rmtree(self.path(STORE), ignore_errors=True)
        # Others of the collection may keep something there.
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(self.path(STORE)))

    def is_recorded(self):
        return os.path.exists(self.path(STORE + "/state.json"))

    # --- links ------------------------------------------------------------------------------------------------------

    def links(self, unit):
        """The links that enable a unit or give it another name, as path to target. A template has those of all its instances."""
        names = {unit["Id"], *unit["Names"]}
        fragment = os.path.realpath(self.path(unit["FragmentPath"])) if unit["FragmentPath"] else None
        found = {}
        for path in glob.glob(self.path(UNITS) + "/*") + glob.glob(self.path(UNITS) + "/*.*/*"):
            if not os.path.islink(path):
                continue
            name, target = os.path.basename(path), os.readlink(path)
            # The unit's own name here is its file: a mask, or a link to where the file is.
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

    def start_links(self, unit_id):
        """The links that start a unit's init script in a runlevel. systemd, and some packages' own scripts, look at them."""
        found = {}
        if unit_id.endswith(".service") and os.path.exists(self.path(f"{SCRIPTS}/{unit_id[:-8]}")):
            for path in glob.glob(self.path("/etc/rc[2-5S].d/S[0-9][0-9]") + glob.escape(unit_id[:-8])):
                if os.path.islink(path):
                    found[path[len(self.root) :]] = os.readlink(path)
        return found

    def remove_links(self, paths):
        for path in paths:
            _unlink(self.path(path))

    def disable_script(self, start_links):
        """What update-rc.d does: a link that starts becomes one that stops."""
        for path, target in start_links.items():
            folder, name = os.path.split(path)
            sequence, script = _SEQUENCE.match(name).groups()
            _unlink(self.path(path))
            _relink(self.path(f"{folder}/K{int((100 - int(sequence)) % 100):02}{script}"), target)

    def enable_script(self, start_links):
        for path, target in start_links.items():
            folder, name = os.path.split(path)
            for stop in glob.glob(self.path(f"{folder}/K[0-9][0-9]") + glob.escape(name[3:])):
                _unlink(stop)
            _relink(self.path(path), target)

    def put_back_links(self, links):
        for path, target in links.items():
            os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
            if not os.path.lexists(self.path(path)):
                os.symlink(target, self.path(path))

    # --- masks ------------------------------------------------------------------------------------------------------

    def is_masked(self, unit_id):
        path = self.path(f"{UNITS}/{unit_id}")
        return os.path.islink(path) and os.readlink(path) == _MASK

    def mask(self, unit_id):
        """Mask a unit, and say where its own file is kept if it was in the mask's place: systemctl mask gives up there."""
        path, kept = f"{UNITS}/{unit_id}", None
        if os.path.lexists(self.path(path)):
            kept = f"{STORE}/units/{unit_id}"
            self._move(path, kept)
        os.makedirs(self.path(UNITS), exist_ok=True)
        _relink(self.path(path), _MASK)
        return kept

    def unmask(self, unit_id, kept):
        path = f"{UNITS}/{unit_id}"
        if self.is_masked(unit_id):
            _unlink(self.path(path))
        if kept and os.path.lexists(self.path(kept)) and not os.path.lexists(self.path(path)):
            self._move(kept, path)

    # --- cron -------------------------------------------------------------------------------------------------------

    def jobs(self, names):
        """The files of cron that belong to services of these names."""
        paths = [f"{CRON}/{name}" for name in sorted(names)]
        return [path for path in paths if os.path.isfile(self.path(path))]

    def keep_job(self, path):
        kept = f"{STORE}/cron.d/{os.path.basename(path)}"
        self._move(path, kept)
        return kept

    def put_back_job(self, path, kept):
        if os.path.lexists(self.path(kept)) and not os.path.lexists(self.path(path)):
            self._move(kept, path)

    # --- what is installed later ------------------------------------------------------------------------------------

    def scripts(self):
        """The units that systemd makes of init scripts."""
        return sorted(os.path.basename(path) for path in glob.glob(self.path(GENERATED) + "/*.service"))

    def ours(self):
        """The files that this module has made to guard installations, as path to text."""
        found = {}
        for path in [self.path(PRESET), *glob.glob(f"{self.path(UNITS)}/*.d/{DROP_IN}")]:
            if os.path.isfile(path):
                with open(path, encoding="utf-8", errors="replace") as stream:
                    found[path[len(self.root) :]] = stream.read()
        return found

    def write(self, path, text, mode=0o644):
        """Write a file so that it is either the old or the new one, whenever the power fails or the disk is full."""
        try:
            atomic.replace(self.path(path), text, mode)
        except OSError as error:
            raise FilesError(f"{self.path(path)} can't be written ({error.strerror})") from error

    def remove(self, path):
        """Remove one of our files, and its folder if nothing else is in it."""
        _unlink(self.path(path))
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(self.path(path)))

    def _move(self, path, target):
        os.makedirs(
            os.path.dirname(self.path(target)), mode=0o700 if target.startswith(STORE) else 0o755, exist_ok=True
        )
        if os.path.lexists(self.path(target)):
            _unlink(self.path(target))
        shutil.move(self.path(path), self.path(target))


def guards(preset, allowed_scripts, guarded):
    """The files that keep what is installed later from starting, as path to text.

    The preset holds whatever has a unit of its own. An init script knows no presets: a condition of all services holds what systemd
    makes of one, but for V(allowed_scripts). V(guarded) are services whose package starts them though they are disabled.
    """
    heading = "# Managed by Ansible (lifeline.fleet.service_lockdown).\n"
    files = {
        PRESET: preset,
        f"{UNITS}/service.d/{DROP_IN}": heading
        + f"# No preset holds an init script when it is installed.\n[Unit]\nConditionPathExists=!{GENERATED}/%n\n",
    }
    for unit in allowed_scripts:
        files[f"{UNITS}/{unit}.d/{DROP_IN}"] = (
            heading + "# May start, though it is an init script.\n[Unit]\nConditionPathExists=\n"
        )
    for unit in guarded:
        files[f"{UNITS}/{unit}.d/{DROP_IN}"] = (
            heading
            + f"# Its package starts it even where it is disabled.\n[Unit]\nConditionPathExistsGlob={UNITS}/*.wants/{unit}\n"
        )
    return files


def _is_instance(name, template):
    prefix, at, kind = template.partition("@.")
    return bool(at) and name.startswith(prefix + "@") and name.endswith("." + kind)


def _relink(path, target):
    if os.path.lexists(path):
        _unlink(path)
    os.symlink(target, path)


def _unlink(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
