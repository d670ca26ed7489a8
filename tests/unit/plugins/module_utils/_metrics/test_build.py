# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Families from values, values by label, and facts."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._metrics.build import (
    family,
    gauge,
    labelled,
    measure,
    ratio,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics.prometheus import Family


def test_names_have_the_prefix():
    assert family("cpus", "CPUs.", [({}, 2)]) == Family("lifeline_cpus", "gauge", "CPUs.", [({}, 2)])


def test_a_gauge_has_one_sample_without_labels():
    assert gauge("cpus", "CPUs.", None).samples == [({}, None)]
    assert gauge("kills_total", "Kills.", 7, "counter").kind == "counter"


def test_values_by_label():
    assert labelled("load", "Load.", "window", {"1m": 0.5, "5m": None}).samples == [
        ({"window": "1m"}, 0.5),
        ({"window": "5m"}, None),
    ]


@pytest.mark.parametrize(("share", "expected"), [(None, None), (0.0, 0.0), (97.5, 0.975), (100.0, 1.0)])
def test_percent_become_ratios(share, expected):
    assert ratio(share) == expected


def test_a_fact_in_percent_becomes_a_ratio():
    parts = [({"mountpoint": "/"}, {"used_percent": 70.0, "used_bytes": 7})]
    assert measure("disk", "used_percent", "Used.", parts) == Family(
        "lifeline_disk_used_ratio", "gauge", "Used.", [({"mountpoint": "/"}, 0.7)]
    )
    assert measure("disk", "used_bytes", "Used.", parts).name == "lifeline_disk_used_bytes"


def test_a_fact_that_does_not_exist_is_an_error():
    with pytest.raises(KeyError):
        measure("disk", "free_bytes", "Free.", [({}, {"used_bytes": 7})])
