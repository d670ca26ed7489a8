# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of a rescue in a real shell, with a fake systemctl."""

from __future__ import annotations

import inspect
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import commands
from paths import ROOT

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


def test_signals_reach_a_worker_whose_unit_has_an_escaped_name(run, tmp_path):
    name = r"app-a\x2db.service"
    (tmp_path / "59").mkdir()
    (tmp_path / "59" / "cgroup").write_text(f"0::/system.slice/{name}\n")
    text = commands.restart_worker(name, [59], [("TSTP", [59])], named=True)
    text = 'kill() { echo "kill $*"; }; ' + text.replace("/proc/$p", f"{tmp_path}/$p").replace("sleep 1", "sleep 0")
    done, said = run(text, unit(name, group=f"/system.slice/{name}"))
    assert (len(done), said) == (1, "kill -TSTP 59\n")
    assert run(text, unit(name, group="/system.slice/app-a?x2db.service"))[1] == ""


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
        commands.given("svc -t /service/sidekiq", [("TSTP", [5])]),
        commands.end([5], [("TSTP", [5])], force=False),
        commands.CLEAN_PACKAGES,
        commands.SHORTEN_JOURNAL,
    ):
        assert not {"'", "\n"} & set(command)
        assert command.count("!") == command.count("!=")


def test_a_name_that_systemd_escapes_reaches_it_as_it_is(run):
    name = r"dev\x2dtools@a.service"
    assert run(commands.restart(name), unit(name))[0] == [f"--no-block restart -- {name}"]


@pytest.mark.parametrize(
    "command", ['echo "$HOME" `echo a`; echo $((1+1)) \\\\', "echo a; }", "echo a &", 'echo "', "(", "{"]
)
def test_the_inventory_s_command_cannot_leave_its_own_shell(run, command):
    said = run(commands.given(command) + "; echo after", "")[1]
    assert "after\n" in said
    if "HOME" in command:
        assert said == f"{os.environ['HOME']} a\n2 \\\nafter\n"


@pytest.mark.parametrize("command", ["echo 'a'", "a\nb", "wow!", "a\0b"])
def test_a_command_that_a_login_shell_would_change_is_refused(command):
    with pytest.raises(SettingsError, match="^restart_command: not one line without single quotes and !"):
        commands.given(command)


def test_only_a_process_that_calls_itself_sidekiq_is_ended(run, tmp_path):
    titles = {"sidekiq 7.3.2 app [0 of 5 busy]": -15, "ruby other": None}
    for title, code in titles.items():
        with subprocess.Popen(["bash", "-c", f"exec -a '{title}' sleep 60"]) as process:
            while not pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes().startswith(title.encode()):
                pass
            try:
                run(commands.end([process.pid], (), force=False), "")
                if code is None:
                    assert process.poll() is None
                    run(commands.end([process.pid], (), force=True), "")
                    assert process.poll() is None
                else:
                    assert process.wait(30) == code
            finally:
                process.kill()


def test_what_a_person_can_type_names_the_processes():
    assert commands.by_hand([59, 60]) == "kill -TSTP 59 60; sleep 1; kill -TERM 59 60"


QUIET = [("TSTP", [59]), ("USR1", [60])]
# All that the functions of the file return, with what stands for a unit's and a worker's name in the documentation.
ALL = {
    "restart": [commands.restart("UNIT.service")],
    "reload": [commands.reload("UNIT.service")],
    "start": [commands.start("UNIT.service")],
    "restart_worker": [commands.restart_worker("UNIT.service", [59], QUIET, named) for named in (True, False)],
    "kill_worker": [commands.kill_worker("UNIT.service", [59], named) for named in (True, False)],
    "monit": [commands.monit(verb, "NAME") for verb in ("start", "restart")],
    "resume": [commands.resume("NAME")],
    "given": [commands.given("COMMAND", QUIET)],
    "end": [commands.end([59], QUIET, force) for force in (False, True)],
}
CONSTANTS = [commands.CLEAN_PACKAGES, commands.SHORTEN_JOURNAL]
# Commands that change nothing: words of the shell, and those that only read.
HARMLESS = {
    "for",
    "do",
    "done",
    "case",
    "esac",
    "if",
    "then",
    "else",
    "fi",
    "while",
    "read",
    "break",
    "echo",
    "sleep",
    "[",
    "in",
}
WORDS = re.compile(r"^(?:(?:if|then|else|do|while|[A-Za-z]+=\S*|IFS=:) +)+")


def programs(text):
    """Return the commands in a line of the shell, with a process's number as the documentation writes it."""
    found = set()
    for part in re.split(r";|\$\(|\)", text):
        words = WORDS.sub("", part.strip())
        if words and words.split()[0] not in HARMLESS and re.match(r"[a-z/]", words) and " " in words:
            found.add(words.replace("UNIT.service", "UNIT").replace("$p", "PID"))
    return found


def test_the_documentation_lists_every_command_that_a_rescue_may_run():
    public = {
        name
        for name, value in vars(commands).items()
        if inspect.isfunction(value) and value.__module__ == commands.__name__ and name[0] != "_"
    }
    assert public - {"is_service", "is_name", "by_hand"} == set(ALL)
    run = set().union(*(programs(text) for texts in ALL.values() for text in texts), CONSTANTS)
    reads = {"grep -qs given_up /run/lifeline/watchdog/NAME"}
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    table = text.partition("### What a rescue may run")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    listed = {command for cell in cells for command in re.findall("`([^`]+)`", cell)}
    assert {command for command in listed if not command.startswith("logger ")} == run - reads


def test_the_action_runs_nothing_besides_but_a_note_in_the_log():
    source = (ROOT / "plugins" / "action" / "rescue.py").read_text(encoding="utf-8")
    assert re.findall(r"shell\.run\((.*)\)", source) == ["self, script"]
    (script,) = re.findall(r"script = f\"(.*)\"", source)
    assert script == "{{ PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin; {{ {step.command}; }} 2>&1; {log}; }}"
    (log,) = re.findall(r"log = f'(.*)'", source)
    assert 'logger -p daemon.warning -t lifeline-rescue -- "{name}"' in log
    steps = (ROOT / "plugins" / "plugin_utils" / "_rescue" / "plan.py").read_text(encoding="utf-8")
    assert not re.search(r"systemctl|kill -|apt-get|journalctl|sh -c", steps)
