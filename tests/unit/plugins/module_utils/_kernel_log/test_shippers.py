# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages out of JSON."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.lines import from_text
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.shippers import (
    from_json,
    loads,
    shipped_at,
    shipped_line,
    to_number,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.stamps import Clock

CLOCK = Clock(1795300000)


def one(entry):
    (record,) = from_json(entry, CLOCK, from_text)
    return record.text, record.uptime, record.epoch, record.program


@pytest.mark.parametrize(
    ("text", "value"),
    [('{"a": 1}', {"a": 1}), ('"\\xff"', "\\xff"), ("{", None), ("[" * 100000, None), ("", None)],
)
def test_json_that_may_be_damaged(text, value):
    assert loads(text) == value


@pytest.mark.parametrize(
    ("value", "number"),
    [(1, 1.0), ("2.5", 2.5), ("x", None), (None, None), ([], None), ("nan", None), ("inf", None), (10**400, None)],
)
def test_numbers(value, number):
    assert to_number(value) == number


def test_the_journal():
    entry = {"MESSAGE": "m", "_TRANSPORT": "kernel", "__REALTIME_TIMESTAMP": "2500000"}
    assert one(entry) == ("m", None, 2.5, None)
    assert one({**entry, "_SOURCE_MONOTONIC_TIMESTAMP": "1500000"}) == ("m", 1.5, 2.5, None)
    assert one({**entry, "MESSAGE": [109, 255]}) == ("m\\xff", None, 2.5, None)
    assert from_json({**entry, "MESSAGE": [{"x": 1}]}, CLOCK, from_text) == []
    assert from_json({**entry, "MESSAGE": None}, CLOCK, from_text) == []


@pytest.mark.parametrize(
    ("fields", "program"),
    [
        ({"_TRANSPORT": "stdout", "SYSLOG_IDENTIFIER": "npd"}, "npd"),
        ({"_TRANSPORT": "syslog", "_COMM": "logger"}, "logger"),
        ({"_TRANSPORT": "journal"}, "?"),
        ({"SYSLOG_IDENTIFIER": "npd"}, "npd"),
        ({"SYSLOG_IDENTIFIER": "kernel"}, None),
        ({"_TRANSPORT": "kernel", "SYSLOG_FACILITY": "3"}, "?"),
        ({}, None),
    ],
)
def test_the_program_that_wrote_a_message_of_the_journal(fields, program):
    assert one({"MESSAGE": "m", **fields})[3] == program


def test_dmesg():
    assert one({"dmesg": [{"pri": 3, "time": 1.5, "msg": "m"}]}) == ("m", 1.5, None, None)
    assert one({"dmesg": [{"pri": 11, "time": 1.5, "msg": "m"}]}) == ("m", 1.5, None, "?")
    assert one({"msg": "m", "time": "1.5", "fac": "user"}) == ("m", 1.5, None, "?")


def test_a_log_shipper():
    entry = {"@timestamp": "2026-11-20T22:20:29Z", "event": {"original": {"message": "kernel: m\n"}}}
    assert one(entry) == ("m", None, 1795213229, None)
    assert shipped_line(entry) == "kernel: m"
    assert shipped_at(entry, CLOCK) == 1795213229


@pytest.mark.parametrize("entry", [None, 7, [], {"MESSAGE": "m"}, {"msg": "m", "time": 1.5}, {"log": "two\nlines"}, {}])
def test_an_object_that_is_no_shipped_line(entry):
    assert shipped_line(entry) is None


def test_nothing_but_objects_has_records():
    assert from_json("x", CLOCK, from_text) == from_json([], CLOCK, from_text) == from_json({}, CLOCK, from_text) == []
