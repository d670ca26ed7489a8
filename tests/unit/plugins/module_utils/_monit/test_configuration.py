# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the input of `monit -t`, refused configurations, and the written files; the messages are those of monit 5.33."""

from __future__ import annotations

import hashlib
import os
import pathlib

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._monit.configuration import (
    Configuration,
    ConfigurationError,
    Options,
    revert,
)

CONTROL = "set daemon 10\ninclude {0}/lifeline.d/*\n"
PROCESS = "check process a with pidfile /run/a.pid\n  if totalmem > 300 MB for 3 cycles then alert"


@pytest.fixture
def etc(tmp_path):
    """Return a folder with a control file, a check of ours and one of another owner."""
    folder = tmp_path / "etc"
    (folder / "lifeline.d").mkdir(parents=True)
    for path, text in (
        ("monitrc", CONTROL.format(folder)),
        ("lifeline.d/crawler-old", "x\n"),
        ("lifeline.d/base-s", "y\n"),
    ):
        (folder / path).write_text(text)
        os.chmod(folder / path, 0o600)
    return folder


@pytest.fixture
def configuration(host, etc):
    """Return a function that makes a configuration of checks by name."""

    def make(checks, control=None):
        listed = [{"name": name, "text": text} for name, text in checks.items()]
        options = Options(str(etc / "monitrc"), control, str(etc / "lifeline.d"), "crawler", listed)
        return Configuration(host.commands, options)

    return make


@pytest.fixture
def staged(host):
    """Record what monit is asked about: the text of the control file and of each check."""
    seen = {}

    def look(argv):
        stage = pathlib.Path(argv[-1]).parent
        for path in sorted(stage.rglob("*")):
            if path.is_file():
                assert path.stat().st_mode & 0o777 == (0o755 if path.parent.name == "bin" else 0o600)
                seen[path.relative_to(stage).as_posix()] = path.read_text().replace(str(stage), "STAGE")
        return 0, "Control file syntax OK\n", "New Monit id: 0123\n Stored in '/var/lib/monit/id'\n"

    host.answer("/usr/bin/monit -t", then=look)
    return seen


def test_monit_checks_all_files_as_they_will_be(configuration, staged, host, etc):
    assert configuration({"a": PROCESS}).validate("/usr/bin/monit") == []
    assert staged == {
        "monitrc": "set daemon 10\ninclude STAGE/checks/*\n",
        "checks/base-s": "y\n",
        "checks/crawler-a": PROCESS + "\n",
    }
    assert os.listdir(host.commands.tmpdir) == []
    assert (etc / "lifeline.d/crawler-old").exists()


def test_our_checks_are_written_and_those_no_longer_wanted_removed(configuration, etc):
    config = configuration({"a": PROCESS}, control=CONTROL.format(etc) + "set log /x\n")
    folder = etc / "lifeline.d"
    assert config.files == [f"{folder}/crawler-a"]
    assert config.changed == [f"{folder}/crawler-a", f"{folder}/crawler-old", f"{etc}/monitrc"]
    config.replace()
    assert sorted(os.listdir(folder)) == ["base-s", "crawler-a"]
    assert (folder / "crawler-a").read_text() == PROCESS + "\n"
    assert (folder / "crawler-a").stat().st_mode & 0o777 == 0o600
    again = configuration({"a": PROCESS}, control=CONTROL.format(etc) + "set log /x\n")
    assert again.changed == [] and again.diff() == []


def test_a_file_that_others_may_read_is_a_change(configuration, etc):
    os.chmod(etc / "lifeline.d/crawler-old", 0o644)
    config = configuration({"old": "x"})
    assert config.changed == [f"{etc}/lifeline.d/crawler-old"]
    config.replace()
    assert (etc / "lifeline.d/crawler-old").stat().st_mode & 0o777 == 0o600


def test_the_diff_shows_texts_before_and_after(configuration, etc):
    added, removed = configuration({"a": "b"}).diff()
    assert (added["after_header"], added["before"], added["after"]) == (f"{etc}/lifeline.d/crawler-a", "", "b\n")
    assert (removed["before"], removed["after"]) == ("x\n", "")


def test_a_syntax_error_names_the_check_and_the_line(configuration, host, etc):
    def refuse(argv):
        stage = os.path.dirname(argv[-1])
        return 1, "", f"{stage}/checks/crawler-a:2: syntax error 'MB'\n"

    host.answer("/usr/bin/monit -t", then=refuse)
    with pytest.raises(ConfigurationError) as raised:
        configuration({"a": PROCESS}).validate("/usr/bin/monit")
    assert str(raised.value) == (
        "monit refuses the new configuration, so the old one stays: check a, line 2: syntax error 'MB'"
    )
    assert os.listdir(host.commands.tmpdir) == []


def test_an_error_in_a_file_of_others_names_that_file(configuration, host, etc):
    host.answer(
        "/usr/bin/monit -t",
        then=lambda argv: (1, "", f"{os.path.dirname(argv[-1])}/checks/base-s:1: syntax error 'y'\n"),
    )
    with pytest.raises(ConfigurationError, match=f"{etc}/lifeline.d/base-s:1: syntax error 'y'$"):
        configuration({"a": PROCESS}).validate("/usr/bin/monit")


def test_a_program_that_is_missing_is_refused_although_monit_only_warns(configuration, host):
    warning = "crawler-a:1: Program does not exist: '/usr/bin/none'"
    host.answer(
        "/usr/bin/monit -t",
        then=lambda argv: (0, "Control file syntax OK\n", f"{os.path.dirname(argv[-1])}/checks/{warning}\n"),
    )
    with pytest.raises(ConfigurationError, match="check a, line 1: Program does not exist: '/usr/bin/none'$"):
        configuration({"a": PROCESS}).validate("/usr/bin/monit")


def test_other_warnings_are_returned_and_readable(configuration, host):
    host.answer(
        "/usr/bin/monit -t",
        then=lambda argv: (0, "", f"{os.path.dirname(argv[-1])}/checks/crawler-a:1: Every is deprecated\n"),
    )
    config = configuration({"a": PROCESS})
    (warning,) = config.validate("/usr/bin/monit")
    assert config.readable(warning) == "check a, line 1: Every is deprecated"


@pytest.mark.parametrize(
    "statement",
    [
        "set log {0}/shared/log",
        "set idfile {0}/shared/id",
        'SET STATEFILE "{0}/shared/state"',
        "set httpd unixsocket {0}/shared/socket",
        "set eventqueue basedir {0}/shared/events slots 100",
    ],
)
def test_a_file_that_monit_would_write_where_others_can_is_refused(configuration, etc, statement):
    (etc / "shared").mkdir()
    os.chmod(etc / "shared", 0o1777)
    with pytest.raises(ConfigurationError, match=f"is not safe to write: every user can write to {etc}/shared; use a"):
        configuration({}, control=statement.format(etc) + "\n")
    configuration({}, control="set log syslog\n" + statement.format(etc).replace("/shared", ""))


def test_a_folder_of_checks_that_others_can_write_to_is_refused(configuration, etc):
    os.chmod(etc / "lifeline.d", 0o777)
    with pytest.raises(ConfigurationError, match=f"^{etc}/lifeline.d/check is not safe to write: every user can write"):
        configuration({"a": PROCESS})


@pytest.mark.parametrize("name", ["a b", "", "a/b", "a\n"])
def test_a_name_that_cannot_be_a_file_is_refused(configuration, name):
    with pytest.raises(ConfigurationError) as raised:
        configuration({name: PROCESS})
    assert str(raised.value) == (f"checks: not a name ({name!r}); use letters, digits and . _ @ -")


def test_two_checks_of_one_name_are_refused(host, etc):
    twice = [{"name": "a", "text": "x"}, {"name": "a", "text": "y"}]
    with pytest.raises(ConfigurationError, match="checks: two checks have the same name; rename one of them"):
        Configuration(host.commands, Options(str(etc / "monitrc"), None, str(etc), "crawler", twice))


def test_a_control_file_that_does_not_include_the_checks_is_refused(configuration, etc):
    with pytest.raises(ConfigurationError) as raised:
        configuration({"a": PROCESS}, control="set daemon 10\n").validate("/usr/bin/monit")
    assert str(raised.value) == (
        f"{etc}/monitrc does not include {etc}/lifeline.d/*, so monit would not read the checks; add the statement"
    )


HAND = "set daemon 120\nset alert ops@example.com\ninclude {0}/conf.d/*\n"
NEW = "set daemon 15\ninclude {0}/conf.d/*\ninclude {0}/lifeline.d/*\n"


@pytest.fixture
def lived(host, etc):
    """Return a function that makes a configuration on a host with a control file and a check made by hand."""
    (etc / "conf.d").mkdir()
    (etc / "monitrc").write_text(HAND.format(etc))
    (etc / "conf.d/sidekiq").write_text("check process a with pidfile /run/old.pid\ncheck system b\n")

    def make(takeover, checks=(("a", PROCESS),), control=NEW):
        listed = [{"name": name, "text": text} for name, text in checks]
        control = control and control.format(etc)
        place = (str(etc / "monitrc"), control, str(etc / "lifeline.d"), "crawler", listed)
        return Configuration(host.commands, Options(*place, takeover, str(etc / "kept")))

    return make


def test_a_control_file_made_by_hand_is_refused_and_one_of_the_package_is_not(lived, host, etc):
    with pytest.raises(ConfigurationError) as raised:
        lived("refuse", checks=())
    assert str(raised.value) == (
        f"{etc}/monitrc was changed by hand or by another tool, and would be replaced; set monit_takeover: keep (its "
        "statements stay in force) or take (it is kept aside). Nothing was written"
    )
    checksum = hashlib.md5(HAND.format(etc).encode()).hexdigest()
    host.install("dpkg-query")
    host.answer("/usr/sbin/dpkg-query", out=f" {etc}/monitrc {checksum}\n")
    assert lived("refuse", checks=()).kept == [str(etc / "monitrc")]


def test_a_check_that_others_have_too_is_refused_with_its_line(lived, etc):
    (etc / "monitrc").write_text(NEW.format(etc))
    with pytest.raises(ConfigurationError) as raised:
        lived("refuse")
    assert str(raised.value) == (
        f"check a: {etc}/conf.d/sidekiq:1 has the check a, which would be there twice; remove it there, or set "
        "monit_takeover: keep (that one stays) or take (that one is removed and kept aside). Nothing was written"
    )


def test_what_others_have_is_kept_in_force(lived, staged, etc):
    made = lived("keep")
    made.validate("/usr/bin/monit")
    made.replace()
    assert made.left_out == ["a"] and made.files == []
    assert (etc / "lifeline.d/kept-monitrc").read_text() == "set daemon 120\nset alert ops@example.com\n"
    assert staged["checks/kept-monitrc"] == "set daemon 120\nset alert ops@example.com\n"
    assert (etc / "conf.d/sidekiq").read_text().startswith("check process a")
    again = lived("keep")
    assert again.changed == [] and again.left_out == ["a"]
    assert lived("refuse", checks=()).changed == []


def test_what_others_have_is_taken_over_and_comes_back(lived, staged, etc):
    made = lived("take")
    made.validate("/usr/bin/monit")
    assert staged["sidekiq"] == "check system b\n"
    assert "include STAGE/sidekiq\n" in staged["monitrc"]
    made.replace()
    assert (etc / "monitrc").read_text() == NEW.format(etc)
    assert (etc / "conf.d/sidekiq").read_text() == "check system b\n"
    assert (etc / "lifeline.d/crawler-a").exists()
    assert lived("take").changed == []
    options = Options(str(etc / "monitrc"), None, str(etc / "lifeline.d"), "crawler", [], "take", str(etc / "kept"))
    assert str(etc / "monitrc") in revert(options, True) and (etc / "lifeline.d/crawler-a").exists()
    revert(options, False)
    assert (etc / "monitrc").read_text() == HAND.format(etc)
    assert (etc / "conf.d/sidekiq").read_text().startswith("check process a")
    assert list((etc / "lifeline.d").iterdir()) == [] and not (etc / "kept").exists()
    assert revert(options, False) == []


def test_a_file_with_nothing_but_the_doubled_check_is_removed(lived, staged, etc):
    (etc / "conf.d/sidekiq").write_text("check process a with pidfile /run/old.pid\n")
    made = lived("take")
    made.validate("/usr/bin/monit")
    assert "sidekiq" not in staged["monitrc"]
    made.replace()
    assert not (etc / "conf.d/sidekiq").exists()


def test_a_program_that_is_not_installed_yet_is_staged(configuration, staged, host):
    check = 'check program p with path "/opt/check-it 1 2"\n  if status != 0 then alert\n'
    configuration({"p": check}).validate("/usr/bin/monit", {"/opt/check-it": b"#!/bin/sh\n"})
    assert staged["checks/crawler-p"] == check.replace("/opt/check-it", "STAGE/bin/check-it")


def test_a_control_file_that_is_missing_is_named(configuration, etc):
    (etc / "monitrc").unlink()
    with pytest.raises(ConfigurationError, match=f"control: {etc}/monitrc does not exist; give its text"):
        configuration({"a": PROCESS}).validate("/usr/bin/monit")
