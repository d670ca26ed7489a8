# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the crashes of workers."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import crashes

UPTIME = 100000.0
# As arch/x86, arm64, powerpc and riscv print them, by dmesg -r or from /dev/kmsg.
LINES = [
    "<6>[99990.123456] ruby[4711]: segfault at 7f00 ip 00007f11 sp 00007ffd error 4 in libruby.so.3.1[7f11+2d0000]",
    "<6>[99990.123456][ T4711] ruby[4711]: segfault at 0 ip 00007f11 sp 00007ffd error 4 in ruby3.1[55+2d0] likely",
    "6,1234,99990123456,-;traps: ruby[4711] general protection fault ip:7f11 sp:7ffd error:0 in libc.so.6[7f11+155000]",
    "6,1234,99990123456,-,caller=T4711;traps: ruby[4711] trap invalid opcode ip:7f11 sp:7ffd error:0 in ruby[40+1]",
    "<6>[99990.123456] ruby[4711] general protection ip:7f11 sp:7ffd error:0 in libc-2.17.so[7f11+1b8000]",
    "<6>[99990.123456] ruby[4711]: unhandled level 2 translation fault (11) at 0x0, esr 0x9, in libruby.so[ff+1]",
    "<6>[99990.123456] ruby[4711]: segfault (11) at 0 nip 1234 lr 1234 code 1 in libruby.so.3.1[7f11+2d0000]",
    "<6>[99990.123456] ruby[4711]: unhandled signal 11 code 0x1 at 0x0000000000000000 in libruby.so.3.1[3f+2d0000]",
    "<6>[99990.123456] ucrawler.rb:213[4711]: segfault at 0 ip 7f11 sp 7ffd error 4 in libruby.so.3.1[7f11+2d0000]",
]


@pytest.mark.parametrize("line", LINES)
def test_every_kernels_line(line):
    (crash,) = crashes.parse({"dmesg": "one more line\n" + line + "\n"}, UPTIME)
    assert crash.pid == 4711
    assert crash.age == pytest.approx(9.876544)
    assert crashes.count("sidekiq", ["ruby"], [crash], (), UPTIME, 0).number == 1


def test_the_anchors_find_every_line():
    assert all(any(anchor in line for anchor in crashes.ANCHORS) for line in LINES)


def test_crashes_of_long_ago_and_of_other_programs_do_not_count():
    assert crashes.parse({"dmesg": LINES[0].replace("99990", "90000")}, UPTIME) == []
    assert crashes.parse({"dmesg": LINES[0]}, None) == []
    other = crashes.parse({"dmesg": LINES[0].replace("ruby", "chrome")}, UPTIME)
    assert len(other) == 1
    assert crashes.count("sidekiq", ["ruby"], other, (), UPTIME, 0) is None


def test_an_oom_kill_is_no_crash():
    line = "<3>[99990.123456] Out of memory: Killed process 4711 (ruby) total-vm:1kB, anon-rss:1kB, file-rss:0kB"
    assert crashes.parse({"dmesg": line}, UPTIME) == []


def test_the_message_names_the_last():
    found = crashes.parse(
        {"dmesg": "\n".join([LINES[0], LINES[0].replace("99990", "99999").replace("4711", "4712")])}, UPTIME
    )
    counted = crashes.count("sidekiq", ["ruby"], found, (), UPTIME, 0)
    assert counted == (2, "sidekiq has crashed 2 times in the last hour, last ruby (pid 4712)")


@pytest.mark.parametrize(
    "quoted", ["tmpfs: Unknown parameter '{}'", "process '/tmp/dir/{}' started with executable stack"]
)
@pytest.mark.parametrize("head", ["4,1,900500000,-;", "<4>[  900.500000] "])
def test_what_the_kernel_quotes_of_a_user_is_no_crash(head, quoted):
    line = head + quoted.format("ruby[77]: segfault at 0 ip 0 sp 0 error 4 in libruby.so.3.1[7f]") + "\n"
    assert crashes.parse({"dmesg": line}, 1000) == []


def test_the_name_of_a_crashed_thread_can_be_printed():
    line = "<6>[  900.500000] ruby\x1b[2J[77]: segfault at 0 ip 0 sp 0 error 4 in libruby.so.3.1[7f]\n"
    assert [crash.name for crash in crashes.parse({"dmesg": line}, 1000)] == [r"ruby\x1b[2J"]
