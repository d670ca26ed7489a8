# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a host over time."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import states
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History
from histories import NOW, ask, record


def test_state_is_kept_where_it_has_changed(path):
    both = {"package:a": "1", "package:b": "1"}
    record(path, taken=NOW + 100, state={"kernel": "6.1.0", **both}, whole=("package:",))
    record(path, taken=NOW + 200, state={"kernel": "6.1.0", **both}, whole=("package:",))
    record(path, taken=NOW + 300, state={"kernel": "6.1.1"})
    record(path, taken=NOW + 400, state={"package:a": "2", "package:c": "1"}, whole=("package:",))
    last = {"package:b": "1", "package:a": "2", "package:c": "1", "cpus": 2}
    record(path, taken=NOW + 500, state=last, whole=("package:",))
    with History(path) as history:
        assert history.state("web1", NOW + 250) == {"kernel": "6.1.0", **both}
        assert history.state("web1") == {"kernel": "6.1.1", **last}
        changes = [
            (NOW + 300, "kernel", "6.1.0", "6.1.1"),
            (NOW + 400, "package:a", "1", "2"),
            (NOW + 400, "package:b", "1", None),
            (NOW + 400, "package:c", None, "1"),
            (NOW + 500, "package:b", None, "1"),
        ]
        # Packages were not looked for before the first reading, and CPUs not before the last.
        assert history.changes("web1", 0) == changes
        assert history.changes("web1", NOW + 350) == changes[1:]
        assert history.changes("web2", 0) == []
    assert ask(path, "SELECT count(*) FROM states") == [(4 + 1 + 3 + 2,)]


@pytest.mark.parametrize(
    ("before", "rows", "found"),
    [
        ({}, [(5, "kernel", '"1"')], []),
        ({"kernel": '"1"'}, [(5, "kernel", '"2"')], [(5, "kernel", "1", "2")]),
        ({"kernel": '"1"'}, [(5, "kernel", None)], [(5, "kernel", "1", None)]),
        ({"package:": "true"}, [(5, "package:x", '"1"')], [(5, "package:x", None, "1")]),
        # All packages were read for the first time at 5, so those of that reading are not new, and one of the next is.
        ({}, [(5, "package:", "true"), (5, "package:x", "1")], []),
        ({}, [(5, "package:", "true"), (6, "package:y", "1")], [(6, "package:y", None, 1)]),
    ],
)
def test_what_is_a_change(before, rows, found):
    assert states.changes(before, 1, rows) == found


def test_values_leave_out_what_has_gone_and_the_notes_on_prefixes():
    assert states.values({"cpus": "2", "package:": "true", "package:x": None, "os": '"debian"'}) == {
        "cpus": 2,
        "os": "debian",
    }
