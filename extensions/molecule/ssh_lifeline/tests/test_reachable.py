# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test that each part that keeps SSH reachable works, can be switched off, and never reduces an existing value."""

from __future__ import annotations

import re

FILES = [
    "/etc/tmpfiles.d/lifeline-mglru.conf",
    "/etc/systemd/system/ssh.service.d/lifeline.conf",
    "/etc/systemd/system/system.slice.d/lifeline.conf",
    "/etc/systemd/system/user.slice.d/lifeline.conf",
]
MB = 1 << 20


def arguments(box):
    return box.run("tr '\\0' '\\n' < /proc/$(systemctl show --value -p MainPID earlyoom)/cmdline").splitlines()


def memory_min(box):
    return [
        box.run("systemctl show --value -p MemoryMin " + unit) for unit in ("ssh.service", "system.slice", "user.slice")
    ]


def present(box, *files):
    return box.run(f"ls -d {' '.join(files)} 2> /dev/null || :").splitlines()


def test_earlyoom_has_the_settings_of_the_inventory_and_is_restarted(boxes):
    def look(box):
        words = arguments(box)
        assert words[1:5] == ["-m", "5", "-s", "100"]
        box.run("kill -9 $(systemctl show --value -p MainPID earlyoom)")
        box.wait("systemctl is-active earlyoom")
        assert box.wait("systemctl is-enabled earlyoom") == "enabled"
        assert arguments(box) == words

    boxes.each(look)


def test_earlyoom_avoids_the_operators_processes_and_prefers_those_in_its_setting(boxes):
    def look(box):
        words = arguments(box)
        avoid, prefer = (re.compile(words[words.index(option) + 1]) for option in ("--avoid", "--prefer"))
        running = set(box.run("ps -e -o comm=").splitlines())
        spared = {name for name in running if avoid.search(name)}
        assert {"systemd", "sshd", "systemd-journal", "earlyoom"} <= spared
        assert all(name in spared for name in running if name.startswith(("sshd", "systemd", "dbus-")))
        for name in ("monit", "tmux: server", "bash", "(sd-pam)", "sshd-session", "dbus-daemon", "dbus-broker"):
            assert avoid.search(name) and not prefer.search(name)
        for name in ("chrome", "chromium"):
            assert prefer.search(name) and not avoid.search(name)
        for name in ("ruby3.1", "sidekiq 7.3.2 a", "python3", "redis-server", "mysqld", "monitor", "shell"):
            assert not avoid.search(name) and not prefer.search(name)

    boxes.each(look)


def test_memory_is_reserved_for_sshd_the_system_and_the_session(boxes):
    def look(box):
        assert memory_min(box) == [str(size * MB) for size in (64, 160, 64)]

    boxes.each(look)


def test_a_missing_kernel_feature_is_no_error(boxes):
    def look(box):
        box.run("systemd-tmpfiles --create lifeline-mglru.conf")
        if box.attempt("test -w /sys/kernel/mm/lru_gen/min_ttl_ms").returncode == 0:
            assert box.run("cat /sys/kernel/mm/lru_gen/min_ttl_ms") == "1000"

    boxes.each(look)


def test_a_higher_descriptor_limit_is_kept(boxes, converge, back):
    box = boxes[0]
    had = int(box.run("cat /proc/sys/fs/file-max"))
    name = "/etc/sysctl.d/60-lifeline-file-max.conf"
    succeeded, said = converge(box, ssh_lifeline_file_max=had - 1)
    assert succeeded, said
    assert not present(box, name)
    # The written value is never less than the present one, so applying it reduces nothing.
    succeeded, said = converge(box, ssh_lifeline_file_max=had)
    assert succeeded, said
    assert f"fs.file-max = {had}" in box.run("cat " + name)
    assert int(box.run("cat /proc/sys/fs/file-max")) == had


def test_a_pattern_that_earlyoom_rejects_is_never_written(boxes, converge):
    box = boxes[0]
    before = box.run("cat /etc/default/earlyoom")
    for avoid, words in (
        (["(mysqld"], "could not compile regexp"),
        (["my sqld"], "ssh_lifeline_earlyoom_avoid: wrong value (['my sqld']); use"),
    ):
        succeeded, said = converge(box, ssh_lifeline_earlyoom_avoid=avoid)
        assert not succeeded and words in said, said
        assert box.run("cat /etc/default/earlyoom") == before
        assert box.run("systemctl is-active earlyoom") == "active"


def test_a_masked_unit_is_named_and_the_operator_can_log_in(boxes, converge):
    box = boxes[0]
    box.run("systemctl disable --now earlyoom && systemctl mask earlyoom")
    try:
        succeeded, said = converge(box)
        assert not succeeded and "earlyoom" in said and "is masked" in said, said
        box.lets_in()
    finally:
        box.run("systemctl unmask earlyoom && systemctl enable --now earlyoom")
    assert converge(box)[0]


def test_each_part_can_be_switched_off_and_leaves_nothing(boxes, converge, back):
    box = boxes[0]
    off = {
        "ssh_lifeline_earlyoom": False,
        "ssh_lifeline_mglru": False,
        "ssh_lifeline_keep_memory": False,
        "ssh_lifeline_file_max": 0,
    }
    succeeded, said = converge(box, **off)
    assert succeeded, said
    assert present(box, *FILES, "/etc/default/earlyoom", "/usr/bin/earlyoom") == []
    assert memory_min(box) == ["0", "0", "0"]
    assert "changed=0" in converge(box, **off)[1].partition("PLAY RECAP")[2]


def test_a_foreign_earlyoom_stays_unchanged(boxes, converge, back):
    box = boxes[0]
    box.run("echo 'EARLYOOM_ARGS=\"-m 3\"' > /etc/default/earlyoom")
    succeeded, said = converge(box, ssh_lifeline_earlyoom=False)
    assert succeeded, said
    assert box.run("cat /etc/default/earlyoom") == 'EARLYOOM_ARGS="-m 3"'
    assert box.run("systemctl is-active earlyoom") == "active"
