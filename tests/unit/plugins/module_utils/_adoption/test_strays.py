# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test which processes are workers outside the unit, and what has started them."""

from __future__ import annotations

import os

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._adoption import strays

APP = "/srv/app/current"


def process(pid, ppid, name, command, cgroup="/user.slice/session-1.scope", environ=""):
    numbers = " ".join(["0"] * 30)
    stat = f"{pid} ({name}) S {ppid} 1 1 0 -1 4194304 0 0 0 0 5 5 0 0 20 0 5 0 {pid}00 1000 100 {numbers}"
    return {
        f"/proc/{pid}/stat": stat,
        f"/proc/{pid}/cmdline": command.replace(" ", "\0"),
        f"/proc/{pid}/cgroup": f"0::{cgroup}\n",
        f"/proc/{pid}/environ": environ,
    }


def found(*processes, folders=None, applications=(APP,), own_units=("sidekiq.service",), own=()):
    sources = {"/proc/1/cgroup": "0::/init.scope\n"}
    places = {}
    for number, one in enumerate(processes):
        sources.update(one)
        pid = int(next(iter(one)).split("/")[2])
        places[pid] = (folders or {}).get(pid, APP if number == len(processes) - 1 else "/")
    return strays.find(sources, places, applications, own_units, own)


SIDEKIQ = "sidekiq 7.3.2 app [1 of 5 busy]"


@pytest.mark.parametrize(
    ("parent", "cgroup", "kind", "place"),
    [
        (("supervise", "supervise sk"), "/", "daemontools", "/service/sk"),
        (("runsv", "runsv sk"), "/system.slice/runit.service", "runit", "/service/sk"),
        (("s6-supervise", "s6-supervise sk"), "/system.slice/s6.service", "s6", "/service/sk"),
        (("tmux: server", "tmux"), "/user.slice/user-0.slice/session-3.scope", "tmux", ""),
        (("SCREEN", "SCREEN"), "/user.slice/user-0.slice/session-3.scope", "screen", ""),
        (("supervisord", "python supervisord"), "/system.slice/supervisor.service", "supervisord", ""),
        (("bash", "-bash"), "/system.slice/old-worker.service", "unit", "old-worker.service"),
        (("bash", "-bash"), "/system.slice/system-sidekiq.slice/sidekiq@1.service", "unit", "sidekiq@1.service"),
        (
            ("systemd", "systemd --user"),
            "/user.slice/user-7.slice/user@7.service/app.slice/worker.service",
            "user unit",
            "worker.service",
        ),
        (("monit", "monit"), "/system.slice/monit.service", "monit", ""),
        (("cron", "cron -f"), "/system.slice/cron.service", "cron", ""),
        (("x", "x"), "/system.slice/ssh.service", "an unknown program", ""),
    ],
)
def test_what_has_started_a_worker_is_told(parent, cgroup, kind, place, monkeypatch):
    monkeypatch.setattr(strays, "_may_supervise", lambda pid, folder: (pid, folder) == (10, "/service/sk"))
    above = process(10, 1, *parent, cgroup=cgroup)
    (one,) = found(above, process(11, 10, "ruby", SIDEKIQ, cgroup), folders={10: "/service/sk", 11: APP})
    assert (one.pid, one.started, one.kind, one.place) == (11, 1100, kind, place)
    assert "pid 11 of user " in one.told() and (place or kind) in one.told()


@pytest.mark.parametrize(
    ("folder", "environ", "is_one"),
    [
        (APP, "", True),
        (APP + "/tmp", "", True),
        ("/srv/app/releases/20160101", "", True),
        ("/srv/app/releases/20160101 (deleted)", "", True),
        ("/srv/app/currently", "", False),
        ("/srv/other/current", "", False),
        ("/", "PWD=/\0BUNDLE_GEMFILE=/srv/app/current/Gemfile\0", True),
        ("/", "BUNDLE_GEMFILE=/srv/other/Gemfile\0", False),
    ],
)
def test_a_worker_belongs_to_the_application_that_it_works_in(folder, environ, is_one):
    assert bool(found(process(11, 1, "ruby", SIDEKIQ, environ=environ), folders={11: folder})) == is_one


@pytest.mark.parametrize(
    ("command", "is_one"),
    [
        (SIDEKIQ, True),
        ("ruby /usr/bin/sidekiq -e production", True),
        ("/usr/local/rvm/rubies/ruby-2.3.1/bin/ruby bin/bundle exec sidekiq", True),
        ("bash -lc bundle", False),
        ("tail -f log/sidekiq.log", False),
        ("ruby bin/rails console", False),
    ],
)
def test_other_programs_of_the_application_are_left_alone(command, is_one):
    assert bool(found(process(11, 1, "ruby", command))) == is_one


def test_workers_of_the_unit_and_of_other_managers_and_children_are_none():
    unit = "/system.slice/sidekiq.service"
    assert found(process(11, 1, "ruby", SIDEKIQ, unit)) == []
    assert found(process(11, 1, "ruby", SIDEKIQ, unit), own_units=()) != []
    assert found(process(11, 1, "ruby", SIDEKIQ), own=[11]) == []
    parent, child = process(11, 1, "ruby", SIDEKIQ), process(12, 11, "ruby", SIDEKIQ)
    assert [one.pid for one in found(parent, child, folders={11: APP, 12: APP})] == [11]


@pytest.mark.parametrize(
    ("main", "command", "kind"),
    [
        (11, "", "unit"),
        (10, "/bin/sh -c bundle exec sidekiq -e production", "unit"),
        (10, "sidekiq 7.3.2 app [1 of 5 busy] stopping", "unit"),
        (10, "/usr/sbin/apache2 -k start", "a program of apache2.service"),
        (0, "", "a program of apache2.service"),
    ],
)
def test_a_service_whose_program_only_calls_itself_sidekiq_is_not_its_starter(main, command, kind):
    one = strays.Stray(11, 1, 33, APP, "unit", "apache2.service")
    assert strays.of_unit(one, main, command).kind == kind


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_another_user_s_process_is_no_supervisor_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(strays, "_uid", lambda pid: pid)
    assert strays._may_supervise(0, str(tmp_path))
    assert not strays._may_supervise(33, str(tmp_path))
    os.chown(tmp_path, 33, 33)
    assert strays._may_supervise(33, str(tmp_path)) and not strays._may_supervise(34, str(tmp_path))
    assert not strays._may_supervise(33, str(tmp_path / "none"))


def test_text_of_a_process_is_escaped():
    (one,) = found(process(11, 1, "ruby", SIDEKIQ), folders={11: APP + "/\x1b[2J"})
    assert r"\x1b[2J" in one.told()


def test_this_host_is_read():
    assert os.getpid() in strays.links()
    assert f"/proc/{os.getpid()}/stat" in strays.sources()
    assert strays.started(os.getpid()) > 0
    assert strays.started(2**22 + 1) is None
    assert strays.user(0) == "root" and strays.user(2**31 - 9) == str(2**31 - 9)
