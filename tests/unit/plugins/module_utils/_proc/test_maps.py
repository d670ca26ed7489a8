# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mappings of one name are added up, as pmap does it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import maps

FIELDS = "Size: 100 kB\nRss: {} kB\nPss: 4 kB\nPrivate_Clean: 1 kB\nPrivate_Dirty: 2 kB\nSwap: 3 kB\nVmFlags: rd\n"


def record(name, rss):
    return f"00400000-00452000 r-xp 00000000 08:02 173521      {name}\n" + FIELDS.format(rss)


def test_records_of_one_name_are_one_group():
    assert maps.parse(record("/bin/ruby", 8) + record("/bin/ruby", 4) + record("", 20)) == [
        {
            "name": "[anonymous]",
            "kind": "anonymous",
            "mappings": 1,
            "size_bytes": 102400,
            "rss_bytes": 20480,
            "pss_bytes": 4096,
            "swap_bytes": 3072,
            "private_bytes": 3072,
        },
        {
            "name": "/bin/ruby",
            "kind": "file",
            "mappings": 2,
            "size_bytes": 204800,
            "rss_bytes": 12288,
            "pss_bytes": 8192,
            "swap_bytes": 6144,
            "private_bytes": 6144,
        },
    ]


@pytest.mark.parametrize(
    ("name", "group", "kind"),
    [
        ("", "[anonymous]", "anonymous"),
        ("[anon:malloc arena]", "[anonymous]", "anonymous"),
        ("[anon]", "[anonymous]", "anonymous"),
        ("[heap]", "[heap]", "heap"),
        ("[stack]", "[stack]", "stack"),
        ("[stack:77]", "[stack]", "stack"),
        ("[vdso]", "[vdso]", "kernel"),
        ("/lib/x y.so (deleted)", "/lib/x y.so (deleted)", "file"),
    ],
)
def test_kinds_of_mappings(name, group, kind):
    (found,) = maps.parse(record(name, 4))
    assert (found["name"], found["kind"]) == (group, kind)


def test_fields_before_the_first_mapping_and_broken_ones_are_left_out():
    assert maps.parse("Rss: 4 kB\n") == []
    (found,) = maps.parse(record("/x", 4) + "Rss: many kB\nRss: 9999999999999999 kB\n")
    assert found["rss_bytes"] == 4096


def test_this_process():
    groups = maps.parse(_reader.read("/proc/self/smaps"))
    assert {"heap", "stack", "file", "kernel"} <= {group["kind"] for group in groups}
    assert groups == sorted(groups, key=lambda group: -group["rss_bytes"])


@given(st.text())
def test_no_text_makes_it_raise(text):
    maps.parse(text)
    maps.parse(record("/x", 1) + text)
