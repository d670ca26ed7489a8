# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which a lockdown acts, what it leaves alone when something fails, and what reverting restores."""

from __future__ import annotations

import os

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown import apply, files as lockdown_files
from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown.apply import Lockdown, LockdownError
from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown.files import FilesError


def tree(root):
    """Return all files and links of a host by path, without the record."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = "/" + path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file() and not name.startswith(lockdown_files.STORE):
            found[name] = path.read_text()
    return found


@pytest.fixture
def web(systemd, root):
    """Return the files of a host with two services: one is enabled in three ways, the other has its own unit file."""
    systemd.add("web.service")
    systemd.enable("web.service")
    systemd.add("own.service")
    (root / lockdown_files.UNITS.lstrip("/") / "own.service").write_text("[Service]\n")
    (root / "etc/cron.d/web").write_text("* * * * * root true\n")
    (root / "etc/init.d/web").write_text("")
    systemd.link("/etc/rc2.d/S03web", "../init.d/web")
    return tree(root)


def test_the_record_is_written_before_anything_is_touched(systemd, files, options, web, root, monkeypatch):
    order = []
    monkeypatch.setattr(files, "save", lambda record: order.append("save"))
    for name in ("keep_job", "remove_links", "disable_script", "mask"):
        monkeypatch.setattr(files, name, lambda *_arguments, name=name: order.append(name))
    monkeypatch.setattr(systemd, "stop", lambda *_arguments: order.append("stop") or ["web.service"])
    with pytest.raises(LockdownError):
        Lockdown(systemd, files, options("web", masked=True)).lock()
    assert order == ["save", "keep_job", "stop"]


def test_a_unit_is_stopped_disabled_and_masked_and_its_job_put_aside(systemd, files, options, web, root):
    lockdown = Lockdown(systemd, files, options("web", masked=True))
    lockdown.lock()
    assert systemd.calls == ["stop web.service within 100 s", "daemon-reload"]
    assert lockdown.summary.changes == ["web.service: stopped, disabled, masked", "/etc/cron.d/web: put aside"]
    after = tree(root)
    assert after["/etc/systemd/system/web.service"] == "/dev/null"
    assert after["/etc/rc2.d/K97web"] == "../init.d/web"
    assert not {
        "/etc/cron.d/web",
        "/etc/rc2.d/S03web",
        "/etc/systemd/system/multi-user.target.wants/web.service",
    } & set(after)


def test_the_second_run_changes_nothing(systemd, files, options, web):
    Lockdown(systemd, files, options("web")).lock()
    del systemd.calls[:]
    again = Lockdown(systemd, files, options("web"))
    again.lock()
    assert (again.summary.changes, systemd.calls, again.touched) == ([], [], False)


def test_reverting_restores_files_and_starts_what_ran(systemd, files, options, web, root):
    Lockdown(systemd, files, options("web", "own", masked=True, guard_installs=True)).lock()
    assert tree(root) != web
    del systemd.calls[:]
    lockdown = Lockdown(systemd, files, options())
    lockdown.revert()
    assert tree(root) == web
    assert systemd.calls == ["daemon-reload", "daemon-reload", "start own.service web.service"]
    assert (
        "web.service: put back" in lockdown.summary.changes and "/etc/cron.d/web: put back" in lockdown.summary.changes
    )
    assert not files.is_recorded()


def test_reverting_starts_sockets_before_services(systemd, files, options):
    systemd.add("a.service", TriggeredBy="z.socket")
    systemd.add("z.socket", Triggers="a.service")
    Lockdown(systemd, files, options("a")).lock()
    Lockdown(systemd, files, options()).revert()
    assert systemd.calls[-1] == "start z.socket a.service"


def test_a_unit_that_is_uninstalled_by_now_stays_off(systemd, files, options, web, root):
    Lockdown(systemd, files, options("web", "own")).lock()
    del systemd.units["web.service"]
    Lockdown(systemd, files, options()).revert()
    assert systemd.calls[-1] == "start own.service"
    assert "/etc/systemd/system/multi-user.target.wants/web.service" not in tree(root)


def test_a_unit_that_does_not_start_again_is_named(systemd, files, options, web):
    Lockdown(systemd, files, options("web", "own")).lock()
    systemd.broken.add("own.service")
    with pytest.raises(LockdownError) as raised:
        Lockdown(systemd, files, options()).revert()
    assert str(raised.value) == (
        "the previous state is restored, but own.service did not start: Job for own.service failed."
    )
    assert files.is_recorded()


@pytest.mark.parametrize("verb", ["lock", "revert"])
def test_check_mode_reports_and_touches_nothing(systemd, files, options, web, root, verb):
    if verb == "revert":
        Lockdown(systemd, files, options("web", masked=True)).lock()
    before = tree(root)
    del systemd.calls[:]
    lockdown = Lockdown(systemd, files, options("web", masked=True), check_mode=True)
    getattr(lockdown, verb)()
    assert lockdown.summary.changes and not lockdown.touched
    assert systemd.calls == [] and tree(root) == before
    assert files.is_recorded() is (verb == "revert")


def test_a_unit_that_cannot_be_stopped_stays_enabled_and_the_record_is_kept(systemd, files, options, web, root):
    systemd.undying.add("web.service")
    with pytest.raises(LockdownError) as raised:
        Lockdown(systemd, files, options("web", "own", masked=True)).lock()
    assert str(raised.value) == (
        "still running after SIGKILL: web.service; nothing was disabled, and the record of the previous state is kept"
    )
    assert "/etc/systemd/system/multi-user.target.wants/web.service" in tree(root)
    assert files.load()["units"]["web.service"]["active"] is True


def test_how_a_unit_was_at_first_is_never_overwritten(systemd, files, options, web):
    Lockdown(systemd, files, options("web")).lock()
    first = files.load()["units"]["web.service"]
    Lockdown(systemd, files, options("web", masked=True)).lock()
    assert files.load()["units"]["web.service"] == {**first, "masked_here": True}
    Lockdown(systemd, files, options("web")).lock()
    assert files.load()["units"]["web.service"] == first


def test_what_is_protected_touches_nothing(systemd, files, options, root):
    systemd.add("ssh.service")
    before = tree(root)
    with pytest.raises(LockdownError) as raised:
        Lockdown(systemd, files, options("ssh")).lock()
    assert str(raised.value) == "stopped: ssh may not be stopped: it is the way in; nothing was changed"
    assert tree(root) == before and not files.is_recorded()


def test_a_record_that_cannot_be_written_touches_nothing(systemd, files, options, web, root, monkeypatch):
    def full(_path, _text, _mode=0o644):
        raise FilesError("/var/lib/x cannot be written (No space left on device)")

    monkeypatch.setattr(files, "write", full)
    lockdown = Lockdown(systemd, files, options("web"))
    with pytest.raises(FilesError, match="No space left"):
        lockdown.lock()
    assert not lockdown.touched and systemd.calls == [] and tree(root) == web


def test_a_unit_that_something_else_starts_again_is_named(systemd, files, options, web, monkeypatch):
    monkeypatch.setattr(systemd, "stop", lambda *_arguments: [])
    with pytest.raises(
        LockdownError,
        match="^the units were stopped, but not all stayed so: web.service was started again by something",
    ):
        Lockdown(systemd, files, options("web")).lock()


def test_the_lock_is_held_by_one_run_at_a_time(tmp_path):
    path = str(tmp_path / "lock")
    with apply.take_lock(path, 0), pytest.raises(LockdownError) as raised:
        apply.take_lock(path, 0)
    assert str(raised.value) == "another run has held the lock on this host for more than 0 s; nothing was changed"
    os.chmod(path, 0o644)
    apply.take_lock(path, 0).close()
    assert os.stat(path).st_mode & 0o777 == 0o600
