# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test that a command passes options on to Sidekiq, with real shells and a program that prints what it gets."""

from __future__ import annotations

import os
import shlex
import subprocess

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import command

BASH = "/bin/bash"


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Give programs named as a host's that print their ID and arguments, and return a folder with them."""
    for name in ("sidekiq", "bundle"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text('#!/bin/sh\nprintf "%s " "$$" "$X"; printf "<%s>" "$@"\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def started(words, folder, *further):
    """Run a command with further words. Return whether the program replaced the process, and its output."""
    with subprocess.Popen([*words, *further], cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        out = process.communicate(timeout=30)[0]
    pid, rest = out.splitlines()[-1].split(" ", 1)
    return int(pid) == process.pid, rest


@pytest.mark.parametrize(
    ("declared", "printed"),
    [
        ("bundle exec sidekiq", " <exec><sidekiq><-V><a b>"),
        ("bundle exec sidekiq -q 'a b' -q \"it's\"", " <exec><sidekiq><-q><a b><-q><it's><-V><a b>"),
        ("/bin/bash -lc 'PATH=$HOME/bin:$PATH; bundle exec sidekiq'", " <exec><sidekiq><-V><a b>"),
        ("bash -l -c 'PATH=~/bin:$PATH && bundle exec sidekiq;'", " <exec><sidekiq><-V><a b>"),
        ("bash -c 'exec bundle exec sidekiq \"$@\"'", " <exec><sidekiq><-V><a b>"),
        ("bash -c 'bundle exec sidekiq \"$@\"' sidekiq -q x", " <exec><sidekiq><-q><x><-V><a b>"),
        ("sh -c 'X=1 bundle exec sidekiq >> /dev/stdout 2>&1'", "1 <exec><sidekiq><-V><a b>"),
        ("sh -c 'cd / && sidekiq -q \"a b\" 2>/dev/null'", " <-q><a b><-V><a b>"),
        ("env X=2 bash -c 'bundle exec sidekiq'", "2 <exec><sidekiq><-V><a b>"),
        ("nice -n 1 sidekiq", " <-V><a b>"),
        ("X='a b' bundle exec sidekiq", "a b <exec><sidekiq><-V><a b>"),
        ("cd / && X=$(echo 3 4) bundle exec sidekiq -q $X", "3 4 <exec><sidekiq><-q><-V><a b>"),
        ("~/bin/bundle exec sidekiq", " <exec><sidekiq><-V><a b>"),
        ("$HOME/bin/sidekiq -q '$HOME'", " <-q><$HOME><-V><a b>"),
        ("sidekiq -q '$HOME;x'", " <-q><$HOME;x><-V><a b>"),
        ("sidekiq -q a\\ b\\\\", " <-q><a b\\><-V><a b>"),
    ],
)
def test_further_options_reach_sidekiq_and_nothing_stays_in_between(declared, printed, host):
    assert started(command.words(declared), host, "-V", "a b") == (True, printed)


def test_rvm_leaves_after_it_has_chosen_the_ruby(host):
    (host / ".rvm/scripts").mkdir(parents=True)
    (host / ".rvm/scripts/rvm").write_text("rvm() { X=$2; export X; }\n")
    (host / ".bash_profile").write_text(". ~/.rvm/scripts/rvm\nPATH=~/bin:$PATH\n")
    (host / ".profile").write_text(". ~/.rvm/scripts/rvm\nPATH=~/bin:$PATH\n")
    for declared in ("rvm 3.2.2@app do bundle exec sidekiq", "~/.rvm/bin/rvm 3.2.2@app do bundle exec sidekiq"):
        assert started(command.words(declared), host, "-V") == (True, "3.2.2@app <exec><sidekiq><-V>")
    with pytest.raises(command.CommandError, match=r"^rvm is not used as rvm RUBY do COMMAND"):
        command.words("rvm in /srv/app do bundle exec sidekiq")


@pytest.mark.parametrize(
    ("declared", "complaint"),
    [
        ("bundle 'exec", 'not a command line ("bundle \'exec"): no closing quotation; write it as in a shell'),
        ("  ", "names no program ('  '); write for example"),
        ("''", "names no program"),
        ("a\0b", "has a control character or a line break ('a\\x00b'); write one line"),
        ("bundle exec\nsidekiq", "has a control character or a line break"),
        ("bash -lc 'bundle exec worker'", "does not pass its options on to Sidekiq ('bundle exec worker'); end it"),
        ("bash -c 'bundle exec sidekiq | tee log'", "does not end with the command that starts Sidekiq"),
        ("bash -c 'sidekiq | sidekiq'", "does not end with the command that starts Sidekiq"),
        ("bash -c 'bundle exec sidekiq &'", "does not end with the command that starts Sidekiq"),
        ("bash -c 'while true; do sidekiq; done'", "does not end with the command that starts Sidekiq"),
        ("bash -c 'bundle exec \"sidekiq'", "not a script of a shell"),
        ("bash -c 'sidekiq $(x'", "no closing bracket"),
        ("bash worker.sh", "starts a shell without -c and a script ('bash worker.sh')"),
        ("bash -lc", "starts a shell without -c and a script"),
        ("sudo -u app bundle exec sidekiq", "begins with sudo; leave that out, and set the worker's user"),
        ("bash -lc 'su app -c sidekiq'", "begins with su;"),
        ("tmux new -d sidekiq", "begins with tmux, and systemd could not stop"),
        ("bundle exec sidekiq -d", "puts Sidekiq into the background; leave out -d"),
    ],
)
def test_a_command_that_cannot_work_is_refused_with_the_way_out(declared, complaint):
    with pytest.raises(command.CommandError) as error:
        command.words(declared)
    assert complaint in str(error.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("#!/bin/sh\nexec bundle exec sidekiq\n", "does not pass its options on to Sidekiq; write exec bundle"),
        ('#!/bin/bash\n# $@\nbundle exec sidekiq -C "$1"\n', "does not pass its options on"),
        ('#!/usr/bin/env bash\nbundle exec sidekiq "$@"\n', "keeps a shell between systemd and Sidekiq"),
        ("#!/usr/bin/env ruby\nexec 'bundle exec sidekiq'\n", "have it pass its arguments"),
        ("#!/usr/bin/python3\nimport os\nos.system('sidekiq')\n", "have it pass its arguments"),
        ('#!/bin/sh\nif x; then\n  X=1 exec bundle exec sidekiq "$@"\nfi\n', None),
        ('#!/usr/bin/env -S bash -e\n. x; exec sidekiq "${@}"\n', None),
        ('#!/usr/bin/env ruby\nload Gem.bin_path("sidekiq", "sidekiq")\n', None),
        ("#!/usr/bin/env ruby\nexec 'sidekiq', *ARGV\n", None),
        ("\x7fELF", None),
    ],
)
def test_a_wrapper_that_swallows_its_options_is_found_before_it_is_run(text, complaint, tmp_path):
    wrapper = tmp_path / "bin" / "worker"
    wrapper.parent.mkdir()
    wrapper.write_text(text)
    (tmp_path / "link").symlink_to(wrapper)
    for words in ([str(wrapper)], ["bundle", "exec", "bin/worker"], ["env", "./link"]):
        reason = command.unfit(words, str(tmp_path))
        assert (complaint is None and reason is None) or (complaint and complaint in reason), reason


def test_the_words_of_a_script_and_its_shell_are_no_wrappers():
    words = command.words("bash -c 'bundle exec sidekiq'")
    assert command.unfit(words, "/") is None
    assert shlex.split(shlex.join(words)) == words
    assert words[0] == "bash" and os.path.exists(BASH)
