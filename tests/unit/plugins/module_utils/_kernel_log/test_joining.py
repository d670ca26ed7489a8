# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that go on with the message of the line before."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.joining import Layout, joined
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record


def join(text, line, width=200, **layout):
    last = Record(text)
    shape = Layout(["x" * width])
    for key, value in layout.items():
        setattr(shape, key, value)
    return joined(last, line, shape)


@pytest.mark.parametrize(
    ("text", "line", "whole"),
    [
        ("Out of memory: Killed", "process 7 (x)", "Out of memory: Killed process 7 (x)"),
        ("Killed process 7 (x) total-vm:9kB,", "anon-rss:8kB", "Killed process 7 (x) total-vm:9kB, anon-rss:8kB"),
        ("Kill process 7 (x)", "score 9 or sacrifice child", "Kill process 7 (x) score 9 or sacrifice child"),
        ("ruby", "invoked oom-killer: gfp_mask=0x0", "ruby invoked oom-killer: gfp_mask=0x0"),
        (
            "oom-kill:constraint=CONSTRAINT_NONE,",
            "nodemask=(null)",
            "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null)",
        ),
    ],
)
def test_a_message_that_was_broken_at_a_blank(text, line, whole):
    assert join(text, line) == whole


def test_a_name_with_a_line_break():
    assert join("Killed process 7 (line", "        break) total-vm:9kB", indent=8) == (
        "Killed process 7 (line\nbreak) total-vm:9kB"
    )


def test_a_message_of_several_lines():
    assert join("Mem-Info:", "               active_anon:1", indent=15) == "Mem-Info:\nactive_anon:1"


def test_a_message_that_a_terminal_broke_at_its_width():
    assert join("a" * 70 + "anon-rs", "s:8kB", width=80, wrapped=True, before=80, indent=3).endswith("anon-rss:8kB")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Killed process 7 (x) total-vm:9kB", "oom_reaper: reaped process 7 (x)"),
        ("Out of memory: Killed", "Killed process 8 (y)"),
        ("eth0: link up", "and then it hung"),
    ],
)
def test_a_line_that_is_a_message_of_its_own(text, line):
    assert join(text, line) is None
