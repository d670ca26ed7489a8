# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts that the whole playbook ran on."""

from __future__ import annotations

import pathlib

import boxes as lab
import pytest

SCENARIO = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def boxes():
    return lab.of_set("crawler")


@pytest.fixture
def play():
    """Return a function that plays the playbook on hosts, and returns whether it succeeded and its output."""

    def run(*boxes, tags=(), **variables):
        return lab.play(
            SCENARIO / "converge.yml",
            [box.name for box in boxes],
            variables,
            *(["--tags", ",".join(tags)] if tags else []),
        )

    return run
