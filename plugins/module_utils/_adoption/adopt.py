# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take over the workers that a host had before: refuse, keep them, or take them, and give them back."""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Sequence, TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._adoption import stop, strays, unit_files
from ansible_collections.lifeline.fleet.plugins.module_utils._adoption.stop import Stopping
from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Answer, words
from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic, regular
from ansible_collections.lifeline.fleet.plugins.module_utils._files.aside import Aside
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import watchdog
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import units

STORE = "/var/lib/lifeline/sidekiq_watchdog"
_COMMAND = 4096
_VARIABLE = "sidekiq_watchdog_takeover"


class AdoptionError(Exception):
    """Something is in the way; the text says what, and what to do."""


class Wanted(TypedDict):
    """One worker, as the module's options declare it. `in_force` are settings of its unit by systemd's names."""

    name: str
    manager: str
    app_path: str
    pidfile: str
    in_force: Dict[str, str]


class Seen(NamedTuple):
    """Obstacles for the role: texts of foreign files, of workers outside the unit, and of settings that override it."""

    files: Dict[str, List[str]]
    outside: List[strays.Stray]
    settings: Dict[str, List[unit_files.Setting]]


class Kept:
    """The kept state of a worker: its files, and `notes` about the units and processes before. Raises AsideError and
    AdoptionError."""

    def __init__(self, name: str) -> None:
        self.aside = Aside(f"{STORE}/{name}")
        self._path = f"{STORE}/{name}/notes.json"
        try:
            self.notes: Dict[str, Any] = json.loads(atomic.read_text(self._path) or "{}")
        except ValueError as error:
            raise AdoptionError(f"{self._path} is damaged ({error}); restore it from a backup") from error

    def save(self) -> None:
        """Write the notes."""
        text = json.dumps(self.notes, indent=1, sort_keys=True) + "\n"
        atomic.replace(self._path, text, 0o600, folder_mode=0o700)


class Adoption:
    """One run on one host. `run` runs a program. `changed` and `warnings` collect what is reported."""

    def __init__(self, workers: Sequence[Wanted], takeover: str, run: Callable[[List[str]], Answer], dry: bool) -> None:
        self._workers = [one for one in workers if one["manager"] == "systemd"]
        self._others = [one for one in workers if one["manager"] != "systemd"]
        self._takeover, self._run, self._dry = takeover, run, dry
        self.changed: List[str] = []
        self.warnings: List[str] = []

    def seen(self) -> Seen:
        """Look at the host, and change nothing."""
        files = {one["name"]: unit_files.foreign(one["name"]) for one in self._workers}
        own = [one["name"] + ".service" for one in self._workers if not any(map(_is_unit, files[one["name"]]))]
        settings = {
            one["name"]: unit_files.overriding(unit_files.settings(unit_files.drop_ins(one["name"])), one["in_force"])
            for one in self._workers
        }
        return Seen(files, self._outside(own), settings)

    def _outside(self, own_units: Sequence[str]) -> List[strays.Stray]:
        texts = [regular.read(one["pidfile"], watchdog.LARGEST) or "" for one in self._others]
        own = [int(text) for text in map(str.strip, texts) if text.isascii() and text.isdecimal()]
        applications = [one["app_path"] for one in self._workers]
        found = strays.find(strays.sources(), strays.links(), applications, own_units, own)
        return [self._checked(one) if one.kind == "unit" else one for one in found]

    def _checked(self, one: strays.Stray) -> strays.Stray:
        _code, out, _err = self._run(["systemctl", "show", "--property=MainPID", "--", one.place])
        main = (units.parse_show(out) or [{}])[0].get("MainPID", "")
        if not (main.isascii() and main.isdecimal()):
            main = "0"
        command = _reader.read_or_none(f"/proc/{main}/cmdline", _COMMAND) or ""
        return strays.of_unit(one, int(main), command.replace("\0", " "))

    def look(self) -> Seen:
        """Refuse what would be lost or doubled, before anything is touched. Raises AdoptionError."""
        seen = self.seen()
        own = [one["name"] + ".service" for one in self._workers]
        told = [
            f"Sidekiq runs outside the unit ({one.told()}) and would run twice"
            for one in seen.outside
            if one.kind != "unit" or one.place not in own
        ]
        for name, paths in seen.files.items():
            told += [f"{path} is not the role's and would be replaced" for path in paths]
            told += [f"{one.told()} wins over the role's setting of {name}.service" for one in seen.settings[name]]
        if told and self._takeover == "refuse":
            raise AdoptionError(
                f"{_VARIABLE}: refuse, and this host has its own worker: {'; '.join(told)}. Nothing was touched. Set "
                "it to take (what is there is kept aside and comes back with sidekiq_watchdog_state=reverted), or keep"
            )
        if told and self._takeover == "keep":
            kept = [text.replace("would be replaced", "stays").replace("would run", "runs") for text in told]
            self.warnings += [f"{_VARIABLE} is keep, and {text}" for text in kept]
        return seen

    def keep(self) -> None:
        """Keep the files aside that the role is about to write, and disarm the settings that win over it."""
        seen = self.seen()
        for worker in self._workers:
            name = worker["name"]
            kept = Kept(name)
            stays = self._takeover == "keep" and bool(seen.files[name])
            disarm = seen.settings[name] if self._takeover == "take" else []
            # The role's own files of an earlier run are not what was there before.
            ours = any(os.path.lexists(path) for path in unit_files.paths(name)) and not seen.files[name]
            paths = sorted({setting.path for setting in disarm}) + ([] if ours else unit_files.paths(name))
            if stays:
                paths = [path for path in paths if path not in seen.files[name]]
            if self._dry:
                self.changed += [*([] if stays else seen.files[name]), *sorted({one.path for one in disarm})]
                continue
            self.changed += [path for path in paths if path not in kept.aside.entries and os.path.lexists(path)]
            if seen.files[name] and kept.notes.get("unit", {"stays": True}).get("stays"):
                kept.notes["unit"] = {"stays": True} if stays else self._unit_state(name)
                kept.save()
            for path in paths:
                kept.aside.keep(path, absent=True)
            for path in sorted({setting.path for setting in disarm}):
                text = atomic.read_text(path) or ""
                lines = [setting.line for setting in disarm if setting.path == path]
                atomic.replace(path, unit_files.without(text, lines))
            if disarm:
                self._run(["systemctl", "daemon-reload"])

    def is_new(self) -> bool:
        """Return whether a worker has neither files of the role nor a record of what was there before."""
        return any(
            not os.path.lexists(unit_files.paths(one["name"])[0]) and not os.path.isdir(f"{STORE}/{one['name']}")
            for one in self._workers
        )

    def stop(self, seconds: float) -> None:
        """Stop the workers outside the unit; no job is lost. Raises StopError."""
        own = [one["name"] + ".service" for one in self._workers]
        # A unit of the same name that was replaced still runs what was there before.
        old = {name for name in own if Kept(name[: -len(".service")]).notes.get("unit", {}).get("replaced") is False}
        found = self._outside([name for name in own if name not in old]) if self._takeover == "take" else []
        self.changed += [f"stopped {one.told()}" for one in found]
        if self._dry or not found:
            return
        starters = Stopping(self._run).stop(found, seconds)
        for worker in self._workers:
            kept = Kept(worker["name"])
            if worker["name"] + ".service" in old:
                kept.notes["unit"]["replaced"] = True
            others = [one for one in starters if one.place != worker["name"] + ".service"]
            known = stop.of_notes(kept.notes.get("starters", []))
            kept.notes["starters"] = stop.notes(list(dict.fromkeys([*known, *others])))
            kept.save()

    def verify(self) -> None:
        """Ask systemd what is in force for each unit. Raises AdoptionError, which names the file that wins."""
        wrong = []
        for worker in self._workers:
            unit = worker["name"] + ".service"
            keys = [*worker["in_force"], "DropInPaths", "FragmentPath"]
            code, out, err = self._run(["systemctl", "show", f"--property={','.join(keys)}", "--", unit])
            if code:
                raise AdoptionError(f"{unit}: systemd does not answer: {words((code, out, err))}")
            shown = (units.parse_show(out) or [{}])[0]
            files = [shown.get("FragmentPath", ""), *shown.get("DropInPaths", "").split()]
            for key, value in unit_files.differences(shown, worker["in_force"]).items():
                setting = unit_files.winner(key, files)
                by = f"{setting.told()} wins; remove that line" if setting else "something outside its files set it"
                wrong.append(f"{unit}: {key} is {value} instead of {worker['in_force'][key]}: {by}")
        if wrong and self._takeover != "keep":
            raise AdoptionError(f"{'; '.join(wrong)}; or set {_VARIABLE} to take or keep")
        self.warnings += wrong

    def revert(self, names: Sequence[str]) -> None:
        """Bring back what was there before. Raises AdoptionError, AsideError or StopError."""
        by_hand: List[stop.Starter] = []
        for name in names:
            kept = Kept(name)
            unit = name + ".service"
            before = kept.notes.get("unit", {})
            stays = before.get("stays")
            self.changed += [*([] if stays else [f"{unit}: stopped"]), *sorted(kept.aside.entries)]
            if self._dry:
                continue
            if not stays:
                self._run(["systemctl", "disable", "--now", "--", unit])
            kept.aside.restore()
            self._run(["systemctl", "daemon-reload"])
            if before.get("enabled"):
                self._run(["systemctl", "enable", "--", unit])
            if before.get("active"):
                self._must_start(unit)
            for starter in stop.of_notes(kept.notes.get("starters", [])):
                if not Stopping(self._run).start(starter):
                    by_hand.append(starter)
        if by_hand:
            self.warnings.append(f"start the worker by hand as before: {stop.by_hand(by_hand)}")

    def _must_start(self, unit: str) -> None:
        answer = self._run(["systemctl", "start", "--", unit])
        if answer[0]:
            self.warnings.append(f"{unit} is back as it was, and does not start: {words(answer)}")

    def _unit_state(self, name: str) -> Mapping[str, bool]:
        """Return whether the unit that is about to be replaced ran and was enabled."""
        _code, out, _err = self._run(
            ["systemctl", "show", "--property=ActiveState,UnitFileState", "--", name + ".service"]
        )
        shown = (units.parse_show(out) or [{}])[0]
        active = shown.get("ActiveState") in ("active", "activating", "reloading")
        return {"active": active, "enabled": shown.get("UnitFileState") == "enabled", "replaced": not active}


def kept_names() -> List[str]:
    """Return the names of the workers of which something is kept."""
    try:
        return sorted(name for name in os.listdir(STORE) if os.path.isdir(f"{STORE}/{name}"))
    except OSError:
        return []


def _is_unit(path: str) -> bool:
    return path.startswith(unit_files.UNITS) and path.endswith(".service")
