# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the role with a real monit: its checks, the settings it refuses, and its behavior on errors."""

from __future__ import annotations

import re

import pytest
from boxes import Boxes

READY_MADE = {"lifeline_system", "lifeline_memory", "lifeline_filesystems", "lifeline_sshd", "lifeline_oom"}
BROKEN = {
    "name": "broken",
    "check": "process",
    "with": "pidfile /run/broken.pid",
    "rules": ["if does not exist then alert", "if totalmem > 13GB then restart"],
}


@pytest.fixture
def plain(boxes):
    """Return a box that has only the defaults."""
    return next(box for box in boxes if not box.alternative)


def test_the_daemon_has_the_checks_of_the_inventory(boxes):
    def look(box):
        box.watched()
        wanted = (
            {"lifeline_filesystems", "lifeline_sshd", "lifeline_worker_crawler", "motd"}
            if box.alternative
            else READY_MADE
        )
        assert wanted <= set(box.checks()) <= wanted | {box.name}
        assert box.checks()["lifeline_sshd"] == "OK"

    boxes.each(look)


def test_only_root_reaches_it_and_reads_its_secrets(boxes):
    def look(box):
        socket = "/run/watch/control" if box.alternative else "/run/monit.sock"
        connect = f"python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"{socket}\")'"
        assert "Permission denied" in box.attempt("runuser -u nobody -- " + connect).stderr
        box.run(connect)
        # The inodes of all listening TCP sockets must not be among monit's.
        listening = set(box.run("awk '$4 == \"0A\" {print $10}' /proc/net/tcp /proc/net/tcp6").split())
        assert listening and not listening & set(
            re.findall(r"socket:\[(\d+)\]", box.run(f"ls -l /proc/{box.pid()}/fd"))
        )
        assert box.run("stat -c '%U %a' /etc/monit/monitrc /etc/monit/lifeline.d/*").splitlines() == ["root 600"] * (
            len(box.run("ls /etc/monit/lifeline.d").split()) + 1
        )

    boxes.each(look)


def test_monit_and_health_warn_at_the_same_share_of_a_file_system(boxes):
    """Fill a file system of a hundred blocks, so each block is one percent."""

    def fill(box):
        box.run("mkdir -p /srv/small && mount -t tmpfs -o size=400k tmpfs /srv/small")
        levels = box.settings.get("lifeline_thresholds", {}).get("disk_used_percent", {"warning": 90, "critical": 95})
        program = re.search(r'path "([^"]+)"', box.run("cat /etc/monit/lifeline.d/monit-lifeline_filesystems")).group(1)
        try:
            for percent, severity in (
                (levels["warning"] - 1, None),
                (levels["warning"], "warning"),
                (levels["critical"] - 1, "warning"),
                (levels["critical"], "critical"),
            ):
                box.run(f"head -c {4 * percent}k /dev/zero > /srv/small/file")
                assert box.run("df --output=pcent /srv/small | tail -n 1").strip() == f"{percent}%"
                found = [
                    finding["severity"] for finding in box.health()["findings"] if "/srv/small" in finding["message"]
                ]
                assert found == ([severity] if severity else []), percent
                said = box.attempt(program)
                assert (f"/srv/small: {percent}% of its space used" in said.stdout) == bool(severity), percent
                assert said.returncode == {None: 0, "warning": 1, "critical": 2}[severity], said.stdout
            box.wait("monit -B status lifeline_filesystems", wanted=lambda text: "/srv/small" in text)
        finally:
            box.run("umount /srv/small")
        box.wait("monit -B summary", wanted=lambda text: re.search(r"lifeline_filesystems +OK", text))

    boxes.each(fill)


@pytest.mark.parametrize(("megabytes", "strikes"), [(40, False), (60, True)])
def test_monit_and_health_warn_at_the_same_memory_of_a_worker(boxes, megabytes, strikes):
    """Grow a worker below and above the warning at 80 % of 64 MB."""

    def grow(box):
        box.run(
            "systemd-run --quiet --unit=crawler "
            f"python3 -c 'import time; x = b\"x\" * ({megabytes - 9} << 20); time.sleep(600)' crawler"
        )
        try:
            rss = int(
                box.wait(
                    "ps -o rss= -p $(systemctl show --value -p MainPID crawler)",
                    wanted=lambda kb: int(kb) > megabytes * 900,
                )
            )
            assert (rss * 1024 >= 0.8 * (64 << 20)) == strikes
            found = {
                finding["severity"]
                for finding in box.health()["findings"]
                if finding["check"] == "worker_memory_percent"
            }
            assert found == ({"warning"} if strikes else set())
            box.wait(
                "monit -B summary",
                wanted=lambda text: re.search(
                    f"lifeline_worker_crawler +{'Resource limit matched' if strikes else 'OK'}", text
                ),
            )
        finally:
            box.run("systemctl stop crawler")

    Boxes(box for box in boxes if box.alternative).each(grow)


def test_an_alarm_program_runs_without_the_sandbox_of_the_package(boxes):
    def alarm(box):
        box.run("rm -rf /srv/alarms; mkdir -p /srv/small && mount -t tmpfs -o size=400k tmpfs /srv/small")
        try:
            box.run("head -c 380k /dev/zero > /srv/small/file")
            assert "lifeline_filesystems: " in box.wait("cat /srv/alarms/told")
        finally:
            box.run("umount /srv/small")
        assert box.run("stat -c %U /srv/alarms/told") == "nobody"

    Boxes(box for box in boxes if box.alternative).each(alarm)


def test_a_check_that_monit_refuses_changes_nothing(plain, converge):
    state = "cat /etc/monit/monitrc /etc/monit/lifeline.d/* | md5sum; systemctl show -p MainPID monit"
    before, reloads = plain.run(state), plain.reloads()
    done, output = converge(plain, monit_checks=[BROKEN])
    assert not done
    assert "check broken, line 3: syntax error" in " ".join(output.split()), output
    assert plain.run(state) == before
    assert plain.reloads() == reloads
    assert "broken" not in plain.checks()


@pytest.mark.parametrize(
    ("check", "complaint"),
    [
        ({"name": "a b", "check": "file"}, "not a name ('a b'); use at most 100 letters, digits and"),
        ({"name": "x", "check": "thing"}, "value of check must be one of: process, file"),
        (
            {"name": "x", "check": "file", "rulez": []},
            "monit_checks.rulez. Supported parameters include: check, name, rules",
        ),
        (
            {
                "name": "x",
                "check": "program",
                "with": 'path "/usr/bin/true"',
                "rules": ['if status != 0 then exec "/no/such"'],
            },
            "check x, line 2: Program does not exist: '/no/such'",
        ),
    ],
)
def test_a_wrong_check_is_an_error(plain, converge, check, complaint):
    before = plain.run("cat /etc/monit/lifeline.d/* | md5sum")
    done, output = converge(plain, monit_checks=[check])
    assert not done
    assert complaint in " ".join(output.replace("''", "'").split()), output
    assert plain.run("cat /etc/monit/lifeline.d/* | md5sum") == before


def test_one_new_number_is_one_changed_task_and_one_reload(plain, converge):
    reloads, pid = plain.reloads(), plain.pid()
    done, output = converge(plain, lifeline_thresholds={"disk_used_percent": {"warning": 88}})
    assert done, output
    assert len(re.findall("^changed:", output, re.MULTILINE)) == 2, "the files, and the daemon that reads them"
    assert (plain.reloads(), plain.pid()) == (reloads + 1, pid)
    assert "check-filesystems 88 95 - 10240 90 95 1000000 100000" in plain.run(
        "cat /etc/monit/lifeline.d/monit-lifeline_filesystems"
    )
    assert "check-filesystems 88 95 - 10240 90 95 1000000 100000" in plain.run(
        "cat /proc/$(systemctl show --value -p MainPID monit)/task/*/children > /dev/null; monit -B -v -t 2>&1"
    )


def test_a_check_that_is_no_longer_set_is_removed(plain, converge):
    mine = {"name": "passwd", "check": "file", "with": "path /etc/passwd", "rules": ["if not exist then alert"]}
    assert converge(plain, monit_checks=[mine])[0]
    assert plain.checks()["passwd"] == "OK"
    done, output = converge(
        plain, monit_checks=[dict(mine, state="absent"), {"name": "lifeline_oom", "state": "absent"}]
    )
    assert done, output
    assert not {"passwd", "lifeline_oom"} & set(plain.checks())
    assert not plain.run("ls /etc/monit/lifeline.d | grep -e passwd -e oom || :")


def test_the_next_run_resumes_unmonitored_checks(plain, converge):
    plain.run("monit unmonitor lifeline_sshd")
    plain.watched(yes=False)
    done, output = converge(plain)
    assert done, output
    plain.watched()
    # Let monit stop monitoring by itself, after restarts of a program that never starts.
    hopeless = {
        "name": "hopeless",
        "check": "process",
        "with": "pidfile /run/hopeless.pid",
        "rules": [
            'start program = "/bin/false"',
            "if does not exist then restart",
            "if 1 restarts within 2 cycles then unmonitor",
        ],
    }
    converge(plain, monit_checks=[hopeless], monit_wait_seconds=2)
    plain.wait("monit -B summary", wanted=lambda text: re.search("hopeless +Not monitored", text))
    plain.run(
        "systemd-run --quiet --unit=hopeless sleep 600; systemctl show --value -p MainPID hopeless > /run/hopeless.pid"
    )
    try:
        done, output = converge(plain, monit_checks=[hopeless])
        assert done, output
        plain.wait("monit -B summary", wanted=lambda text: re.search("hopeless +OK", text))
    finally:
        plain.run("systemctl stop hopeless; rm /run/hopeless.pid")


@pytest.fixture
def theirs(boxes):
    """Return a function that makes monit read a file that doesn't belong to the role."""

    def write(box, text):
        box.run(f"mkdir -p /etc/monit/conf.d && echo '{text}' > /etc/monit/conf.d/theirs")
        return box.attempt("systemctl reload monit").returncode

    def remove(box):
        box.run("rm -f /etc/monit/conf.d/theirs && systemctl reload monit")
        box.wait("monit -B summary", wanted=lambda text: "theirs" not in text)

    yield write
    boxes.each(remove)


def test_a_broken_foreign_file_does_not_end_the_daemon(boxes, theirs):
    def reload(box):
        pid = box.pid()
        assert theirs(box, "nonsense") != 0
        assert box.pid() == pid
        assert box.run("systemctl is-active monit") == "active"

    boxes.each(reload)


def test_a_broken_foreign_file_is_named(plain, theirs, converge):
    theirs(plain, "nonsense")
    before = plain.run("cat /etc/monit/lifeline.d/* | md5sum")
    done, output = converge(plain, monit_checks=[{"name": "mine", "check": "file", "with": "path /etc/passwd"}])
    assert not done
    assert "/etc/monit/conf.d/theirs:1: syntax error" in " ".join(output.split()), output
    assert plain.run("cat /etc/monit/lifeline.d/* | md5sum") == before
    plain.run("rm /etc/monit/conf.d/theirs")


def test_foreign_checks_stay(boxes, theirs, converge):
    for box in boxes:
        assert theirs(box, "check file theirs with path /etc/hosts") == 0
    done, output = converge(*boxes)
    assert done, output
    boxes.each(lambda box: box.wait("monit -B summary", wanted=lambda text: re.search("theirs +OK", text)))


def test_a_killed_daemon_is_started_again(boxes):
    def kill(box):
        checks, pid = set(box.checks()), box.pid()
        box.run(f"kill -9 {pid}")
        box.wait("monit -B summary", wanted=lambda text: "Not monitored" not in text and "Initializing" not in text)
        assert set(box.checks()) == checks
        assert box.pid() != pid

    boxes.each(kill)


def test_it_monitors_after_a_reboot(boxes):
    def boot(box):
        checks = set(box.checks())
        box.reboot()
        box.wait("monit -B summary")
        box.watched()
        assert set(box.checks()) == checks

    boxes.each(boot)


def test_a_folder_of_another_user_is_never_written_to(plain):
    plain.run("install -d -o nobody /srv/app && ln -s /etc/nologin /srv/app/config.yml")
    try:
        answer = plain.module("config_files", {"files": [{"path": "/srv/app/config.yml", "content": "x"}]})
        assert "/srv/app/config.yml is not safe to write: /srv/app belongs to user nobody" in answer["msg"]
        assert plain.run("ls /etc/nologin 2> /dev/null || :") == ""
    finally:
        plain.run("rm -r /srv/app")


def test_a_full_disk_damages_no_file(plain):
    """Write two files of which the second doesn't fit on the disk: neither is written."""
    plain.run("mkdir -p /srv/full && mount -t tmpfs -o size=64k,mode=755 tmpfs /srv/full && echo old > /srv/full/first")
    try:
        answer = plain.module(
            "config_files",
            {
                "files": [
                    {"path": "/srv/full/first", "content": "new\n"},
                    {"path": "/srv/full/second", "content": "x" * 100000},
                ]
            },
        )
        assert "/srv/full/second cannot be written: No space left on device" in answer["msg"]
        assert plain.run("cat /srv/full/first; ls -A /srv/full") == "old\nfirst"
    finally:
        plain.run("umount /srv/full")


def test_the_role_removes_everything_it_installed(plain, converge):
    done, output = converge(plain, monit_enabled=False)
    assert done, output
    assert plain.attempt("systemctl cat monit").returncode
    assert not plain.run(
        "ls -d /etc/monit/lifeline.d /etc/monit/monitrc /usr/local/lib/lifeline/check-* /etc/systemd/system/*monit* "
        "/etc/systemd/system/*/monit* 2> /dev/null || :"
    )
    assert plain.attempt("pgrep -x monit").returncode
    done, output = converge(plain, monit_enabled=False)
    assert "changed=0" in output.split("monit-")[-1], output


def test_the_next_run_recovers_from_a_wrong_first_configuration(plain, converge):
    """Start on a box without monit, as the previous test leaves it."""
    assert converge(plain, monit_enabled=False)[0]
    done, output = converge(plain, monit_checks=[BROKEN])
    assert not done
    assert "check broken, line 3: syntax error" in " ".join(output.split()), output
    done, output = converge(plain)
    assert done, output
    plain.watched()
