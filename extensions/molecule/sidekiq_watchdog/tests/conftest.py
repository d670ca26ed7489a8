# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts with workers, and what the tests do with them repeatedly."""

from __future__ import annotations

import pathlib
import re

import boxes as lab
import pytest
import yaml

SCENARIO = pathlib.Path(__file__).resolve().parents[1]


class WorkerBox(lab.Box):
    @property
    def several(self):
        """Return whether it has a second worker."""
        return self.suite in ("bookworm", "forky")

    def show(self, key, unit="sidekiq"):
        return self.run(f"systemctl show --value -p {key} {unit}.service")

    def pid(self, unit="sidekiq"):
        return int(self.show("MainPID", unit))

    def noted(self, key, worker="sidekiq"):
        lines = dict(line.split(" ", 1) for line in self.run("sidekiq-watchdog status " + worker).splitlines())
        return lines.get(key)

    def restarts(self, worker="sidekiq"):
        return int(self.noted("restarts", worker) or 0)

    def redis(self, *words):
        return self.run("redis-cli --raw " + " ".join(words))

    def feed(self, *words):
        self.run("cd /srv/app/current && runuser -u app -- ruby feed.rb " + " ".join(map(str, words)))

    def watched(self, worker="sidekiq", yes=True):
        """Wait until monit monitors the worker, or does not: monit follows a command in its next cycle."""
        status = rf"monitoring status +{'Monitored' if yes else 'Not monitored'}$"
        self.wait("monit -B status " + worker, wanted=lambda output: re.search(status, output, re.MULTILINE))

    def health(self):
        inventory = SCENARIO / "vars" / ("several.yml" if self.several else "seed.yml")
        return self.module("health", variables=yaml.safe_load(inventory.read_text()))


@pytest.fixture(scope="session")
def boxes():
    return lab.of_set("sidekiq_watchdog", WorkerBox)


@pytest.fixture
def converge():
    """Return a function that plays the scenario's playbook, and returns whether it succeeded and its output."""

    def run(*boxes, **variables):
        return lab.play(SCENARIO / "converge.yml", [box.name for box in boxes], variables)

    return run


@pytest.fixture
def drop_in(boxes):
    """Return a function that adds lines to the worker's unit on a host until the test ends."""

    def give(box, *lines):
        box.drop_in("sidekiq.service", *lines)

    def take(box):
        box.remove_drop_in("sidekiq.service")
        box.run("systemctl reset-failed sidekiq; systemctl restart sidekiq && sidekiq-watchdog resume sidekiq")

    yield give
    boxes.each(take)
