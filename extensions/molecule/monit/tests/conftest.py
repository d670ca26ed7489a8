# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide the boxes with monit and the tests' queries."""

from __future__ import annotations

import pathlib
import re

import boxes as lab
import pytest
import yaml

SCENARIO = pathlib.Path(__file__).resolve().parents[1]


class MonitBox(lab.Box):
    @property
    def alternative(self):
        return self.suite in ("bookworm", "forky")

    @property
    def settings(self):
        return yaml.safe_load(
            (SCENARIO / "vars" / ("alternative.yml" if self.alternative else "default.yml")).read_text()
        )

    def checks(self):
        """Return the checks of the running daemon with their states."""
        return dict(re.findall(r"^ (\S+) +(\S.*?)  ", self.run("monit -B summary").partition("Type")[2], re.MULTILINE))

    def watched(self, yes=True):
        """Wait until the daemon monitors all of its checks, or with `yes=False` until one is not monitored."""
        self.wait(
            "monit -B summary", wanted=lambda text: ("Not monitored" not in text and "Initializing" not in text) == yes
        )

    def pid(self):
        return int(self.run("systemctl show --value -p MainPID monit"))

    def reloads(self):
        return int(self.run("journalctl --no-pager -o cat -u monit | grep -c 'Reinitializing Monit' || :"))

    def health(self, **variables):
        return self.module("health", variables={**self.settings, **variables})


@pytest.fixture(scope="session")
def boxes():
    return lab.of_set("monit", MonitBox)


@pytest.fixture
def converge():
    """Return a function that plays the scenario's playbook and returns whether it succeeded and its output."""
    yield from lab.converging(SCENARIO / "converge.yml")
