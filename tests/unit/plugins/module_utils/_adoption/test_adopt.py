# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test what is refused, kept, taken and given back. The scenario sidekiq_watchdog does the same on a real host."""

from __future__ import annotations

import os

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._adoption import adopt, stop, strays, unit_files

CAPISTRANO = "[Service]\nEnvironment=SECRET=x\nExecStart=/usr/bin/sidekiq\n"
OURS = "# (lifeline.fleet.sidekiq_watchdog)\n[Service]\n"
OVERRIDE = "[Service]\nEnvironment=A=b\nMemoryMax=4G\n"
STRAY = strays.Stray(4711, 1, 0, "/srv/app/current", "tmux", "")


class Host:
    """A host below a folder: `outside` are workers that are found, `ran` are the commands."""

    def __init__(self, root):
        self.root, self.outside, self.ran = root, [], []
        self.shown = "ActiveState=active\nUnitFileState=enabled\n"

    def run(self, argv):
        if "--property=MainPID" not in argv:
            self.ran.append(" ".join(argv))
        return 0, self.shown if "show" in argv else "", ""

    def adoption(self, takeover="refuse", dry=False, **settings):
        worker = {
            "name": "sidekiq",
            "manager": "systemd",
            "app_path": "/srv/app/current",
            "pidfile": "",
            "in_force": {"MemoryMax": "1G", "LimitNOFILE": "16384"},
            **settings,
        }
        return adopt.Adoption([worker], takeover, self.run, dry)

    def write(self, path, text):
        place = self.root + path
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w") as stream:
            stream.write(text)
        return place

    def read(self, path):
        with open(self.root + path) as stream:
            return stream.read()


@pytest.fixture
def host(tmp_path, monkeypatch):
    found = Host(str(tmp_path))
    monkeypatch.setattr(adopt, "STORE", f"{tmp_path}/store")
    monkeypatch.setattr(unit_files, "UNITS", f"{tmp_path}/etc/systemd/system")
    monkeypatch.setattr(unit_files, "FOLDERS", (f"{tmp_path}/etc/systemd/system",))
    real = unit_files.paths
    monkeypatch.setattr(
        unit_files,
        "paths",
        lambda name: [path if path.startswith(str(tmp_path)) else str(tmp_path) + path for path in real(name)],
    )
    monkeypatch.setattr(strays, "of_unit", lambda one, _main, _command: one)
    monkeypatch.setattr(strays, "sources", dict)
    monkeypatch.setattr(strays, "links", dict)
    monkeypatch.setattr(
        strays, "find", lambda *given: [one for one in found.outside if one.kind != "unit" or one.place not in given[3]]
    )
    return found


UNIT = "/etc/systemd/system/sidekiq.service"
DROP_IN = "/etc/systemd/system/sidekiq.service.d/override.conf"


def test_a_bare_host_and_the_role_s_own_files_are_in_no_way(host):
    adoption = host.adoption()
    assert not any(adoption.look().files.values()) and adoption.is_new()
    host.write(UNIT, OURS)
    host.outside = [STRAY._replace(kind="unit", place="sidekiq.service")]
    again = host.adoption()
    seen = again.look()
    assert (seen.files, seen.outside, again.is_new()) == ({"sidekiq": []}, [], False)


def test_all_that_would_be_lost_or_doubled_is_named_at_once(host):
    unit, drop_in = host.write(UNIT, CAPISTRANO), host.write(DROP_IN, OVERRIDE)
    environment = host.write("/etc/default/sidekiq", "REDIS_URL=x\n")
    host.outside = [STRAY]
    with pytest.raises(adopt.AdoptionError) as error:
        host.adoption().look()
    text = str(error.value)
    assert text.startswith("sidekiq_watchdog_takeover: refuse, and this host has its own worker: ")
    for part in ("pid 4711 of user root", unit, environment, f"{drop_in}:3 (MemoryMax=4G) wins", "Nothing was touched"):
        assert part in text
    assert host.ran == []


def test_keep_warns_and_leaves_all(host):
    host.write(UNIT, CAPISTRANO)
    host.outside = [STRAY]
    adoption = host.adoption("keep")
    adoption.look()
    adoption.keep()
    adoption.stop(1)
    assert len(adoption.warnings) == 2 and adoption.warnings[1].endswith("sidekiq.service is not the role's and stays")
    assert adoption.changed == [] and host.ran == []


def test_a_unit_that_stayed_only_loses_the_role_s_limits_by_a_revert(host):
    host.write(UNIT, CAPISTRANO)
    host.adoption("keep").keep()
    limits = host.write(UNIT + ".d/limits.conf", OURS)
    host.adoption("keep").keep()
    host.adoption().revert(adopt.kept_names())
    assert host.read(UNIT) == CAPISTRANO and not os.path.exists(limits)
    assert host.ran == ["systemctl daemon-reload"] and adopt.kept_names() == []


def test_a_unit_that_stayed_can_be_taken_later(host, monkeypatch):
    host.write(UNIT, CAPISTRANO)
    host.adoption("keep").keep()
    host.write(UNIT + ".d/limits.conf", OURS)
    taken(host, monkeypatch, [STRAY._replace(kind="unit", place="sidekiq.service")])
    host.adoption().revert(adopt.kept_names())
    assert host.read(UNIT) == CAPISTRANO and host.ran[-1] == "systemctl start -- sidekiq.service"


def taken(host, monkeypatch, outside):
    """Take a host over as the role does: keep, replace the files, stop."""
    stopped = []

    def stop_all(_self, found, seconds):
        stopped.extend(one.pid for one in found)
        return [stop.Starter(one.kind, one.place, one.uid) for one in found]

    monkeypatch.setattr(stop.Stopping, "stop", stop_all)
    host.outside = outside
    adoption = host.adoption("take")
    adoption.look()
    adoption.keep()
    host.write(UNIT, OURS)
    host.write("/etc/default/sidekiq", OURS)
    adoption.stop(1)
    return adoption, stopped


def test_what_is_taken_is_kept_aside_and_comes_back(host, monkeypatch):
    unit = host.write(UNIT, CAPISTRANO)
    os.chmod(unit, 0o640)
    host.write(DROP_IN, OVERRIDE)
    own = STRAY._replace(pid=5, kind="unit", place="sidekiq.service")
    other = STRAY._replace(pid=6, kind="daemontools", place="/service/sk")
    adoption, stopped = taken(host, monkeypatch, [STRAY, own, other])
    assert stopped == [4711, 5, 6]
    assert host.read(DROP_IN) == OVERRIDE.replace("MemoryMax", "# lifeline.fleet.sidekiq_watchdog: MemoryMax")
    assert unit in adoption.changed

    again = host.adoption("take")
    host.outside = [own]
    again.look()
    again.keep()
    again.stop(1)
    assert again.changed == [], "a second run finds its own unit"

    started = []
    monkeypatch.setattr(
        stop.Stopping, "start", lambda _self, starter: started.append(starter) or starter.kind != "tmux"
    )
    host.ran.clear()
    back = host.adoption()
    back.revert(adopt.kept_names())
    assert (host.read(UNIT), host.read(DROP_IN)) == (CAPISTRANO, OVERRIDE)
    assert os.stat(unit).st_mode & 0o777 == 0o640
    assert not os.path.exists(host.root + "/etc/default/sidekiq") and adopt.kept_names() == []
    assert host.ran == [
        "systemctl disable --now -- sidekiq.service",
        "systemctl daemon-reload",
        "systemctl enable -- sidekiq.service",
        "systemctl start -- sidekiq.service",
    ]
    assert {one.kind for one in started} == {"tmux", "daemontools"}
    assert back.warnings == ["start the worker by hand as before: tmux of user root"]
    host.adoption().revert(adopt.kept_names())


def test_a_worker_on_a_bare_host_is_removed_by_a_revert(host, monkeypatch):
    taken(host, monkeypatch, [])
    host.adoption().revert(adopt.kept_names())
    assert not os.path.exists(host.root + UNIT)
    assert not any("systemctl start" in line for line in host.ran)


def test_a_dry_run_only_tells(host):
    host.write(UNIT, CAPISTRANO)
    host.write(DROP_IN, OVERRIDE)
    host.outside = [STRAY]
    adoption = host.adoption("take", dry=True)
    adoption.keep()
    adoption.stop(1)
    assert len(adoption.changed) == 3 and adoption.changed[2].startswith("stopped pid 4711")
    assert host.ran == [] and host.read(DROP_IN) == OVERRIDE and not os.path.exists(host.root + "/store")


def test_what_systemd_has_in_force_is_asked_and_the_file_that_wins_is_named(host):
    drop_in = host.write(DROP_IN, OVERRIDE)
    host.shown = f"MemoryMax=4294967296\nLimitNOFILE=16384\nDropInPaths={drop_in}\nFragmentPath=\n"
    wrong = "sidekiq.service: MemoryMax is 4294967296 instead of 1G: "
    with pytest.raises(adopt.AdoptionError) as error:
        host.adoption().verify()
    assert str(error.value).startswith(f"{wrong}{drop_in}:3 (MemoryMax=4G) wins; remove that line; or set")
    kept = host.adoption("keep")
    kept.verify()
    assert kept.warnings[0].startswith(wrong)
    host.shown = "MemoryMax=1073741824\nLimitNOFILE=16384\nDropInPaths=\nFragmentPath=\n"
    host.adoption().verify()


def test_the_processes_of_workers_with_other_managers_are_told_apart(host, monkeypatch, tmp_path):
    given = []
    monkeypatch.setattr(strays, "find", lambda *all_given: given.append(all_given[2:]) or [])
    (tmp_path / "pid").write_text("42\n")
    workers = [
        {"name": "a", "manager": "systemd", "app_path": "/srv/a", "pidfile": "", "in_force": {}},
        {"name": "b", "manager": "command", "app_path": "/srv/a", "pidfile": str(tmp_path / "pid"), "in_force": {}},
    ]
    adopt.Adoption(workers, "refuse", host.run, False).look()
    assert given == [(["/srv/a"], ["a.service"], [42])]


def test_damaged_notes_are_named(host):
    host.write("/store/sidekiq/notes.json", "{")
    with pytest.raises(adopt.AdoptionError, match=r"sidekiq/notes.json is damaged \(.*\); restore it from a backup$"):
        adopt.Kept("sidekiq")
