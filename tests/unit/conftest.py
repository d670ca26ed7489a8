# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide recorded hosts for the tests: a host is a folder of text files, and its sources are their paths and texts."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from ansible_collections.lifeline.fleet.plugins.module_utils._reader import decode
from paths import BOXES

# The time of an example depends on the machine, not on the parsers.
settings.register_profile("lifeline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lifeline")


def recorded(name):
    """Return the sources of a recorded host. Files in folders become absolute paths."""
    sources = {}
    for path in sorted((BOXES / name).rglob("*")):
        if path.is_file():
            relative = path.relative_to(BOXES / name).as_posix()
            sources["/" + relative if "/" in relative else relative] = decode(path.read_bytes())
    return sources


@pytest.fixture
def box():
    """Return a function that returns the sources of a recorded host by its name."""
    return recorded
