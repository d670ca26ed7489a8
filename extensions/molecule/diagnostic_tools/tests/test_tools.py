# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test that the tools are installed, that no new service runs, and that the tmux session is what the playbook wrote."""

from __future__ import annotations

import pathlib
import subprocess

import boxes as lab
import pytest

SCENARIO = pathlib.Path(__file__).resolve().parents[1]
PROGRAMS = (
    "curl",
    "dig",
    "file",
    "htop",
    "iotop-c",
    "jq",
    "less",
    "lsof",
    "mtr",
    "nc",
    "ncdu",
    "ps",
    "pstree",
    "ss",
    "strace",
    "sar",
    "tmux",
    "vi",
)
PRESET = "/run/systemd/system-preset/00-lifeline-diagnostic-tools.preset"


@pytest.fixture(scope="module")
def boxes():
    return lab.of_set("diagnostic_tools")


def converge(boxes, **variables):
    succeeded, said = lab.play(SCENARIO / "converge.yml", [box.name for box in boxes], variables)
    return succeeded, " ".join(said.split())


def test_the_tools_are_installed(boxes):
    def look(box):
        assert (
            box.run(f"for program in {' '.join(PROGRAMS)}; do command -v $program > /dev/null || echo $program; done")
            == ""
        )
        assert box.attempt("dpkg-query -s tcpdump").returncode != 0

    boxes.each(look)


def test_no_service_is_started_or_enabled(boxes):
    def look(box):
        units = box.run("systemctl list-units --all --plain --no-legend 'sysstat*' 'memcached*'")
        assert " active " not in units
        assert box.attempt("systemctl list-unit-files --no-legend --state=enabled 'sysstat*' 'memcached*'").stdout == ""
        assert box.attempt("pidof memcached").returncode == 1
        assert box.attempt("test -e " + PRESET).returncode == 1

    boxes.each(look)


def test_a_running_service_keeps_running(boxes):
    boxes.each(lambda box: box.run("apt-get -qq purge memcached > /dev/null 2>&1; systemctl is-active ssh"))
    enabled = boxes.each(lambda box: box.run("systemctl list-unit-files --no-legend --state=enabled"))
    succeeded, said = converge(boxes)
    assert succeeded, said
    assert boxes.each(lambda box: box.run("systemctl list-unit-files --no-legend --state=enabled")) == enabled
    assert boxes.each(lambda box: box.run("systemctl is-active ssh")) == ["active"] * len(boxes)


@pytest.mark.parametrize("tool", [{"name": "no such thing"}, {"name": "--help"}, {"name": "htop", "state": "gone"}])
def test_a_wrong_entry_is_an_error(boxes, tool):
    succeeded, said = converge(boxes, tools=[tool])
    assert not succeeded
    assert "diagnostic_tools" in said
    assert "changed=0" in said


def test_an_unknown_package_leaves_no_preset_behind(boxes):
    succeeded, said = converge(boxes, tools=[{"name": "lifeline-no-such-package"}])
    assert not succeeded
    assert "lifeline-no-such-package" in said
    assert boxes.each(lambda box: box.attempt("test -e " + PRESET).returncode) == [1] * len(boxes)


def test_a_session_has_one_window_per_box(boxes, tmp_path):
    """Start the session of this inventory in a real tmux, with an ssh that only prints its arguments."""
    done = subprocess.run(
        [
            "ansible-playbook",
            "-i",
            str(lab.INVENTORY),
            "lifeline.fleet.tmux",
            "-e",
            "tmux_hosts=diagnostic_tools",
            "-e",
            f"tmux_directory={tmp_path}",
            "-e",
            "tmux_session=fleet",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fleet.sh", "fleet.yml"]
    box = boxes[0]
    ssh = "#!/bin/sh\nprintf '%s\\n' \"$*\" >> /tmp/fleet/said\n"
    box.run(
        f"rm -rf /tmp/fleet && mkdir /tmp/fleet && cat > /tmp/fleet/ssh <<'END'\n{ssh}\nEND\nchmod 755 /tmp/fleet/ssh"
    )
    box.run(f"cat > /tmp/fleet/fleet.sh <<'END'\n{(tmp_path / 'fleet.sh').read_text()}\nEND")
    try:
        # There is no terminal to attach the session to.
        box.attempt("PATH=/tmp/fleet:$PATH LC_ALL=C.UTF-8 sh /tmp/fleet/fleet.sh")
        said = box.wait("cat /tmp/fleet/said", wanted=lambda said: len(said.splitlines()) >= len(boxes))
        assert sorted(line.rpartition(" -- ")[2] for line in said.splitlines()) == sorted(
            box.variables["ansible_host"] for box in boxes
        )
        windows = box.run("tmux list-windows -t =fleet -F '#W'").splitlines()
        assert sorted(window.rpartition("/")[2] for window in windows) == sorted(box.name for box in boxes)
    finally:
        box.attempt("tmux kill-server; rm -rf /tmp/fleet")
