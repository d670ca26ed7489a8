# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test how the user, the command and the Sidekiq version of a worker are found."""

from __future__ import annotations

import os
import pwd

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import inspection

SHELL = "/bin/sh"
NOBODY = pwd.getpwnam("nobody").pw_uid


class Programs:
    """Programs of a host: `found` by name, and one answer to all commands, which are kept in `ran`."""

    def __init__(self, answer=(0, "Sidekiq 7.3.2\n", ""), **found):
        self.answer, self.found, self.ran = answer, found, []

    def host(self):
        return inspection.Host(find=self.found.get, run=self.run)

    def run(self, words, folder):
        self.ran.append((words, folder))
        return self.answer


def spec(**given):
    empty = dict.fromkeys(("app_path", "user", "command", "pidfile"))
    return {"name": "no-such-worker", "manager": "systemd", **empty, **given}


def test_the_command_is_asked_for_its_version_as_the_worker_s_user(tmp_path):
    (tmp_path / "Gemfile").touch()
    programs = Programs(bundle=SHELL)
    found = inspection.facts(spec(app_path=str(tmp_path), user="nobody"), programs.host())
    assert programs.ran == [(["runuser", "-u", "nobody", "--", SHELL, "exec", "sidekiq", "-V"], str(tmp_path))]
    assert (found["user"], found["user_exists"], found["user_error"]) == ("nobody", True, None)
    assert (found["command"], found["command_error"]) == (SHELL + " exec sidekiq", None)
    assert (found["version"], found["notify"]) == ("7.3.2", True)
    assert (found["restarts"], found["given_up"], found["paused"]) == (0, False, False)


def test_an_application_without_a_gemfile_uses_the_system_s_sidekiq(tmp_path):
    programs = Programs((0, "Sidekiq 6.0.5", ""), sidekiq=SHELL)
    found = inspection.facts(spec(app_path=str(tmp_path), user="nobody"), programs.host())
    assert (found["command"], found["version"], found["notify"]) == (SHELL, "6.0.5", False)


@pytest.mark.parametrize("given", [{"app_path": None}, {"app_path": "/no/such/folder"}, {"manager": "command"}])
def test_without_an_application_nothing_is_run(given, tmp_path):
    programs = Programs(sidekiq=SHELL)
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
        ("   ", "names no program ('   '); write for example bundle exec sidekiq"),
        ("''", "names no program (\"''\"); write for example bundle exec sidekiq"),
        ("rvm exec sidekiq", "no such program on the host (rvm); install Sidekiq, or set the command"),
        ("/no/such/program", "no such program on the host (/no/such/program); install Sidekiq, or set the command"),
    ],
)
def test_an_odd_command_is_an_error_in_words(command, words, tmp_path):
    found = inspection.inspect(command, str(tmp_path), "nobody", Programs(sidekiq=SHELL).host())
    assert (found.text, found.error, found.version) == (command, words, None)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((1, "", "Could not find\n  gem"), "Could not find gem"),
        ((0, "rails 7", ""), "rails 7"),
        ((0, "", ""), "no output"),
        ((0, "Sidekiq " + "9" * 5000, ""), "Sidekiq " + "9" * 292),
    ],
)
def test_a_command_that_is_not_sidekiq_is_an_error_with_its_answer(answer, words, tmp_path):
    found = inspection.inspect("sidekiq", str(tmp_path), "nobody", Programs(answer, sidekiq=SHELL).host())
    assert found.error == f"{SHELL} -V fails as user nobody in {tmp_path}: {words}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize(("uid", "user"), [(0, "sidekiq"), (NOBODY, "nobody")])
def test_the_owner_of_the_application_is_its_user(uid, user, tmp_path):
    os.chown(tmp_path, uid, -1)
    assert inspection.owner(str(tmp_path)) == (user, None)


def test_an_owner_without_a_passwd_entry_is_an_error_in_words(tmp_path, monkeypatch):
    def unknown(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    found = inspection.facts(spec(app_path=str(tmp_path)), Programs(sidekiq=SHELL).host())
    assert (found["user"], found["user_exists"]) == (None, False)
    assert found["user_error"] == (
        f"{tmp_path} belongs to user ID {os.geteuid()}, which has no entry in the passwd database"
    )


def test_exists():
    assert inspection.exists("root")
    assert not inspection.exists("no such user")


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

    found = inspection.inspect(SHELL, str(tmp_path), "nobody", inspection.Host(find={}.get, run=run))
    assert found.error == f"{SHELL} -V fails as user nobody in {tmp_path}: {said}"
