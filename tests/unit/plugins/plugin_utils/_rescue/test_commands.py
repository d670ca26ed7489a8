# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of a rescue in a real shell, with a fake systemctl."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import commands

SHELLS = [shell for shell in (["dash"], ["bash"], ["busybox", "ash"]) if shutil.which(shell[0])]
SYSTEMCTL = """#!/bin/sh
case $1 in show) cat {folder}/answer;; *) echo "$@" >> {folder}/done;; esac
"""


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[-1])
def run(request, tmp_path):
    """Return a function that runs a command with an answer of systemctl, and returns the calls and the output."""

    def once(command, answer):
        (tmp_path / "answer").write_text(answer)
        (tmp_path / "done").write_text("")
        for name in ("systemctl", "monit", "sidekiq-watchdog"):
            (tmp_path / name).write_text(SYSTEMCTL.format(folder=tmp_path))
            (tmp_path / name).chmod(0o755)
        done = subprocess.run(
            [*request.param, "-c", "{ " + command + "; }"],
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return (tmp_path / "done").read_text().splitlines(), done.stdout

    return once


def unit(name="crawler.service", main=0, group=""):
    return f"Id={name}\nMainPID={main}\nControlGroup={group}\n"


def own_group():
    with open("/proc/self/cgroup") as stream:
        return stream.read().splitlines()[-1].partition(":")[2].partition(":")[2]


def test_a_service_is_restarted_if_it_is_the_one_that_was_meant(run):
    assert run(commands.restart("a.service"), unit("a.service")) == (["--no-block restart -- a.service"], "")
    done, said = run(commands.restart("a.service"), unit("mysql.service"))
    assert (done, said) == ([], "a.service: systemd knows it as mysql.service: nothing was done\n")
    done, said = run(commands.restart("a.service"), "")
    assert done == []


def test_the_other_commands_ask_as_well(run):
    for command in (commands.start("a.service"), commands.reload("a.service")):
        assert run(command, unit("b.service"))[0] == []
        assert run(command, unit("a.service"))[0][-1].startswith("--no-block ")


@pytest.mark.parametrize("command", [commands.restart_worker, commands.kill_worker])
def test_a_unit_with_another_name_must_have_the_worker_as_its_main_process(run, command):
    text = command("app.service", [59], quiet=[], named=False) if command is commands.restart_worker else None
    text = text or command("app.service", [59], named=False)
    done, said = run(text, unit("app.service", main=70))
    assert (done, said) == ([], "app.service: its main process is 70 now: nothing was done\n")
    assert run(text, unit("app.service", main=5))[0] == []
    assert run(text, unit("other.service", main=59))[0] == []
    assert run(text, unit("app.service", main=59))[0][-1].startswith("--no-block ")


def test_a_kill_is_the_control_groups_and_names_no_process(run):
    text = commands.kill_worker("crawler.service", [1, 59], named=True)
    assert "kill -" not in text.replace("systemctl kill --", "")
    assert run(text, unit())[0] == [
        "kill --signal KILL -- crawler.service",
        "reset-failed -- crawler.service",
        "--no-block start -- crawler.service",
    ]


def test_a_signal_reaches_only_processes_of_the_units_own_control_group(run):
    victim = subprocess.Popen(["sleep", "1000"])
    try:
        text = commands.restart_worker("crawler.service", [victim.pid], [("TSTP", [victim.pid])], named=True)
        for group in ("/system.slice/crawler.service", "", "/", own_group() + "x.service"):
            assert run(text, unit(group=group))[0] == ["--no-block restart -- crawler.service"]
            with open(f"/proc/{victim.pid}/stat") as stream:
                assert stream.read().rpartition(")")[2].split()[0] == "S", group
    finally:
        victim.kill()
        victim.wait()


def test_no_signal_is_for_the_kernel_or_init():
    text = commands.restart_worker("crawler.service", [1], [("TSTP", [0, 1, -1])], named=True)
    assert "for p in ;" in text
    assert "kill -TERM" not in commands.restart_worker("a.service", [5], [("TERM", [5])], named=True)


@pytest.mark.parametrize(
    "name",
    ["", "a", "a b.service", "-x.service", "--host=evil.service", "$(id).service", "a;b.service", "a'.service", 7],
)
def test_what_is_no_service_is_refused(name):
    assert not commands.is_service(name)
    if isinstance(name, str):
        for command in (commands.restart, commands.start, commands.reload):
            with pytest.raises(SettingsError, match="not the name of a service"):
                command(name)


@pytest.mark.parametrize("name", ["", "-x", "a b", "a;b", "$(id)", "../x", "a/b", "a'b"])
def test_what_is_no_name_is_refused(name):
    for command in (commands.resume, lambda name: commands.monit("restart", name)):
        with pytest.raises(SettingsError, match="not a name"):
            command(name)


def test_monit_is_given_no_other_verb():
    assert commands.monit("restart", "sidekiq") == "monit restart sidekiq"
    with pytest.raises(ValueError):
        commands.monit("quit", "sidekiq")


def test_a_worker_is_resumed_only_if_the_watchdog_gave_it_up(run):
    done, said = run(commands.resume("no-such-worker"), "")
    assert (done, said) == ([], "no-such-worker: the watchdog has not given it up: nothing was done\n")


def test_every_command_passes_any_login_shell(run):
    for command in (
        commands.restart(r"dev\x2dtools@a.service"),
        commands.kill_worker("a.service", [5], named=False),
        commands.restart_worker("a.service", [5], [("TSTP", [5])], named=False),
        commands.resume("a"),
        commands.CLEAN_PACKAGES,
        commands.SHORTEN_JOURNAL,
    ):
        assert not {"'", "\n"} & set(command)
        assert command.count("!") == command.count("!=")


def test_a_name_that_systemd_escapes_reaches_it_as_it_is(run):
    name = r"dev\x2dtools@a.service"
    assert run(commands.restart(name), unit(name))[0] == [f"--no-block restart -- {name}"]
