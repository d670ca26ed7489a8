# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts that evidence leads to, and the files that are kept of it."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import evidence


def test_what_systemd_and_monit_say():
    units = (
        "Id=a.service\nLoadState=loaded\nActiveState=active\nCanReload=yes\nRestart=always\nMainPID=59\n\n"
        "Id=b.service\nLoadState=not-found\nActiveState=inactive\nCanReload=no\n\nId=c.socket\nLoadState=loaded\n"
    )
    monit = (
        "Monit 5.33.0 uptime: 3m\n Service Name                     Status                      Type          \n"
        " sidekiq                          OK                          Process       \n"
        " box                              OK                          System        \n"
    )
    found = evidence.read(
        {},
        {"units": units, "monit": monit, "space": "12\t/var/log/journal\ndu: error\n"},
        [{"name": "a", "pids": []}, {"name": "b", "pids": []}],
    )
    assert found["services"] == {
        "a.service": {"loaded": True, "active": "active", "can_reload": True, "restart": "always", "main_pid": 59},
        "b.service": {"loaded": False, "active": "inactive", "can_reload": False, "restart": None, "main_pid": None},
    }
    assert found["workers"] == {"a.service": "a"}
    assert found["watched"] == ["sidekiq"] and found["space"] == {"/var/log/journal": 12 << 10}


def test_only_deleted_files_with_space_count_and_each_once(box):
    sources = box("debian-12")
    cgroups = "/proc/1/cgroup:0::/init.scope\n/proc/45/cgroup:0::/system.slice/logger.service\n"
    deleted = (
        "0 8 512 801:7 /proc/45/fd/3 /data/a b.log (deleted)\n0 8 512 801:7 /proc/46/fd/3 /data/a b.log (deleted)\n"
        "1 8 512 801:8 /proc/45/fd/4 /data/linked (deleted)\n0 0 512 801:9 /proc/45/fd/5 /data/empty (deleted)\n"
        " /proc/45/fd/6 /data/gone (deleted)\n"
    )
    assert "/proc/47/stat" in sources
    sources["/proc/45/stat"] = sources["/proc/47/stat"]
    found = evidence.read(
        {**sources, "/proc/45/stat": sources["/proc/47/stat"].replace("47", "45", 1)},
        {"cgroups": cgroups, "deleted": deleted},
    )
    assert found["deleted"] == [{"path": "/data/a b.log", "bytes": 4096, "pid": 45, "unit": "logger.service"}]
    assert found["processes"]["45"]["unit"] == "logger.service"


def test_no_name_of_a_part_leaves_the_archive():
    members = evidence.members({"/sys/fs/cgroup/../../../etc/x": "text"}, {"proc/../../y": ""}, {"box": "b1"})
    assert not [name for name in members if name.startswith("/") or ".." in name.split("/")]


def services(**main_pids):
    return {
        "units": "\n\n".join(f"Id={name}.service\nLoadState=loaded\nMainPID={pid}\n" for name, pid in main_pids.items())
    }


def owned(box, unit, named=None, with_pidfile=(), main=47):
    """Return the units that belong to the worker if its process, 47, runs in `unit`."""
    sources = {**box("debian-12"), "/proc/47/cgroup": f"0::/system.slice/{unit}\n"}
    workers = [{"name": "crawler", "pids": [47]}]
    stem = unit.partition(".")[0]
    return evidence.read(sources, services(**{stem: main}), workers, with_pidfile)["workers"]


def test_a_unit_is_the_workers_own_by_its_name_or_its_main_process(box):
    assert owned(box, "crawler.service", main=5) == {"crawler.service": "crawler"}
    assert owned(box, "app.service") == {"app.service": "crawler"}
    assert owned(box, "cron.service", main=12) == {}
    assert owned(box, "session-3.scope") == {}


def test_a_pidfile_makes_no_other_unit_the_workers_own(box):
    assert owned(box, "exim4.service", with_pidfile=["crawler"]) == {}
    assert owned(box, "crawler.service", with_pidfile=["crawler"], main=5) == {"crawler.service": "crawler"}


def test_names_of_files_in_the_archive_can_be_printed():
    assert set(evidence.members({}, {"a\x1b[2J/\x9b": "x"}, {})) == {
        "about.json",
        "processes.txt",
        r"a\x1b[2J/\x9b",
    }


def test_only_what_systemd_calls_a_service_is_one():
    said = "".join(
        f"Id={name}\nMainPID=7\n\n" for name in ("a@b\\x2dc.service", "a\x1b.service", "a b.service", ".service")
    )
    assert set(evidence.read({}, {"units": said})["services"]) == {"a@b\\x2dc.service"}
