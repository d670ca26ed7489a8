# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of a log of text."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.lines import LONGEST_LINE, from_text
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.stamps import Clock

CLOCK = Clock(1795300000)


def texts(text):
    return [record.text for record in from_text(text, CLOCK)]


def test_one_record_per_line():
    assert texts("[1.000001] a\n\n--\n[2.000001] b\r\n") == ["a", "b"]


def test_marks_in_front_of_every_line_are_removed():
    assert texts("> Mem-Info:\n> Call Trace:\n") == ["Mem-Info:", "Call Trace:"]
    assert texts("app_1  | Mem-Info:\napp_1  | Call Trace:\n") == ["Mem-Info:", "Call Trace:"]


def test_colours_are_removed():
    assert texts("\x1b[32m[    1.000001] \x1b[0mMem-Info:") == ["Mem-Info:"]


def test_escapes_of_the_buffer_and_of_rsyslog_are_decoded():
    assert texts("3,1,5,-;a\\x0ab\n") == ["a\nb"]
    assert texts("Nov 20 22:20:29 h kernel: a#012b\n") == ["a\nb"]


def test_fields_of_the_buffer_are_no_messages():
    assert texts("6,1,5,-;usb 1-1\n SUBSYSTEM=usb\n DEVICE=c189:1\n") == ["usb 1-1"]


def test_two_messages_in_a_line_are_two_records():
    found = from_text("[1.000001] eth0: up[2.000001] Out of memory: Killed process 7 (x)", CLOCK)
    assert [(record.uptime, record.text) for record in found] == [
        (1.000001, "eth0: up"),
        (2.000001, "Out of memory: Killed process 7 (x)"),
    ]


def test_a_host_without_a_tag_behind_it_is_removed():
    lines = ["Mem-Info:", "Out of memory: Killed process 7 (x)", "Node 0 hugepages_total=0"]
    assert texts("".join(f"Nov 20 22:20:29 web1 {line}\n" for line in lines)) == lines


def test_a_shippers_time_is_used_if_the_line_has_none():
    found = from_text("Mem-Info:\nNov 20 22:20:29 h kernel: x", CLOCK, {0: 5.0, 1: 6.0})
    assert [record.epoch for record in found] == [5.0, 1795213229]


def test_a_long_line_is_cut():
    assert len(texts("x" * (LONGEST_LINE + 5))[0]) == LONGEST_LINE
