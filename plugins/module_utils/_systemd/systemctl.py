# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run systemctl for a module."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, List, Sequence, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import PROPERTIES, Unit, parse_units, runs

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

# How long the last process of a unit may take to end after SIGKILL.
_KILL_SECONDS = 10


class Systemd:
    """systemctl, called through a module."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module

    def call(self, *argv: str, check: bool = True) -> Tuple[int, str, str]:
        """Return the exit status, output and errors of systemctl. With `check`, the module fails if systemctl does."""
        rc, out, err = self.module.run_command(["systemctl", "--no-pager", *argv], environ_update={"LC_ALL": "C"})
        if check and rc:
            self.module.fail_json(msg=f"systemctl {' '.join(argv[:6])} failed: {err.strip() or out.strip()}")
        return rc, out, err

    def show(self, names: Sequence[str]) -> List[Unit]:
        """Return what systemd knows of each unit, in the order of the names."""
        if not names:
            return []
        out = self.call("show", "--property=" + ",".join(PROPERTIES), "--", *names)[1]
        units = parse_units(out)
        if len(units) != len(names):
            self.module.fail_json(
                msg=f"systemctl show: {len(units)} units in the answer for {len(names)} names ({' '.join(names)})"
            )
        return units

    def loaded(self, patterns: Sequence[str]) -> List[str]:
        """Return the names of the units in systemd's memory that match the patterns."""
        return (
            self._names("list-units", "--all", "--plain", "--no-legend", "--full", "--", *patterns) if patterns else []
        )

    def installed(self, patterns: Sequence[str]) -> List[str]:
        """Return the names of the units with a file that match the patterns."""
        return self._names("list-unit-files", "--no-legend", "--full", "--", *patterns) if patterns else []

    def _names(self, *argv: str) -> List[str]:
        return [line.split()[0] for line in self.call(*argv, check=False)[1].splitlines() if line.split()]

    def reload(self) -> None:
        """Make systemd read its files again."""
        self.call("daemon-reload")

    def stop(self, unit_ids: Sequence[str], seconds: float) -> List[str]:
        """Stop units, all at once, and return those that still run.

        A unit that refuses to stop, or takes longer than `seconds`, is killed.
        """
        if not unit_ids:
            return []
        self.call("stop", "--no-block", "--", *unit_ids, check=False)
        left = self._left(unit_ids, seconds)
        if left:
            self.call("kill", "--signal=SIGKILL", "--", *left, check=False)
            left = self._left(left, _KILL_SECONDS)
        failed = [unit["Id"] for unit in self.show(unit_ids) if unit["ActiveState"] == "failed"]
        if failed:
            # It was stopped on purpose, so it must not stay in the state failed.
            self.call("reset-failed", "--", *failed, check=False)
        return left

    def _left(self, unit_ids: Sequence[str], seconds: float) -> List[str]:
        """Return the units that still run after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            left = [unit["Id"] for unit in self.show(unit_ids) if runs(unit)]
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.1)
