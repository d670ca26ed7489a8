# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test how the user, the command and the Sidekiq version of a worker are found."""

from __future__ import annotations

import os
import pwd

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import inspection

PROGRAM = "/bin/cat"
NOBODY = pwd.getpwnam("nobody").pw_uid


class Programs:
    """Programs of a host: `found` by name, and one answer to all commands, whose words are kept in `ran`."""

    def __init__(self, answer=(0, "Sidekiq 7.3.2\n", ""), **found):
        self.answer, self.found, self.ran = answer, {"systemd-run": "/usr/bin/systemd-run", **found}, []

    def host(self):
        return inspection.Host(find=self.found.get, run=self.run)

    def run(self, words, _folder):
        self.ran.append(words)
        return self.answer(words) if callable(self.answer) else self.answer

    def looked(self):
        """Return the commands that were asked for their version."""
        return [words[words.index("timeout") + 3 :] for words in self.ran]


def spec(**given):
    empty = dict.fromkeys(("app_path", "config_file", "user", "command", "pidfile"))
    return {"name": "no-such-worker", "manager": "systemd", **empty, **given}


def test_the_command_is_asked_for_its_version_as_the_worker_s_user(tmp_path):
    (tmp_path / "Gemfile").touch()
    programs = Programs(bundle=PROGRAM)
    found = inspection.facts(spec(app_path=str(tmp_path), user="nobody"), programs.host())
    assert programs.looked() == [[PROGRAM, "exec", "sidekiq", "-V"]]
    assert {"--wait", "--uid=nobody", f"--working-directory={tmp_path}"} < set(programs.ran[0])
    assert {"PrivateNetwork=yes", "RuntimeMaxSec=60"} < set(programs.ran[0])
    assert (found["user"], found["user_exists"], found["user_error"]) == ("nobody", True, None)
    assert (found["command"], found["command_error"]) == (PROGRAM + " exec sidekiq", None)
    assert (found["version"], found["notify"]) == ("7.3.2", True)
    assert (found["restarts"], found["given_up"], found["paused"]) == (0, False, False)


def test_an_application_without_a_gemfile_uses_the_system_s_sidekiq(tmp_path):
    programs = Programs((0, "Sidekiq 6.0.5", ""), sidekiq=PROGRAM)
    found = inspection.facts(spec(app_path=str(tmp_path), user="nobody"), programs.host())
    assert (found["command"], found["version"], found["notify"]) == (PROGRAM, "6.0.5", False)


@pytest.mark.parametrize("given", [{"app_path": None}, {"app_path": "/no/such/folder"}, {"manager": "command"}])
def test_without_an_application_nothing_is_run(given, tmp_path):
    programs = Programs(sidekiq=PROGRAM)
    found = inspection.facts(spec(**{"app_path": str(tmp_path), **given}), programs.host())
    assert programs.ran == []
    assert (found["app_path_exists"], found["version"], found["command_error"]) == (False, None, None)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            "bundle 'exec sidekiq",
            'not a command line ("bundle \'exec sidekiq"): no closing quotation; write it as in a shell',
        ),
        ("''", "names no program (\"''\"); write for example bundle exec sidekiq"),
        ("rvm-exec sidekiq", "no such program on the host (rvm-exec); install Sidekiq, or set the command"),
        ("/no/such/program", "no such program on the host (/no/such/program); install Sidekiq, or set the command"),
    ],
)
def test_an_odd_command_is_an_error_in_words(command, words, tmp_path):
    programs = Programs(sidekiq=PROGRAM)
    found = inspection.inspect(command, str(tmp_path), "nobody", programs.host())
    assert (found.text, found.error, found.version) == (command, words, None)
    assert programs.ran == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((1, "", "Could not find\n  gem"), "fails as user nobody in {0}: Could not find gem"),
        ((0, "rails 7", ""), "fails as user nobody in {0}: rails 7"),
        ((0, "", ""), "fails as user nobody in {0}: no output"),
        ((0, "Sidekiq " + "9" * 5000, ""), "fails as user nobody in {0}: Sidekiq " + "9" * 292),
        (
            (124, "", ""),
            "does not end within 50 s; have the command pass its options on to Sidekiq, which then prints its version",
        ),
    ],
)
def test_a_command_that_is_not_sidekiq_is_an_error_with_its_answer(answer, words, tmp_path):
    found = inspection.inspect("sidekiq", str(tmp_path), "nobody", Programs(answer, sidekiq=PROGRAM).host())
    assert found.error == f"{PROGRAM} -V {words.format(tmp_path)}"


def test_a_script_of_a_shell_keeps_its_quotes_and_gets_the_option(tmp_path):
    programs = Programs(bash="/bin/bash")
    found = inspection.inspect("bash -lc 'X=$(date) bundle exec sidekiq'", str(tmp_path), "nobody", programs.host())
    assert found.text == "/bin/bash -lc 'X=$(date) exec bundle exec sidekiq \"$@\"' sidekiq"
    assert programs.looked() == [["/bin/bash", "-lc", 'X=$$(date) exec bundle exec sidekiq "$$@"', "sidekiq", "-V"]], (
        "systemd turns two dollar signs into one"
    )


def test_a_wrapper_that_swallows_its_options_is_not_run(tmp_path):
    wrapper = tmp_path / "worker"
    wrapper.write_text("#!/bin/sh\nexec bundle exec sidekiq\n")
    wrapper.chmod(0o755)
    programs = Programs()
    for command in (str(wrapper), "./worker"):
        found = inspection.inspect(command, str(tmp_path), "nobody", programs.host())
        assert "worker does not pass its options on to Sidekiq" in found.error
    assert programs.ran == []


def rubies(monkeypatch, *paths):
    monkeypatch.setattr(inspection.rubies, "programs", lambda name, path, home: [one for one in paths if name in one])


def test_the_first_ruby_of_a_version_manager_that_works_is_taken(tmp_path, monkeypatch):
    (tmp_path / "Gemfile").touch()
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bundle").write_text("")
        (tmp_path / name / "bundle").chmod(0o755)
    old, new = f"{tmp_path}/old/bundle", f"{tmp_path}/new/bundle"
    rubies(monkeypatch, old, new)
    programs = Programs(lambda words: (0, "Sidekiq 7.3.2", "") if new in words else (1, "", "no gem"))
    found = inspection.inspect(None, str(tmp_path), "nobody", programs.host())
    assert (found.text, found.error, found.version) == (f"{new} exec sidekiq", None, "7.3.2")
    declared = inspection.inspect("bundle exec sidekiq", str(tmp_path), "nobody", programs.host())
    assert declared.error == (
        "no such program on the host (bundle); install Sidekiq, or set the command "
        f"(on the host: {old} exec sidekiq, {new} exec sidekiq; set it to the one that works for nobody)"
    )


def test_the_login_shell_is_the_last_to_be_tried(tmp_path, monkeypatch):
    (tmp_path / "Gemfile").touch()
    rubies(monkeypatch)
    programs = Programs()
    found = inspection.inspect(None, str(tmp_path), "nobody", programs.host())
    assert found.text == "/bin/bash -lc 'exec bundle exec sidekiq \"$@\"' sidekiq"
    programs = Programs((127, "", "bundle: command not found"))
    found = inspection.inspect(None, str(tmp_path), "nobody", programs.host())
    assert found.error.startswith("no such program on the host (bundle)")
    assert "/bin/bash -lc 'bundle exec sidekiq'" in found.error


def test_a_host_without_systemd_run_is_an_error_in_words(tmp_path):
    programs = Programs(sidekiq=PROGRAM, **{"systemd-run": None})
    found = inspection.inspect("sidekiq", str(tmp_path), "nobody", programs.host())
    assert found.error.startswith("the host has no systemd-run;")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize(("uid", "user"), [(0, "sidekiq"), (NOBODY, "nobody")])
def test_the_owner_of_the_application_is_its_user(uid, user, tmp_path):
    os.chown(tmp_path, uid, -1)
    assert inspection.owner(str(tmp_path)) == (user, None)


def test_an_owner_without_a_passwd_entry_is_an_error_in_words(tmp_path, monkeypatch):
    def unknown(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    found = inspection.facts(spec(app_path=str(tmp_path)), Programs(sidekiq=PROGRAM).host())
    assert (found["user"], found["user_exists"]) == (None, False)
    assert found["user_error"] == (
        f"{tmp_path} belongs to user ID {os.geteuid()}, which has no entry in the passwd database"
    )


def test_exists():
    assert inspection.exists("root")
    assert not inspection.exists("no such user")
    assert not inspection.exists("a\0b")


def test_home():
    assert inspection.home("root") == pwd.getpwnam("root").pw_dir
    assert inspection.home("no such user") is None


@pytest.mark.parametrize("text", ["", "0", "-1", "many", "\u0663", "4194305"])
def test_a_pidfile_of_no_process_is_not_alive(text, tmp_path):
    path = tmp_path / "pid"
    path.write_text(text, encoding="utf-8")
    assert not inspection.pidfile_alive(str(path))


def test_a_pidfile_of_this_process_is_alive(tmp_path):
    path = tmp_path / "pid"
    path.write_text(f"{os.getpid()}\n", encoding="utf-8")
    assert inspection.pidfile_alive(str(path))
    assert not inspection.pidfile_alive(None)
    assert not inspection.pidfile_alive(str(tmp_path / "none"))


def test_a_fifo_as_pidfile_is_not_alive_and_does_not_block(tmp_path):
    path = tmp_path / "pid"
    os.mkfifo(path)
    assert not inspection.pidfile_alive(str(path))


def test_version_numbers():
    assert inspection.version_numbers("6.0.6") == (6, 0, 6)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((1, "", "\x1b[2J no\n such gem"), r"\x1b[2J no such gem"),
        ((-9, "", ""), "it was killed"),
        ((-9, "Loading", ""), "Loading"),
        ((0, "", ""), "no output"),
        (OSError(2, "No such file or directory"), "[Errno 2] No such file or directory"),
    ],
)
def test_whatever_a_program_says_instead_of_its_version_can_be_printed(answer, said, tmp_path):
    def run(_words, _folder):
        if isinstance(answer, OSError):
            raise answer
        return answer

    found = inspection.inspect(
        PROGRAM, str(tmp_path), "nobody", inspection.Host(find={"systemd-run": PROGRAM}.get, run=run)
    )
    assert found.error == f"{PROGRAM} -V fails as user nobody in {tmp_path}: {said}"
