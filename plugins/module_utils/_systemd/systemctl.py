# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module asks of systemd, and what it tells it."""

from __future__ import annotations

import time

from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import PROPERTIES, parse_units, runs

# After it was told to kill, systemd has this long to see the last process go.
_KILL_SECONDS = 10


class Systemd:
    """systemctl, by way of a module."""

    def __init__(self, module):
        self.module = module

    def call(self, *argv, check=True):
        rc, out, err = self.module.run_command(["systemctl", "--no-pager", *argv], environ_update={"LC_ALL": "C"})
        if check and rc:
            self.module.fail_json(msg=f"systemctl {' '.join(argv[:6])} failed: {err.strip() or out.strip()}")
        return rc, out, err

    def show(self, names):
        """What systemd knows of each of V(names), in their order."""
        if not names:
            return []
        out = self.call("show", "--property=" + ",".join(PROPERTIES), "--", *names)[1]
        units = parse_units(out)
        if len(units) != len(names):
            self.module.fail_json(
                msg=f"systemctl show told of {len(units)} units where it was asked for {' '.join(names)}"
            )
        return units

    def loaded(self, patterns):
        """The units in systemd's memory that V(patterns) fit."""
        return (
            self._names("list-units", "--all", "--plain", "--no-legend", "--full", "--", *patterns) if patterns else []
        )

    def installed(self, patterns):
        """The units with a file that V(patterns) fit."""
        return self._names("list-unit-files", "--no-legend", "--full", "--", *patterns) if patterns else []

    def _names(self, *argv):
        return [line.split()[0] for line in self.call(*argv, check=False)[1].splitlines() if line.split()]

    def reload(self):
        self.call("daemon-reload")

    def stop(self, unit_ids, seconds):
        """Stop units, all at once, and say which are still there. What does not go in time, or refuses to, is killed."""
        if not unit_ids:
            return []
        self.call("stop", "--no-block", "--", *unit_ids, check=False)
        left = self._left(unit_ids, seconds)
        if left:
            self.call("kill", "--signal=SIGKILL", "--", *left, check=False)
            left = self._left(left, _KILL_SECONDS)
        failed = [unit["Id"] for unit in self.show(unit_ids) if unit["ActiveState"] == "failed"]
        if failed:
            # That it did not go quietly is no failure of this box any more.
            self.call("reset-failed", "--", *failed, check=False)
        return left

    def _left(self, unit_ids, seconds):
        """The units that still run when the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            left = [unit["Id"] for unit in self.show(unit_ids) if runs(unit)]
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.1)
