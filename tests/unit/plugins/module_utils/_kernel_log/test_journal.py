# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the journal through a program that behaves like some journalctl, and the kernel's buffer."""

from __future__ import annotations

import stat

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log import journal
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import facts as oom_facts
from paths import BOXES

LOG = str(BOXES.resolve() / "oomlogs" / "L10_journal_json.log")


def journalctl(folder, script):
    """Return the path of a program that behaves like some journalctl."""
    path = folder / "journalctl"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_journal_with_a_search_of_its_own(tmp_path):
    program = journalctl(tmp_path, f'cat "{LOG}"\n')
    text, reason = journal.read_journal(program=program)
    assert reason is None
    assert oom_facts.parse({"journal": text}, now=1795300000)["kills_in_log"] == 10


@pytest.mark.parametrize(
    "complaint", ["Compiled without pattern matching support", "journalctl: unrecognized option '--output-fields=x'"]
)
def test_journal_of_an_older_systemd(tmp_path, complaint):
    script = 'case "$*" in *-g*|*output-fields*) echo "%s" >&2; exit 1;; esac\ncat "%s"\n'
    text, reason = journal.read_journal(program=journalctl(tmp_path, script % (complaint, LOG)))
    assert reason is None
    assert oom_facts.parse({"journal": text}, now=1795300000)["kills_in_log"] == 10


def test_journal_that_cannot_be_read(tmp_path):
    missing = str(tmp_path / "none")
    assert journal.read_journal(program=missing) == (None, missing + ": no such file or directory")
    hint = "Hint: You are currently not seeing messages from other users and the system."
    text, reason = journal.read_journal(program=journalctl(tmp_path, f"echo '{hint}' >&2\n"))
    assert (text, reason) == (None, hint)
    text, reason = journal.read_journal(program=journalctl(tmp_path, f"echo '{hint}' >&2\ncat '{LOG}'\n"))
    assert reason == hint
    assert oom_facts.parse({"journal": text}, now=1795300000)["kills_in_log"] == 10
    text, reason = journal.read_journal(program=journalctl(tmp_path, "exec sleep 30\n"), timeout=0.2)
    assert (text, reason) == (None, "journalctl took longer than 0 seconds")


def test_journal_without_entries(tmp_path):
    assert journal.read_journal(program=journalctl(tmp_path, "exit 1\n")) == ("", None)


def test_journal_that_knows_no_option_at_all(tmp_path):
    program = journalctl(tmp_path, "echo 'unknown option' >&2; exit 1\n")
    assert journal.read_journal(program=program) == (None, "unknown option")


def test_messages_of_an_hour_before_are_asked_for(tmp_path):
    program = journalctl(tmp_path, f'printf "%s\\n" "$@" >> "{tmp_path}/asked"\n')
    journal.read_journal(since=1795300000.7, program=program)
    assert "--since=@1795296400" in (tmp_path / "asked").read_text().splitlines()


def test_the_kernels_buffer(tmp_path):
    path = tmp_path / "kmsg"
    path.write_bytes(b"3,4,5000000,-;caf\xe9\n")
    assert journal.read_kmsg(str(path)) == ("3,4,5000000,-;caf\\xe9\n", None)
    assert journal.read_kmsg(str(tmp_path / "none")) == (None, "no such file or directory")
    assert journal.read_kmsg(str(tmp_path)) == (None, "is a directory")
