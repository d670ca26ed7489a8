# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shlex
import subprocess

import pytest
import yaml

from ansible_collections.lifeline.fleet.plugins.plugin_utils import _tmux

HOSTILE = ["a b", "$(id)", "`id`", "a'b\"c", "#{pane_id}", "x;id", "a\nb", "a:b"]


def test_a_window_logs_in_as_ansible_does():
    assert _tmux.command("c1", {
        "ansible_host": "192.0.2.1", "ansible_user": "ops", "ansible_port": 2222, "ansible_ssh_private_key_file": "~/a key",
        "ansible_ssh_common_args": "-J 'jump host'", "ansible_ssh_extra_args": "-v",
    }) == ["ssh", "-l", "ops", "-p", "2222", "-i", "~/a key", "-J", "jump host", "-v", "--", "192.0.2.1"]


def test_the_older_names_of_variables_are_known():
    assert _tmux.command("c1", {"ansible_ssh_host": "192.0.2.1", "ansible_ssh_user": "ops", "ansible_ssh_port": 22}) == [
        "ssh", "-l", "ops", "-p", "22", "--", "192.0.2.1"]


def test_each_host_has_one_window_in_its_first_group():
    found = _tmux.windows({"web": ["w", "both"], "crawler": ["both", "c"], "all": ["w", "both", "c", "alone"]},
                          {name: {} for name in ("w", "both", "c", "alone")})
    assert [window[:2] for window in found] == [("web", "w"), ("web", "both"), ("crawler", "c"), ("all", "alone")]


def test_a_host_that_is_not_reached_over_ssh_has_none():
    assert _tmux.windows({"all": ["here"]}, {"here": {"ansible_connection": "local"}}) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_never_more_than_a_name(name):
    boxes = _tmux.windows({name: [name]}, {name: {"ansible_user": name}})
    ((title, line),) = yaml.safe_load(_tmux.tmuxinator("s", boxes))["windows"][0].items()
    assert not set(title) & set(" $`'\"#{};\n:()")
    assert shlex.split(line) == ["ssh", "-l", name, "--", name]


@pytest.mark.parametrize("name", HOSTILE)
def test_the_script_hands_each_window_its_words_and_runs_none_of_them(name, tmp_path):
    """A shell reads the script; what it would run by the name of tmux only writes down what it was given."""
    (tmp_path / "tmux").write_text(
        "#!/bin/sh\n[ \"$1\" != has-session ] || exit 1\nprintf '%s\\0' \"$@\" >> " + str(tmp_path / "log") + "\n")
    (tmp_path / "tmux").chmod(0o755)
    (tmp_path / "id").write_text("#!/bin/sh\ntouch " + str(tmp_path / "ran") + "\n")
    (tmp_path / "id").chmod(0o755)
    text = _tmux.script("s", _tmux.windows({"g": [name]}, {name: {}}))
    subprocess.run(["sh", "-c", text], check=True, env={"PATH": "%s:/usr/bin:/bin" % tmp_path})
    words = (tmp_path / "log").read_text().split("\0")
    assert words[:6] == ["new-session", "-d", "-s", "s", "-n", _tmux.title("g", name)]
    assert words[6] == "%s; exec ${SHELL:-/bin/sh}" % shlex.join(["ssh", "--", name])
    assert not (tmp_path / "ran").exists()


def test_what_tmuxinator_would_run_as_a_template_is_text():
    text = _tmux.tmuxinator("s", _tmux.windows({"g": ["h"]}, {"h": {"ansible_user": "<%= 1 %>"}}))
    assert "<%=" not in text
    assert "<%%= 1 %>" in text
