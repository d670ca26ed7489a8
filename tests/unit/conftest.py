# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded boxes for the tests: a box is a folder of text files, and its sources are their paths and texts."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from ansible_collections.lifeline.fleet.plugins.module_utils._reader import decode
from paths import BOXES

# How long an example takes says something about the machine, and nothing about the parsers.
settings.register_profile("lifeline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lifeline")


def recorded(name):
    """The sources of the box recorded under V(name): names of files that stand in a folder are absolute paths."""
    sources = {}
    for path in sorted((BOXES / name).rglob("*")):
        if path.is_file():
            relative = path.relative_to(BOXES / name).as_posix()
            sources["/" + relative if "/" in relative else relative] = decode(path.read_bytes())
    return sources


@pytest.fixture
def box():
    """A function from a recorded box's name to its sources."""
    return recorded
