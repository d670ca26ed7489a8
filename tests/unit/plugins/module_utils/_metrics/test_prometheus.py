# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text format of Prometheus."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._metrics import prometheus
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics.prometheus import Family


def test_values_labels_and_help_are_escaped():
    families = [
        Family("a_bytes", "gauge", "One \\ and\ntwo.", [({}, 1 << 40)]),
        Family(
            "b_ratio",
            "gauge",
            "Shares.",
            [({"mountpoint": '/a "b"\\c\nd'}, 0.1), ({"mountpoint": "/\u00e9"}, 0.0), ({"mountpoint": "/x"}, None)],
        ),
        Family("c_total", "counter", "Yes or no.", [({}, True)]),
        Family("d", "gauge", "Unknown.", [({}, None)]),
    ]
    assert prometheus.text(families) == (
        "# HELP a_bytes One \\\\ and\\ntwo.\n# TYPE a_bytes gauge\na_bytes 1099511627776\n"
        "# HELP b_ratio Shares.\n# TYPE b_ratio gauge\n"
        'b_ratio{mountpoint="/a \\"b\\"\\\\c\\nd"} 0.1\nb_ratio{mountpoint="/\u00e9"} 0.0\n'
        "# HELP c_total Yes or no.\n# TYPE c_total counter\nc_total 1\n"
    )


def test_a_label_cannot_add_a_series():
    text = prometheus.text([Family("a", "gauge", "A.", [({"process": 'x"} 1\nb{process="y'}, 1)])])
    assert text.splitlines()[2:] == ['a{process="x\\"} 1\\nb{process=\\"y"} 1']


def test_families_without_a_known_value_are_left_out():
    assert prometheus.text([Family("a", "gauge", "A.", []), Family("b", "gauge", "B.", [({}, None)])]) == ""


def test_two_samples_of_one_series_are_an_error():
    with pytest.raises(ValueError, match=r'two samples of the series a\{b="c"\}'):
        prometheus.text([Family("a", "gauge", "A.", [({"b": "c"}, 1), ({"b": "c"}, 2)])])
