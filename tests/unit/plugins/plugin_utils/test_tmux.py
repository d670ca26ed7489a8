# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of tmux from hostile inventories, read by the programs that will read them: a shell and a YAML parser."""

from __future__ import annotations

import os
import subprocess

import pytest
import yaml

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _tmux

HOSTILE = [
    "a'; touch pwned #",
    "$(touch pwned)",
    "`touch pwned`",
    'a"; touch pwned; "',
    "-oProxyCommand=touch pwned",
    "<%= `touch pwned` %>",
    "a b  c",
    "!x",
    "=ls",
    "~root",
    "*",
    "{a,b}",
    "x;",
    "\\",
    "#(touch pwned)",
    "ä",
]


@pytest.fixture
def said(tmp_path):
    """Return a function that runs a shell script and returns the words that it calls ssh and tmux with."""
    for name in ("ssh", "tmux"):
        program = tmp_path / name
        program.write_text(
            '#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done >> "$SAID"; echo == >> "$SAID"\n'
            'test "$1" != has-session\n'
        )
        program.chmod(0o755)

    def run(text):
        empty = tmp_path / "cwd"
        empty.mkdir(exist_ok=True)
        path = tmp_path / "said"
        path.write_text("")
        subprocess.run(
            ["sh", "-c", text],
            check=True,
            cwd=empty,
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "SAID": str(path), "HOME": "/h"},
        )
        assert list(empty.iterdir()) == []
        return [call.splitlines() for call in path.read_text().split("\n==\n") if call]

    return run


def words(said, line):
    return [word for call in said(line) for word in call]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    ("name", "option"), [("ansible_host", None), ("ansible_user", "-l"), ("ansible_ssh_private_key_file", "-i")]
)
def test_a_value_is_one_word_of_the_command(said, name, option, value):
    got = words(said, _tmux.command("box", {name: value}))
    assert got == ["--", value] if option is None else [option, value, "--", "box"]


def test_all_variables_of_a_connection(said):
    line = _tmux.command(
        "box",
        {
            "ansible_host": "192.0.2.1",
            "ansible_ssh_host": "192.0.2.2",
            "ansible_port": 22,
            "ansible_ssh_port": "2222",
            "ansible_user": "ops",
            "ansible_private_key_file": "~/.ssh/id",
            "ansible_ssh_common_args": "-J 'me@192.0.2.9:22'",
            "ansible_ssh_extra_args": '-o "ProxyCommand=ssh -W %h:%p x"',
        },
    )
    assert line.startswith("ssh ")
    assert words(said, line) == [
        "-J",
        "me@192.0.2.9:22",
        "-o",
        "ProxyCommand=ssh -W %h:%p x",
        "-p",
        "2222",
        "-i",
        "/h/.ssh/id",
        "-l",
        "ops",
        "--",
        "192.0.2.2",
    ]


def test_defaults_apply_without_a_variable():
    assert _tmux.command("box", {}, {"user": "ops", "key": None}) == "ssh -l ops -- box"
    assert _tmux.command("box", {"ansible_user": "root"}, {"user": "ops"}) == "ssh -l root -- box"


def test_hosts_that_ssh_does_not_reach():
    assert _tmux.command("here", {"ansible_connection": "local"}) == ""
    assert _tmux.command("there", {"ansible_connection": "containers.podman.podman"}) is None


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"ansible_port": "22; id"},
            "box: ansible_port: not a port ('22; id'); give a number from 1 to 65535",
        ),
        ({"ansible_port": 70000}, "box: ansible_port: not a port ('70000'); give a number from 1 to 65535"),
        ({"ansible_port": "\u00b2"}, "box: ansible_port: not a port ('\u00b2'); give a number from 1 to 65535"),
        (
            {"ansible_host": "a\nb"},
            "box: ansible_host: control characters ('a\\nb'); give one line of plain text",
        ),
        (
            {"ansible_user": "a\x1b[2J"},
            "box: ansible_user: control characters ('a\\x1b[2J'); give one line of plain text",
        ),
        (
            {"ansible_ssh_common_args": "-o 'x"},
            'box: ansible_ssh_common_args: wrong quotes ("-o \'x"); correct them: No closing quotation',
        ),
    ],
)
def test_a_value_that_cannot_be_typed_is_an_error(variables, message):
    with pytest.raises(SettingsError) as error:
        _tmux.command("box", variables)
    assert str(error.value) == message


@pytest.mark.parametrize("name", HOSTILE + ["a.b", "a:b", "%H"])
def test_a_window_s_name_is_literal_to_tmux(name):
    window = _tmux.window_name(name, name)
    assert not set(window) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/")


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a.b", "-d", "$(id)", None, 7])
def test_a_session_s_name(name):
    with pytest.raises(SettingsError) as error:
        _tmux.session_name(name)
    assert str(error.value) == f"tmux_session: not a session's name ({name!r}); use letters, digits, _ and -"
    assert _tmux.session_name("fleet-1") == "fleet-1"


def groups(values):
    return [
        (
            "crawler",
            [
                (f"crawler/{number}", _tmux.command("box", {"ansible_host": value}))
                for number, value in enumerate(values)
            ],
        ),
        ("web\n<% x %>", [("web/here", "")]),
    ]


def test_tmuxinator_s_project_is_yaml_without_template_tags():
    text = _tmux.tmuxinator("fleet", groups(HOSTILE))
    assert "<" not in text
    project = yaml.safe_load(text)
    assert project["name"] == "fleet"
    assert [line for window in project["windows"] for line in window.values()] == [
        *(_tmux.command("box", {"ansible_host": value}) for value in HOSTILE),
        "",
    ]
    assert text.count("\n  # ") == 2


def test_the_script_makes_a_window_per_host(said):
    calls = said("unset TMUX; " + _tmux.script("fleet", groups(HOSTILE)))
    assert calls[0] == ["has-session", "-t", "=fleet"]
    assert calls[1][:7] == ["new-session", "-d", "-s", "fleet", "-n", "crawler/0", "sh"]
    assert [call[0] for call in calls] == [
        "has-session",
        "new-session",
        *["new-window"] * len(HOSTILE),
        "select-window",
        "attach-session",
    ]
    for value, call in zip(HOSTILE, calls[1:]):
        line = call[-1]
        assert call[-3:-1] == ["sh", "-c"]
        assert line.endswith('; exec "${SHELL:-/bin/sh}"')
        assert words(said, line.rpartition("; exec ")[0]) == ["--", value]
    assert calls[len(HOSTILE) + 1][-2:] == ["-n", "web/here"]


def test_the_script_attaches_to_a_session_that_exists(said):
    calls = said(
        'tmux() { command tmux "$@" || :; }; ' + _tmux.script("fleet", groups(["x"])).replace("exec tmux", "tmux")
    )
    assert [call[0] for call in calls] == ["has-session", "attach-session"]


def test_what_ansible_is_configured_with_applies_without_a_variable(said):
    defaults = {
        "user": "ubuntu",
        "key": "~/.ssh/fi.pem",
        "port": 2222,
        "executable": None,
        "ansible_ssh_args": "-o ControlPersist=5m -J 'jump host'",
        "ansible_ssh_common_args": "",
    }
    line = _tmux.command("box1", {}, defaults)
    options = ["-o", "ControlPersist=5m", "-J", "jump host", "-p", "2222", "-i", "/h/.ssh/fi.pem", "-l", "ubuntu"]
    assert words(said, line) == [*options, "--", "box1"]
    mine = {"ansible_user": "deploy", "ansible_ssh_args": "-4", "ansible_port": 22}
    assert words(said, _tmux.command("box1", mine, defaults))[:3] == ["-4", "-p", "22"]
    assert "deploy" in _tmux.command("box1", mine, defaults) and "ubuntu" not in _tmux.command("box1", mine, defaults)
