# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide the boxes to rescue and a function that plays the playbook."""

from __future__ import annotations

import json
import pathlib

import boxes as lab
import pytest

PLAYBOOKS = pathlib.Path(__file__).resolve().parents[4] / "playbooks"


class DyingBox(lab.Box):
    @property
    def kind(self):
        """Return the box's fault, present or past."""
        return self.variables["lab_kind"]

    def pid(self, unit="sidekiq"):
        return int(self.run(f"systemctl show --value -p MainPID {unit}.service"))

    def leak(self):
        """Make the worker leak again until the box has almost no memory left."""
        self.run("systemctl stop sidekiq; rm /run/sidekiq/settled; redis-cli flushall && systemctl start sidekiq")
        self.wait("test -e /run/sidekiq/settled")

    def available(self):
        return self.module("health")["ansible_facts"]["lifeline_memory"]["limit_available_bytes"]


@pytest.fixture(scope="session")
def boxes():
    return lab.of_set("rescue", DyingBox)


@pytest.fixture
def rescue(tmp_path):
    """Return a function that plays the playbook and returns its success, its output, its archives and its log."""

    def run(*some, options=(), **variables):
        folder = tmp_path / "evidence"
        variables = {"lifeline_rescue_share": 100, "lifeline_rescue_evidence": str(folder), **variables}
        succeeded, output = lab.play(
            PLAYBOOKS / "rescue.yml",
            [box.name for box in some],
            {"lifeline_rescue_hosts": "rescue", **variables},
            *options,
        )
        log = folder / "rescue.log"
        events = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return succeeded, output, sorted(folder.glob("*.tar.gz")), events

    return run
