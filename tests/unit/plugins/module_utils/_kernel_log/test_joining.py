# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that go on with the message of the line before."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.joining import Layout, joined
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record


def join(text, line, width=300, **layout):
    shape = Layout(["x" * width], [True])
    for key, value in layout.items():
        setattr(shape, key, value)
    return joined(Record(text), line, shape)


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


@pytest.mark.parametrize(
    ("text", "line", "whole"),
    [
        ("Worker-31 invoked", "oom-killer: gfp_mask=0x0", "Worker-31 invoked oom-killer: gfp_mask=0x0"),
        ("", "oom-kill:constraint=CONSTRAINT_NONE", "oom-kill:constraint=CONSTRAINT_NONE"),
        ("Killed process 7 (Web", "Content) total-vm:9kB", "Killed process 7 (Web Content) total-vm:9kB"),
        ("[ 7] 1001 7 500000 40000 0 0", "100 ruby", "[ 7] 1001 7 500000 40000 0 0 100 ruby"),
        ("Worker-", "31 invoked oom-killer", "Worker-31 invoked oom-killer"),
    ],
)
def test_a_message_that_a_mail_program_broke(text, line, whole):
    assert join(text, line, mail_width=72, before="x" * 70) == whole


def test_prose_behind_a_kill_without_sizes():
    assert join("Killed process 7 (x)", "(see above) it hung", mail_width=72, before="x" * 70) is None


@pytest.mark.parametrize(
    ("lines", "prefixed", "width"),
    [
        (["a" * 40 + " bbbbbb", "c" * 30 + " ddd", "e" * 44 + " f"], [True, False, True], 47),
        (["a" * 40 + " bbbbbb", "short", "e" * 20 + " ffff", "short"], [True, False, True, False], 0),
        (["a" * 40 + " bbbbbb", "c" * 30 + " ddd"], [True, True], 0),
        (["a" * 40 + " bbbbbb", "c" * 30 + " ddd"], [False, False], 0),
        ([], [], 0),
    ],
)
def test_the_width_of_a_mail(lines, prefixed, width):
    assert Layout(lines, prefixed).mail_width == width


def test_a_name_with_a_line_break():
    assert join("Killed process 7 (line", "        break) total-vm:9kB", indent=8) == (
        "Killed process 7 (line\nbreak) total-vm:9kB"
    )


def test_a_message_of_several_lines():
    assert join("Mem-Info:", "               active_anon:1", indent=15) == "Mem-Info:\nactive_anon:1"


def test_a_message_that_a_terminal_broke_at_its_width():
    assert join("a" * 70 + "anon-rs", "s:8kB", width=80, wrapped=True, before="x" * 80, indent=3).endswith(
        "anon-rss:8kB"
    )


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
