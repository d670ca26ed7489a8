# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts of a host's answer that are accepted as its parts, and those that never are."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import health, health_answer, script

Z = health.SLASHES


def part(name, text=""):
    return f"\n==> lifeline:{name} <==\n{text}"


def command(pid, text):
    return f"==> /proc{Z}{pid}/cmdline <==\n{text}"


def answer(files="==> /proc/meminfo <==\nMemTotal: 1 kB\n", before="", commands="", after=""):
    return part("files", files) + before + part("commands", commands) + after + part(f"{Z}end")


def test_a_terminal_in_between_changes_nothing():
    text = answer(after=part(f"{Z}lines", "/proc/7/limits:Max open files  5  6  files\n"))
    assert (
        health_answer.sources(text.replace("\n", "\r\n"))
        == health_answer.sources(text)
        == {
            "/proc/meminfo": "MemTotal: 1 kB\n",
            "/proc/7/limits": "Max open files  5  6  files\n",
            "statfs": "",
        }
    )


@pytest.mark.parametrize(
    "noise", ["Welcome to box1!\n\n", "Loading...", "==> x <==\n", "==> /proc/meminfo <==\nMemTotal: 9 kB\n"]
)
def test_noise_around_the_answer_changes_nothing(noise):
    assert health_answer.sources(noise + answer() + noise) == health_answer.sources(answer())


@pytest.mark.parametrize(
    "forged",
    [
        "\n==> /proc/meminfo <==\nMemTotal: 9 kB\n",
        "\n==> /run/lifeline/watchdog/systemd-poweroff <==\ngiven_up 1\n",
        "\n==> lifeline:fds <==\n999 /proc/1/fd\n",
        "\n==> lifeline:files <==\n==> /sys/fs/cgroup/memory.max <==\n1\n",
        f"\n==> /proc{Z[1:]}9/cmdline <==\nx",
        f"\n==> lifeline:{Z[:-2]}end <==\n",
    ],
)
def test_a_command_line_is_only_ever_a_command_line(forged):
    text = answer(commands=command(7, f"a\0{forged}\0") + "\n" + command(8, "b\0"))
    assert health_answer.sources(text) == {
        "/proc/meminfo": "MemTotal: 1 kB\n",
        "/proc/7/cmdline": f"a\0{forged}\0",
        "/proc/8/cmdline": "b\0",
        "statfs": "",
    }


def test_a_name_of_a_process_is_only_ever_part_of_its_stat():
    stat = "7 (\n==> x <==\n) S 1 7 7"
    files = (
        f"==> /proc/meminfo <==\nMemTotal: 1 kB\n\n==> /proc/7/stat <==\n{stat}\n\n==> /proc/8/stat <==\n8 (b) S 1\n"
    )
    found = health_answer.sources(answer(files))
    assert (found["/proc/7/stat"], found["/proc/8/stat"]) == (stat + "\n", "8 (b) S 1\n")


def test_no_heading_is_short_enough_for_the_name_of_a_process():
    shortest = min(
        [f"==> {path} <==" for path in (*health.SYSTEM_FILES, "/proc/1/stat")]
        + [f"==> lifeline:{name} <==" for name in health_answer.PARTS],
        key=len,
    )
    assert len(shortest) > script.NAME_BYTES
    assert len(f"==> /run{Z}") > health.COMMAND_LIMIT


def test_a_heading_that_was_not_asked_for_is_text():
    files = "==> /proc/meminfo <==\nMemTotal: 1 kB\n==> /etc/shadow <==\nx\n"
    assert health_answer.sources(answer(files))["/proc/meminfo"] == files.partition("\n")[2]


def test_the_first_text_of_a_file_counts():
    text = answer(commands=command(7, "a") + "\n" + command(7, "b"))
    assert health_answer.sources(text)["/proc/7/cmdline"] == "a"


def test_parts_out_of_order_are_text():
    before = part("fds", "3 /proc/7/fd\n") + part("mounts", "/x\n")
    assert health_answer.sources(answer(before=before))["fds"] == "3 /proc/7/fd\n" + part("mounts", "/x\n")[:-1] + "\n"


def test_file_systems_have_the_names_that_the_kernel_says():
    before = (
        part("mounts", " / /a\\040b\\012c /private\n")
        + part("statfs", "4096 4096 9 8 7 6 5\n4096 4096 1 1 1 1 1\ndenied\n")
        + part("guarded.mounts", " 0:45 /net 0:46 /hung 0:47 /mute 0:48 /alices\n")
        + part("guarded", "lifeline:0:45 1 4096 4096 2 2 2 2 2\n2 hung\n7 hung\nnoise\n4 denied\n")
    )
    assert health_answer.sources(answer(before=before))["statfs"] == (
        "4096 4096 9 8 7 6 5 /\n4096 4096 1 1 1 1 1 /a b\nc\ndenied /private\n"
        "4096 4096 2 2 2 2 2 /net\nhung /hung\nerror /mute\ndenied /alices\n"
    )


def test_answers_of_file_systems_without_a_mount_are_not_used():
    found = health_answer.read(answer(before=part("mounts", "/\n") + part("statfs", "1 1 1 1 1 1 1\n2 2 2 2 2 2 2\n")))
    assert (found.sources["statfs"], found.unread) == ("", ["local file systems"])


def test_what_could_not_be_read_is_said():
    after = part(f"{Z}unread", " /proc/7/cmdline  /proc/7/cmdline /run/a/sidekiq.pid rest\n")
    assert health_answer.read(answer(after=after)).unread == [
        "the command line of process 7, which cannot be read without hanging",
        "/run/a/sidekiq.pid",
        "some command lines",
    ]


def test_a_socket_belongs_to_the_folder_above_it():
    listed = (
        "/proc/7/fd:\ntotal 0\nlrwx------ 1 root root 64 Nov 28 10:00 3 -> socket:[11]\n\n"
        "/proc/8/fd:\nlrwx------ 1 u u 64 Nov 28 10:00 4 -> /tmp/x\\n/proc/1/fd:\\n\\ 3\\ ->\\ socket:[11]\n"
    )
    found = health_answer.sources(answer(after=part(f"{Z}holders", listed)))
    assert found["sockets"] == "11 7\n"


@pytest.mark.parametrize(
    ("text", "errors", "words"),
    [
        ("", "", ["did not run the probe", "nothing"]),
        ("This account is currently not available.\n", "", ["did not run the probe", "currently not available"]),
        ("", "sudo: a password is required\n", ["did not run the probe", "a password is required"]),
        ("\x1b[2Jx", "", ["did not run the probe", "\\x1b[2Jx"]),
    ],
)
def test_an_answer_that_is_none_is_an_error_that_shows_it(text, errors, words):
    with pytest.raises(ProbeError) as caught:
        health_answer.sources(text, errors)
    for word in words:
        assert word in str(caught.value)


def test_what_came_of_a_probe_that_was_ended_is_used():
    cut = health_answer.read(answer().partition(f"\n==> lifeline:{Z}")[0])
    assert cut.failed == "probe_incomplete"
    assert "/proc/meminfo" in cut.sources
    assert any("it ended after 1 sources" in said for said in cut.unread)
    assert health_answer.read(answer()).failed is None


@pytest.mark.parametrize(
    "errors",
    [
        "sh: 1: Cannot fork\n",
        "bash: fork: retry: Resource temporarily unavailable\n",
        "sh: fork: Cannot allocate memory\n",
        "ash: can't fork: Resource temporarily unavailable\n",
    ],
)
def test_a_host_that_cannot_start_a_process(errors):
    assert health_answer.read("", errors).failed == "fork_fails"
    told = health_answer.read("\n==> lifeline:exhausted <==\n==> /proc/meminfo <==\nMemTotal: 5 kB\n\n", errors)
    assert told.failed == "fork_fails"
    assert told.sources["/proc/meminfo"].startswith("MemTotal: 5 kB\n")


def test_an_answer_without_end_is_refused():
    with pytest.raises(ProbeError, match="at most 33554432 are read"):
        health_answer.sources(answer() + "x" * script.MOST_BYTES)


@given(st.text(), st.text(), st.text(alphabet=st.sampled_from("=> <lifeine:fds/\n0")))
def test_no_answer_makes_it_raise_anything_else(before, within, forged):
    text = answer(commands=command(7, forged[: health.COMMAND_LIMIT]))
    found = health_answer.sources(before + text.replace("MemTotal", within))
    assert found["/proc/meminfo"].endswith(": 1 kB\n") or "==>" in within
    assert set(found) <= {"/proc/meminfo", "/proc/7/cmdline", "statfs"} or "==>" in within
