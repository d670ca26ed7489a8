# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single messages of the OOM killer."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import messages

HEAD = "oom-kill:constraint=CONSTRAINT_"
SUMMARY = HEAD + "%s,nodemask=(null),cpuset=/,mems_allowed=0,%s,task_memcg=%s,task=%s,pid=7,uid=9"


def killed(text):
    match = messages.KILLED.search(text)
    return messages.killed(text, match, len(text)) if match else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            (
                "Killed process 7 (a b) total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:1kB, UID:9 "
                "pgtables:5kB oom_score_adj:-6"
            ),
            messages.Victim(7, "a b", None, 9, None, -6, 4096, 3072, 2048, 1024, 5120, True),
        ),
        (
            "Killed process 7, UID 9, (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB",
            messages.Victim(7, "x", None, 9, None, None, 4096, 3072, 2048, sized=True),
        ),
        (
            "Killed process 7 (x), UID 9, total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:1kB",
            messages.Victim(7, "x", None, 9, None, None, 4096, 3072, 2048, 1024, sized=True),
        ),
        (
            "Killed process 7 (x) vsz:4kB, anon-rss:3kB, file-rss:2kB",
            messages.Victim(7, "x", None, None, None, None, 4096, 3072, 2048, sized=True),
        ),
        (
            "OOM killed process 7 (x) score 12 vm:4kB, rss:3kB, swap:1kB",
            messages.Victim(7, "x", score=12, total_vm_bytes=4096, sized=True),
        ),
        ("Killed process 7 (x).", messages.Victim(7, "x", plain_end=True)),
        ("Killed process 7 (x) and 3 others", messages.Victim(7, "x")),
        ("Killed process 7 (lin", messages.Victim(7, cut_name="lin")),
        ("Killed process 7 ((paren)) total-vm:4kB", messages.Victim(7, "(paren)", total_vm_bytes=4096, sized=True)),
        ("Killed process 7 by hand", None),
        ("Killed process x (y)", None),
    ],
)
def test_a_killed_process(text, expected):
    assert killed(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            SUMMARY % ("MEMCG", "oom_memcg=/a", "/a/b", "x"),
            messages.Summary("CONSTRAINT_MEMCG", "/a", "/a/b", False, 7, "x", 9),
        ),
        (
            SUMMARY % ("NONE", "global_oom", "/b", "x,pid=1,uid=2"),
            messages.Summary("CONSTRAINT_NONE", None, "/b", True, 7, "x,pid=1,uid=2", 9),
        ),
        (
            HEAD + "MEMCG,oom_memcg=/a/b",
            messages.Summary("CONSTRAINT_MEMCG", cut_memcg="/a/b"),
        ),
        (
            HEAD + "MEMCG,oom_memcg=/a,task_memcg=/b",
            messages.Summary("CONSTRAINT_MEMCG", "/a", cut_task_memcg="/b"),
        ),
        (HEAD + "NEW,global_oom", messages.Summary(None, None, None, True)),
        ("oom-kill:constraint=", messages.Summary(None, None, None, False)),
    ],
)
def test_a_summary(text, expected):
    assert messages.summary("x " + text, 2) == expected


@pytest.mark.parametrize(
    ("text", "path"),
    [("/a/b: ", "/a/b:"), ("/a/b", "/a/b"), ("/a/b>", None), ("", None), ("/a  x", "/a"), ('/a"', "/a")],
)
def test_a_cgroups_path(text, path):
    assert messages.cgroup_path(text) == path


@pytest.mark.parametrize(
    ("text", "path"), [("/a/b>", "/a/b"), ("/a/b…", "/a/b"), ("/a/b...", "/a/b"), ("/a/b", "/a/b"), ("", None)]
)
def test_the_beginning_of_a_path_that_was_cut(text, path):
    assert messages.cut_path(text) == path


def test_rows_of_the_table():
    text = "[ 4274]   453  4275      428      288    20480        0          -100 dnsmasq"
    assert messages.is_row(text)
    assert list(messages.rows(text)) == [messages.Row(4274, 453, 4275, text[22:].lstrip())]
    assert not messages.is_row("[ 4274] eth0 is up")


@pytest.mark.parametrize(
    ("front", "program", "expected"),
    [
        ("", None, (None, True)),
        ("Out of memory: ", None, ("out of memory", True)),
        ("Memory cgroup out of memory: ", None, ("memory cgroup out of memory", True)),
        ("No available memory (MPOL_BIND): ", None, ("no available memory (mpol_bind)", True)),
        ("", "logger", (None, False)),
        ("systemd[1]: ", None, (None, False)),
        ("myapp: ", None, (None, False)),
        ("warning: ", None, (None, True)),
    ],
)
def test_the_reason_and_whether_the_kernel_gives_it(front, program, expected):
    record = Record(front + "Killed process 7 (x)", program=program)
    assert messages.Speaker(record).reason(len(front)) == expected


def test_a_tag_is_for_its_line_only():
    lines = [
        "Killed process 1 (x)",
        "npd[7]: saw Killed process 2 (x) and Killed process 3 (x)",
        "Killed process 4 (x)",
    ]
    text = "\n".join(lines)
    speaker = messages.Speaker(Record(text))
    starts = [match.start() for match in messages.KILLED.finditer(text)]
    assert [speaker.reason(start)[1] for start in starts] == [True, False, False, True]


@pytest.mark.parametrize(
    ("before", "name"),
    [
        ("ruby", "ruby"),
        ("Web Content", "Web Content"),
        ("host app kernel: ruby", "ruby"),
        ("something in front ruby", "ruby"),
        ("\\xff\\xfe\\xfd\\xfcname", "\\xff\\xfe\\xfd\\xfcname"),
    ],
)
def test_the_name_of_the_invoker(before, name):
    assert messages.invoker_name(before + " invoked oom-killer", len(before)) == name


def test_a_program_may_quote_the_header():
    text = "npd[6018]: ruby invoked oom-killer"
    assert not messages.invoked_by_kernel(Record(text), text.index(" invoked"))
    assert messages.invoked_by_kernel(Record("ruby invoked oom-killer"), 4)
