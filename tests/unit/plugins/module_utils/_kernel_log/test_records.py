# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of JSON and of text, and of both."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.records import records
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.stamps import Clock


def told(text, clock=None):
    return [(record.text, record.uptime, record.epoch, record.program) for record in records(text, clock)]


def test_text():
    assert told("[1.000001] a\n[2.000001] b") == [("a", 1.000001, None, None), ("b", 2.000001, None, None)]


def test_the_boots_time_turns_uptimes_into_times():
    assert told("[1.500000] a", Clock(boot_time=1000)) == [("a", 1.5, 1001.5, None)]


def test_an_object_per_line():
    line = '{"MESSAGE": "%s", "_TRANSPORT": "%s", "__REALTIME_TIMESTAMP": "%d000000"}\n'
    assert told(line % ("a", "kernel", 1) + line % ("b", "stdout", 2)) == [("a", None, 1, None), ("b", None, 2, "?")]


def test_an_object_behind_a_prefix():
    assert told('h: {"log": "kernel: a"}') == [("a", None, None, None)]


def test_objects_of_dmesg_over_several_lines():
    text = """{
   "dmesg": [
      {
         "pri": 3,
         "time": 1.500000,
         "msg": "a"
      },{
         "pri": 11,
         "time": 2.500000,
         "msg": "b"
      }
   ]
}"""
    assert [item for item in told(text) if len(item[0]) == 1 and item[1]] == [
        ("a", 1.5, None, None),
        ("b", 2.5, None, "?"),
    ]


def test_a_log_inside_a_string():
    assert told("[1.000001] a\\n[2.000001] b\\n[3.000001] c\\n")[:3] == [
        ("a", 1.000001, None, None),
        ("b", 2.000001, None, None),
        ("c", 3.000001, None, None),
    ]


def test_nothing():
    assert records("") == []
