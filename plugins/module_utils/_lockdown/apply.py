# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out a lockdown, or revert it. The previous state is recorded before anything is changed."""

from __future__ import annotations

import fcntl
import os
import time
from typing import IO, Any, Dict, Mapping, Optional, Sequence

from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown import (
    files as lockdown_files,
    plan as lockdown_plan,
    protection,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown.choice import Choice
from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown.files import Files
from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown.plan import Plan, Record
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import units
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.systemctl import Systemd

LOCK = "/run/lifeline-service_lockdown.lock"
_LOCK_SECONDS = 120


class LockdownError(Exception):
    """A lockdown was refused or failed; the text says what was touched."""


def take_lock(path: str = LOCK, seconds: float = _LOCK_SECONDS) -> IO[str]:
    """Return the open lock file of this host. The lock ends with the process. Raises LockdownError."""
    # Not readable for others: a user that can open the file could hold the lock for ever.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, 0o600)
    stream = open(descriptor, "w")  # noqa: SIM115 - it stays open until the end of the run
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return stream
        except OSError:
            if time.monotonic() > deadline:
                stream.close()
                raise LockdownError(
                    f"another run has held the lock on this host for more than {seconds:g} s; nothing was changed"
                ) from None
            time.sleep(0.2)


class Lockdown:
    """One run on one host. `summary` collects what changes."""

    def __init__(self, systemd: Systemd, files: Files, options: Mapping[str, Any], check_mode: bool = False) -> None:
        self._systemd, self._files, self._options, self._check_mode = systemd, files, options, check_mode
        self.summary = lockdown_plan.Summary()
        self.choice: Optional[Choice] = None
        self.touched = False

    # --- locked -----------------------------------------------------------------------------------------------------

    def lock(self) -> None:
        """Stop, disable and mask what the options name. Raises LockdownError, FilesError or OSError."""
        record = self._files.load()
        try:
            choice = self.choice = Choice(self._systemd, self._options, record)
        except protection.Refused as error:
            raise LockdownError(f"stopped: {error}; nothing was changed") from error
        plan = lockdown_plan.lockdown(self._files, choice, self._options, record)
        for unit_id, steps in plan.units.items():
            self.summary.add_unit(unit_id, steps)
        for path in plan.jobs:
            self.summary.add_file(path, "put aside", None)
        self.summary.add_guards(self._files.ours(), plan.guards)
        if self._check_mode or not self.summary.changes:
            return
        self._remember(record, choice, plan)
        self._apply(record, plan)

    def _remember(self, record: Record, choice: Choice, plan: Plan) -> None:
        """Write down how the host is before anything is touched. An entry is never overwritten."""
        if record["scripts"] is None:
            record["scripts"] = self._files.scripts()
        for unit_id, steps in plan.units.items():
            unit = choice.units[unit_id]
            kept = record["units"].setdefault(
                unit_id,
                {
                    "names": sorted({unit_id, *unit["Names"]}),
                    "active": unit["ActiveState"] in ("active", "reloading", "refreshing"),
                    "links": steps.links,
                    "start_links": steps.start_links,
                    "masked": steps.masked,
                    "masked_here": False,
                    "kept": None,
                },
            )
            if steps.mask:
                kept["masked_here"] = True
                if os.path.lexists(self._files.path(f"{lockdown_files.UNITS}/{unit_id}")):
                    kept["kept"] = f"{lockdown_files.STORE}/units/{unit_id}"
        for path in plan.jobs:
            record["cron"].setdefault(path, f"{lockdown_files.STORE}/cron.d/{os.path.basename(path)}")
        self._files.save(record)

    def _apply(self, record: Record, plan: Plan) -> None:
        self.touched = True
        self._write_guards(plan.guards)
        for path in plan.jobs:
            self._files.keep_job(path)
        running = [unit_id for unit_id, steps in plan.units.items() if steps.stop]
        left = self._systemd.stop(running, self._options["timeout"])
        if left:
            raise LockdownError(
                f"still running after SIGKILL: {', '.join(left)}; nothing was disabled, and the record of the previous "
                "state is kept"
            )
        for unit_id, steps in plan.units.items():
            self._files.remove_links(steps.links)
            self._files.disable_script(steps.start_links)
            if steps.mask:
                self._files.mask(unit_id)
            if steps.unmask:
                self._files.unmask(unit_id, record["units"][unit_id]["kept"])
                record["units"][unit_id].update(masked_here=False, kept=None)
        self._files.save(record)
        self._systemd.reload()
        self._verify(plan)

    def _write_guards(self, wanted: Mapping[str, str]) -> None:
        present = self._files.ours()
        for path in sorted({*present, *wanted}):
            if path not in wanted:
                self._files.remove(path)
            elif present.get(path) != wanted[path]:
                self._files.write(path, wanted[path])

    def _verify(self, plan: Plan) -> None:
        """Ask systemd itself whether the units are stopped and masked. Raises LockdownError."""
        names = [unit_id for unit_id in plan.units if not units.is_template(unit_id)]
        wrong = []
        for name, unit in zip(names, self._systemd.show(names)):
            if units.runs(unit):
                wrong.append(f"{name} was started again by something else; mask it")
            elif (plan.units[name].mask and unit["LoadState"] != "masked") or unit["UnitFileState"] == "enabled":
                wrong.append(f"{name} is {unit['LoadState']}, {unit['UnitFileState']}")
        if wrong:
            raise LockdownError(f"the units were stopped, but not all stayed so: {'; '.join(wrong)}")

    def told(self) -> Dict[str, Any]:
        """Return what the module reports of the units, nothing after a revert."""
        if self.choice is None:
            return {"units": [], "absent": [], "left": [], "spared": []}
        return self.choice.told()

    # --- reverted ---------------------------------------------------------------------------------------------------

    def revert(self) -> None:
        """Restore what the first lockdown found. Raises LockdownError, FilesError or OSError."""
        record = self._files.load()
        names = [unit_id for unit_id in sorted(record["units"]) if not units.is_template(unit_id)]
        self._summarize_revert(record, dict(zip(names, self._systemd.show(names))))
        if self._check_mode or not (self.summary.changes or self._files.is_recorded()):
            return
        self.touched = True
        for unit_id, kept in record["units"].items():
            if kept["masked_here"]:
                self._files.unmask(unit_id, kept["kept"])
        self._write_guards({})
        for path, stored in record["cron"].items():
            self._files.put_back_job(path, stored)
        self._systemd.reload()
        self._enable_and_start(record, names)
        self._files.forget()

    def _summarize_revert(self, record: Record, now: Mapping[str, units.Unit]) -> None:
        for unit_id, kept in sorted(record["units"].items()):
            enabled = bool(kept["links"] or kept["start_links"])
            running = unit_id in now and units.runs(now[unit_id])
            before = lockdown_plan.state(running, False, self._files.is_masked(unit_id))
            after = lockdown_plan.state(kept["active"] or running, enabled, kept["masked"])
            self.summary.add(f"{unit_id}: put back", f"{unit_id}: {before}", f"{unit_id}: {after}")
        for path in sorted(record["cron"]):
            self.summary.add_file(path, "put back", "")
        self.summary.add_guards(self._files.ours(), {})

    def _enable_and_start(self, record: Record, names: Sequence[str]) -> None:
        """Enable and start what was enabled and ran, unless it was uninstalled since or masked by others."""
        shown = zip(names, self._systemd.show(names))
        there = {name for name, unit in shown if unit["LoadState"] not in ("not-found", "masked")}
        there |= {unit_id for unit_id in record["units"] if units.is_template(unit_id)}
        for unit_id in there:
            self._files.put_back_links(record["units"][unit_id]["links"])
            self._files.enable_script(record["units"][unit_id]["start_links"])
        self._systemd.reload()
        # A socket refuses to start once its service runs.
        start = sorted(
            (name for name in names if name in there and record["units"][name]["active"]),
            key=lambda name: name.endswith(".service"),
        )
        if not start:
            return
        code, out, err = self._systemd.call("start", "--", *start, check=False)
        left = [unit["Id"] for unit in self._systemd.show(start) if not units.runs(unit)]
        # A timer that has elapsed is not active.
        left = left if code else [unit_id for unit_id in left if not unit_id.endswith(".timer")]
        if left:
            raise LockdownError(
                f"the previous state is restored, but {', '.join(left)} did not start: {(err or out).strip()}"
            )
