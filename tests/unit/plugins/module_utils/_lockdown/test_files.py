# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown import files as lockdown_files
from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown.files import UNITS, FilesError

VENDOR = "/lib/systemd/system/"


@pytest.fixture
def link(root):
    """Return a function that makes a link of a path and a target."""

    def make(path, target):
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    return make


def listed(root):
    return {
        path.relative_to(root).as_posix(): os.readlink(path) if path.is_symlink() else None
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def unit(name, *names, fragment=None):
    return {"Id": name, "Names": [name, *names], "FragmentPath": fragment or VENDOR + name}


def test_links_are_found_by_name_by_alias_and_by_target(root, files, link):
    (root / (VENDOR + "redis-server.service").lstrip("/")).write_text("")
    link(UNITS + "/multi-user.target.wants/redis-server.service", VENDOR + "redis-server.service")
    link(UNITS + "/redis.service", VENDOR + "redis-server.service")
    link(UNITS + "/queue.service", "../../../lib/systemd/system/redis-server.service")
    link(UNITS + "/multi-user.target.wants/other.service", VENDOR + "other.service")
    link(UNITS + "/redis-server.service.d/x.conf", "/dev/null")
    assert sorted(files.links(unit("redis-server.service", "redis.service"))) == [
        UNITS + "/multi-user.target.wants/redis-server.service",
        UNITS + "/queue.service",
        UNITS + "/redis.service",
    ]


def test_a_template_has_the_links_of_its_instances(files, link):
    for instance in ("many@a.service", "many@b.c.service", "manyother@a.service", "many@a.socket"):
        link(f"{UNITS}/multi-user.target.wants/{instance}", VENDOR + "many@.service")
    assert sorted(files.links(unit("many@.service"))) == [
        UNITS + "/multi-user.target.wants/many@a.service",
        UNITS + "/multi-user.target.wants/many@b.c.service",
    ]


def test_links_come_back_exactly_as_they_were(root, files, link):
    link(UNITS + "/multi-user.target.wants/a.service", VENDOR + "a.service")
    before, links = listed(root), files.links(unit("a.service"))
    files.remove_links(links)
    assert listed(root) == {}
    files.put_back_links(links)
    files.put_back_links(links)
    assert listed(root) == before


def test_links_of_an_init_script_are_disabled_and_enabled_again(root, files, link):
    (root / "etc/init.d/exim4").write_text("")
    for folder in ("rc2.d", "rc3.d"):
        link(f"/etc/{folder}/S01exim4", "../init.d/exim4")
    link("/etc/rc0.d/K01exim4", "../init.d/exim4")
    link("/etc/rc2.d/S01exim4-other", "../init.d/exim4-other")
    before, start = listed(root), files.start_links("exim4.service")
    assert sorted(start) == ["/etc/rc2.d/S01exim4", "/etc/rc3.d/S01exim4"]
    files.disable_script(start)
    assert files.start_links("exim4.service") == {}
    assert os.readlink(root / "etc/rc2.d/K99exim4") == "../init.d/exim4"
    files.enable_script(start)
    assert listed(root) == before


def test_a_mask_puts_the_units_own_file_aside_and_brings_it_back(root, files):
    own = root / (UNITS + "/own.service").lstrip("/")
    own.write_text("[Service]\n")
    kept = files.mask("own.service")
    assert files.is_masked("own.service")
    assert os.readlink(own) == "/dev/null"
    files.unmask("own.service", kept)
    assert own.read_text() == "[Service]\n"
    assert not files.is_masked("own.service")


def test_a_mask_of_a_vendors_unit_is_only_a_link(root, files):
    assert files.mask("varnish.service") is None
    assert files.is_masked("varnish.service")
    files.unmask("varnish.service", None)
    files.unmask("varnish.service", None)
    assert listed(root) == {}


def test_unmasking_never_overwrites_a_new_file(root, files):
    own = root / (UNITS + "/own.service").lstrip("/")
    own.write_text("old")
    kept = files.mask("own.service")
    own.unlink()
    own.write_text("new")
    files.unmask("own.service", kept)
    assert own.read_text() == "new"


def test_a_job_of_cron_is_put_aside_where_cron_does_not_look(root, files):
    (root / "etc/cron.d/sendmail").write_text("* * * * * root true\n")
    assert files.jobs({"apache2", "sendmail"}) == ["/etc/cron.d/sendmail"]
    kept = files.keep_job("/etc/cron.d/sendmail")
    assert files.jobs({"sendmail"}) == []
    files.put_back_job("/etc/cron.d/sendmail", kept)
    assert (root / "etc/cron.d/sendmail").read_text() == "* * * * * root true\n"


def test_the_record_is_kept_and_forgotten(root, files):
    record = files.load()
    assert record == {"units": {}, "cron": {}, "scripts": None}
    assert not files.is_recorded()
    record["units"]["a.service"] = {"active": True}
    files.save(record)
    assert files.load() == record
    assert (root / (lockdown_files.STORE + "/state.json").lstrip("/")).stat().st_mode & 0o777 == 0o600
    files.forget()
    assert listed(root) == {}
    assert not (root / "var/lib/lifeline").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "{}", '{"units": {}}', "\x00"])
def test_a_broken_record_is_never_overwritten(root, files, text):
    files.save(files.load())
    (root / (lockdown_files.STORE + "/state.json").lstrip("/")).write_text(text)
    with pytest.raises(FilesError, match="state.json"):
        files.load()


def test_the_guards_are_found_again_and_leave_nothing(root, files):
    wanted = lockdown_files.guards("disable *\n", ["old.service"], ["sendmail.service"])
    for path, text in wanted.items():
        files.write(path, text)
    assert files.ours() == wanted
    for path in wanted:
        files.remove(path)
    assert listed(root) == {}
    assert os.listdir(root / UNITS.lstrip("/")) == []
