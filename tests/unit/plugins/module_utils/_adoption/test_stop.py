# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test that real processes get TSTP and TERM and are never killed, in between what starts them again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._adoption import stop, strays
from ansible_collections.lifeline.fleet.plugins.module_utils._adoption.stop import Starter, StopError, Stopping

# This program notes its signals. It ends after the TERM, unless it should work on.
WORKER = """
import os, signal, sys, time
out, works_on = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT), sys.argv[2] == "on"
end = []
signal.signal(signal.SIGTSTP, lambda *_: os.write(out, b"TSTP "))
signal.signal(signal.SIGTERM, lambda *_: (os.write(out, b"TERM "), end.append(1)))
print("ready", flush=True)
while not end or works_on:
    time.sleep(0.02)
"""


@pytest.fixture
def worker(tmp_path):
    """Return a function that starts a process as a worker, and returns the process and the file with its signals."""
    with contextlib.ExitStack() as stack:

        def start(kind, place="", works_on="off"):
            notes = tmp_path / "signals"
            argv = [sys.executable, "-c", WORKER, str(notes), works_on]
            process = stack.enter_context(subprocess.Popen(argv, stdout=subprocess.PIPE))
            stack.callback(process.kill)
            process.stdout.readline()
            one = strays.Stray(process.pid, strays.started(process.pid), os.getuid(), "/srv/app", kind, place)
            return one, notes

        yield start


class Host:
    """Notes the commands in `ran`; those with a word of `failing` fail."""

    def __init__(self, *failing):
        self.ran, self.failing = [], failing

    def run(self, argv):
        self.ran.append(" ".join(argv))
        return (1, "", "no such service") if set(argv) & set(self.failing) else (0, "", "")

    def stopping(self):
        return Stopping(self.run, lambda seconds: time.sleep(min(seconds, 0.05)))


def test_a_worker_in_a_terminal_gets_tstp_and_then_term(worker):
    host = Host()
    one, notes = worker("tmux")
    assert host.stopping().stop([one], 30) == [Starter("tmux", "", os.getuid())]
    assert notes.read_text() == "TSTP TERM "
    assert not stop.is_there(one) and host.ran == []


@pytest.mark.parametrize(
    ("kind", "program", "letters"),
    [
        ("daemontools", "svc", ("-o", "-d", "-u")),
        ("runit", "sv", ("once", "down", "up")),
        ("s6", "s6-svc", ("-o", "-d", "-u")),
    ],
)
@pytest.mark.skipif(os.geteuid() != 0, reason="the commands of another user begin with setpriv")
def test_a_supervisor_does_not_start_it_again_and_does_so_after_a_revert(kind, program, letters, worker, tmp_path):
    host = Host()
    folder = str(tmp_path)
    one, _notes = worker(kind, folder)
    (starter,) = host.stopping().stop([one], 30)
    hold, off, on = (f"{program} {letter} {folder}" for letter in letters)
    assert [line.partition("-- svc")[2] or line for line in host.ran] == [hold, off, f"touch -- {folder}/down"]
    host.ran.clear()
    assert host.stopping().start(starter)
    assert host.ran == [f"rm -f -- {folder}/down", on]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_in_a_user_s_folder_commands_have_the_user_s_rights_only(worker, tmp_path):
    service = tmp_path / "service"
    service.mkdir()
    os.chown(service, 65534, 65534)
    host = Host()
    host.stopping().stop([worker("daemontools", str(service))[0]], 30)
    assert len(host.ran) == 3
    assert all(line.startswith("setpriv --reuid=65534 --regid=65534 --clear-groups -- ") for line in host.ran)


def test_a_unit_is_kept_from_restarting_until_it_is_stopped_and_disabled(worker, tmp_path, monkeypatch):
    monkeypatch.setattr(stop, "_DROP_IN", str(tmp_path / "%s.d" / "x.conf"))
    host = Host()
    drop_in = tmp_path / "old.service.d" / "x.conf"
    host.run_first = host.run

    def run(argv):
        if argv[1] == "stop":
            assert "Restart=no" in drop_in.read_text()
        return host.run_first(argv)

    host.run = run
    host.stopping().stop([worker("unit", "old.service")[0]], 30)
    assert host.ran == [
        "systemctl daemon-reload",
        "systemctl stop -- old.service",
        "systemctl disable -- old.service",
        "systemctl daemon-reload",
    ]
    assert not drop_in.parent.exists()
    assert host.stopping().start(Starter("unit", "old.service", 0))
    assert host.ran[-1] == "systemctl enable --now -- old.service"


def test_a_user_s_unit_is_asked_of_the_user_s_own_systemd(worker):
    host = Host()
    one, _notes = worker("user unit", "worker.service")
    (starter,) = host.stopping().stop([one], 30)
    prefix = f"--clear-groups -- env XDG_RUNTIME_DIR=/run/user/{os.getuid()} systemctl --user "
    told = [line.split(prefix)[1] for line in host.ran if prefix in line]
    assert told == ["daemon-reload", "disable --now -- worker.service", "daemon-reload"]
    assert host.stopping().start(starter)
    assert host.ran[-1].endswith(prefix + "enable --now -- worker.service")


def test_a_worker_that_still_works_is_named_and_not_killed(worker):
    host = Host()
    one, notes = worker("tmux", works_on="on")
    with pytest.raises(StopError, match=rf"^still has jobs after 0.2 s.*pid {one.pid} .*takeover_seconds$"):
        host.stopping().stop([one], 0.2)
    assert stop.is_there(one) and notes.read_text() == "TSTP TERM "


@pytest.mark.parametrize("kind", ["supervisord", "god", "monit"])
def test_what_would_start_it_again_unasked_is_named_and_nothing_is_stopped(kind, worker):
    one, notes = worker(kind)
    with pytest.raises(StopError, match=rf"stop it by hand: pid {one.pid} .* started by {kind}.*Nothing was stopped$"):
        Host().stopping().stop([one], 30)
    assert stop.is_there(one) and notes.read_text() == ""


def test_a_supervisor_that_does_not_obey_is_an_error_before_any_signal(worker, tmp_path):
    one, notes = worker("daemontools", str(tmp_path))
    with pytest.raises(StopError, match="failed: no such service"):
        Host("svc").stopping().stop([one], 30)
    assert stop.is_there(one) and notes.read_text() == ""
    with pytest.raises(StopError, match="the service's folder is not known"):
        Host().stopping().stop([worker("runit")[0]], 30)


def test_another_process_with_the_same_number_is_left_alone(worker):
    one, notes = worker("tmux")
    other = one._replace(started=one.started - 1)
    Host().stopping().stop([other], 30)
    assert stop.is_there(one) and notes.read_text() == ""


def test_a_terminal_is_told_for_a_start_by_hand():
    starter = Starter("tmux", "", 0)
    assert stop.of_notes(stop.notes([starter])) == [starter]
    assert not Host().stopping().start(starter)
    assert stop.by_hand([starter]) == "tmux of user root"
    assert signal.SIGTSTP != signal.SIGTERM
