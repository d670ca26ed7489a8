# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan what a lockdown does to each unit, cron job and guard file, and describe it. Nothing is changed here."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown import files as lockdown_files, protection
from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown.choice import Choice
from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown.files import Files
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import units

# Their packages start them by a call of invoke-rc.d even if they are disabled.
_START_THEMSELVES = ("sendmail.service",)

Record = Dict[str, Any]


class Steps(NamedTuple):
    """The steps for one unit. `masked` says whether it is masked already."""

    stop: bool
    links: Dict[str, str]
    start_links: Dict[str, str]
    mask: bool
    unmask: bool
    masked: bool

    @property
    def disable(self) -> bool:
        """Return whether links are removed that start the unit at boot."""
        return bool(self.links or self.start_links)


class Plan(NamedTuple):
    """The steps of a lockdown for each unit, cron jobs to put aside, and the texts of guard files by path."""

    units: Dict[str, Steps]
    jobs: List[str]
    guards: Dict[str, str]


class Summary:
    """The changes, one sentence per unit or file, with the state before and after it."""

    def __init__(self) -> None:
        self.changes: List[str] = []
        self._before: List[str] = []
        self._after: List[str] = []

    def add(self, change: str, before: str, after: str) -> None:
        """Add one change."""
        self.changes.append(change)
        self._before.append(before)
        self._after.append(after)

    def add_unit(self, unit_id: str, steps: Steps) -> None:
        """Add the changes of a unit, if there are any."""
        words = {"stopped": steps.stop, "disabled": steps.disable, "masked": steps.mask, "unmasked": steps.unmask}
        done = [word for word, is_done in words.items() if is_done]
        if done:
            self.add(
                f"{unit_id}: {', '.join(done)}",
                f"{unit_id}: {state(steps.stop, steps.disable, steps.masked)}",
                f"{unit_id}: {state(False, False, (steps.masked or steps.mask) and not steps.unmask)}",
            )

    def add_file(self, path: str, verb: str, text: Optional[str]) -> None:
        """Add the change of a file. `text` is its new text, None if it is gone afterwards."""
        self.add(
            f"{path}: {verb}", f"{path}: there" if verb != "written" else "", "" if text is None else f"{path}:\n{text}"
        )

    def add_guards(self, present: Mapping[str, str], wanted: Mapping[str, str]) -> None:
        """Add the guard files that are written or removed."""
        for path in sorted({*present, *wanted}):
            if present.get(path) != wanted.get(path):
                self.add_file(path, "removed" if path not in wanted else "written", wanted.get(path))

    def diff(self) -> Dict[str, str]:
        """Return the states before and after all changes as Ansible shows them."""
        before, after = ("\n".join(filter(None, lines)) + "\n" for lines in (self._before, self._after))
        return {"before": before, "after": after}


def state(active: bool, enabled: bool, masked: bool) -> str:
    """Return the state of a unit in words."""
    words = ["running" if active else "stopped", "enabled" if enabled else "disabled"]
    return ", ".join(words + ["masked"] * masked)


def lockdown(files: Files, choice: Choice, options: Mapping[str, Any], record: Record) -> Plan:
    """Return what must be done to stop the units of `choice` for good. `record` is how the host was at first."""
    services = {
        units.stem(name)
        for unit in choice.units.values()
        for name in (unit["Id"], *unit["Names"])
        if name.endswith(".service")
    }
    return Plan(
        {unit_id: _steps(files, choice, unit, record) for unit_id, unit in sorted(choice.units.items())},
        files.jobs(services),
        guards(files, choice, options, record["scripts"]),
    )


def _steps(files: Files, choice: Choice, unit: units.Unit, record: Record) -> Steps:
    unit_id = unit["Id"]
    masked, kept = files.is_masked(unit_id), record["units"].get(unit_id, {})
    # The mask of a template covers all of its instances.
    wants_mask = choice.masked[unit_id] and units.template_of(unit_id) not in choice.units
    return Steps(
        stop=units.runs(unit),
        links=files.links(unit),
        start_links=files.start_links(unit_id),
        mask=wants_mask and not masked,
        unmask=masked and not wants_mask and bool(kept.get("masked_here")),
        masked=masked,
    )


def guards(
    files: Files, choice: Choice, options: Mapping[str, Any], scripts_before: Optional[Sequence[str]]
) -> Dict[str, str]:
    """Return the files that keep services from starting when they are installed later, as texts by path.

    `scripts_before` are the units with an init script when the first lockdown began, None if this is the first one.
    """
    if not options["guard_installs"]:
        return {}
    started = [*options["started"], *options["workers"], *options["protected"]]
    # The worker's queue may start if there is a worker.
    started += options["worker_needs"] if choice.workers or options["worker_expected"] else []
    scripts = files.scripts()
    before = scripts if scripts_before is None else scripts_before
    known = [*protection.STARTED, *started]
    allowed = [
        unit
        for unit in scripts
        if unit not in choice.named
        and (unit in before or units.matches(unit, known) or protection.protection([unit], (), ()))
    ]
    guarded = [unit for unit in _START_THEMSELVES if unit in choice.named]
    return lockdown_files.guards(protection.preset(started), allowed, guarded)
