# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of the journal over several lines."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.blocks import items

CURSOR = "Fri 2026-11-20 22:20:29.123456 UTC [s=4f;i=2a;b=9c;m=12;t=5f5e100;x=7]"


def read(text):
    return list(items(text.split("\n")))


def test_lines_of_text_are_left_alone():
    text = '[1.000001] a\n{\nKEY=value\n  }\n\n SUBSYSTEM=usb\n"x": 1'
    assert read(text) == text.split("\n")


def test_json_pretty():
    assert read('{\n\t"MESSAGE" : "a {",\n\t"_PID" : "7"\n}\n{\n\t"MESSAGE" : [\n\t\t97\n\t]\n}') == [
        {"MESSAGE": "a {", "_PID": "7"},
        {"MESSAGE": [97]},
    ]


def test_objects_of_others_stay_lines():
    text = '{\n"dmesg": [\n{\n"msg": "a"\n}\n]\n}'
    assert read(text) == text.split("\n")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('{\n"MESSAGE" : "a",\n"_TRANSPORT" : "ker', {"MESSAGE": "a", "_TRANSPORT": "ker"}),
        ('"MESSAGE" : "a",\n"_PID" : "7"\n}', {"MESSAGE": "a", "_PID": "7"}),
    ],
)
def test_json_pretty_that_was_cut(text, fields):
    assert [item for item in read(text) if isinstance(item, dict)] == [fields]


def test_an_object_that_was_cut_does_not_hide_the_next_one():
    assert [item for item in read('{\n"MESSAGE" : "a",\n{\n"MESSAGE" : "b"\n}') if isinstance(item, dict)] == [
        {"MESSAGE": "a"},
        {"MESSAGE": "b"},
    ]


def test_json_pretty_that_was_searched():
    assert read('\t"MESSAGE" : "a",\n\t"MESSAGE" : "b",') == [{"MESSAGE": "a"}, {"MESSAGE": "b"}]


def test_verbose():
    text = (
        f"{CURSOR}\n    _TRANSPORT=kernel\n    MESSAGE=a\n            _TRANSPORT=b\n    _PID=7\n{CURSOR}\n    MESSAGE=b"
    )
    assert read(text) == [
        {
            "__REALTIME_TIMESTAMP": "100000000",
            "_TRANSPORT": "kernel",
            "MESSAGE": "a\n_TRANSPORT=b",
            "_PID": "7",
        },
        {"__REALTIME_TIMESTAMP": "100000000", "MESSAGE": "b"},
    ]


def test_a_cursor_without_fields_is_a_line():
    assert read(CURSOR + "\nMem-Info:") == [CURSOR, "Mem-Info:"]


def test_export():
    assert read("__CURSOR=s=1\nMESSAGE=a\n\nMESSAGE=b\nMESSAGE=c\n") == [
        {"__CURSOR": "s=1", "MESSAGE": "a"},
        "",
        {"MESSAGE": "b"},
        {"MESSAGE": "c"},
        "",
    ]


def test_export_without_a_message_is_none():
    assert read("_TRANSPORT=kernel\n_PID=7") == []


@pytest.mark.parametrize(
    "value", ["a\nb", "x" * 10, "x" * 266, "x" * 300, "caf\\xe9", "\n\n", "MESSAGE=forged\n_PID=1"]
)
def test_export_of_a_value_with_control_characters(value):
    data = value.encode().replace(b"\\xe9", b"\xe9")
    text = (b"MESSAGE\n" + struct.pack("<Q", len(data)) + data + b"\n_PID=7\n").decode("utf-8", "backslashreplace")
    assert read("_TRANSPORT=kernel\n" + text) == [{"_TRANSPORT": "kernel", "MESSAGE": value, "_PID": "7"}, ""]


@pytest.mark.parametrize("data", ["", "abc", "\x05\x00", "\xff" * 8 + "x", "\x05\0\0\0\0\0\0\0ab"])
def test_export_of_a_value_that_was_cut(data):
    found = read("_TRANSPORT=kernel\nMESSAGE\n" + data)
    assert [item for item in found if isinstance(item, dict)] == []


PIECES = [
    "{",
    "}",
    '"MESSAGE" : "a",',
    "MESSAGE=a",
    "    MESSAGE=a",
    "MESSAGE",
    "\x05\0\0\0\0\0\0\0abcde",
    CURSOR,
    "",
    "x",
    "[{",
    "},",
]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=12)), max_size=30))
def test_any_lines(lines):
    for item in items(lines):
        assert isinstance(item, str) or item
