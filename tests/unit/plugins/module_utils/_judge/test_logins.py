# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The findings about new logins: sshd, the kernel's tables, and nologin."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import logins, thresholds
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import Findings

LISTENER = "sshd: /usr/sbin/sshd -D [listener] %s startups"
NOTHING = {"used": None, "maximum": None, "used_percent": None}
KERNEL = {
    "pids": NOTHING,
    "conntrack": NOTHING,
    "ptys": NOTHING,
    "ports": NOTHING,
    "login_session": True,
    "ssh_socket": False,
    "logins_refused_by": None,
}


def process(pid, ppid=1, command="", name="sshd", adjustment=-1000, state="S"):
    return {
        pid: {
            "pid": pid,
            "ppid": ppid,
            "name": name,
            "command_line": command,
            "oom_score_adj": adjustment,
            "state": state,
        }
    }


INIT = process(1, 0, "/sbin/init", "systemd")


def judged(*processes, **kernel):
    table = {pid: entry for one in processes for pid, entry in one.items()}
    found = Findings(thresholds.merge([]))
    logins.judge(found, {**KERNEL, **kernel}, table)
    return {finding.check: finding.severity for finding in found.found}


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        ("0 of 10-100", None),
        ("9 of 10-100", None),
        ("10 of 10-100", "warning"),
        ("36 of 10-100", "critical"),
        ("100 of 10-100", "critical"),
        ("5 of 3-3", "critical"),
        ("2 of 3-3", None),
    ],
)
def test_the_command_line_of_sshd_shows_whether_it_drops_connections(said, severity):
    assert judged(INIT, process(812, command=LISTENER % said)).get("sshd_drops_percent") == severity


def test_only_the_hosts_own_listener_is_asked():
    container = process(900, 850, LISTENER % "100 of 10-100")
    assert judged(INIT, process(812, command=LISTENER % "0 of 10-100"), container) == {}


@pytest.mark.parametrize(
    ("adjustment", "severity"), [(-1000, None), (-900, None), (-17, "warning"), (0, "warning"), (None, None)]
)
def test_a_listener_that_is_open_to_the_oom_killer(adjustment, severity):
    assert (
        judged(INIT, process(812, command="/usr/sbin/sshd -D", adjustment=adjustment)).get("sshd_killable") == severity
    )


ORPHANS = {**process(24, 1, "sshd: alice [priv]", adjustment=0), **process(25, 24, "sshd: alice@pts/0", adjustment=0)}


def test_sessions_that_outlived_a_restart_of_sshd_are_no_listeners():
    assert judged(INIT, process(812, command=LISTENER % "0 of 10-100"), ORPHANS) == {}


def test_sshd_is_gone_if_only_its_sessions_are_left():
    assert judged(INIT, ORPHANS) == {"sshd_missing": "critical"}


@pytest.mark.parametrize(
    ("kernel", "processes"),
    [
        ({"ssh_socket": True}, [INIT, ORPHANS]),
        ({}, [ORPHANS]),
        ({}, [INIT]),
        ({}, [INIT, process(7, 1, "dropbear", "dropbear")]),
    ],
    ids=["a socket unit listens", "not all processes are seen", "not over sshd", "another server"],
)
def test_sshd_is_not_missing_without_proof(kernel, processes):
    assert judged(*processes, **kernel) == {}


@pytest.mark.parametrize("table", ["pids", "conntrack", "ptys"])
def test_the_kernels_tables(table):
    full = {"used": 96, "maximum": 100, "used_percent": 96.0}
    assert judged(INIT, **{table: full}) == {table + "_used_percent": "critical"}
    assert judged(INIT, **{table: {**full, "used_percent": 80.0}}) == {table + "_used_percent": "warning"}


def test_nologin():
    assert judged(INIT, logins_refused_by="/run/nologin") == {"logins_refused": "critical"}


def test_before_openssh_8_2_the_connections_are_counted():
    listener = process(812, command="/usr/sbin/sshd -D")
    waiting = [process(1000 + number, 812, "sshd: unknown [priv]") for number in range(40)]
    assert judged(INIT, listener, *waiting) == {"sshd_drops_percent": "critical"}
    in_use = [process(1000 + number, 812, "sshd: root@pts/0") for number in range(40)]
    assert judged(INIT, listener, *in_use) == {}
    pairs = [process(2000 + number, 1000 + number, "sshd: root [net]") for number in range(12)]
    parents = [process(1000 + number, 812, "sshd: root [priv]") for number in range(12)]
    assert judged(INIT, listener, *parents, *pairs) == {"sshd_drops_percent": "warning"}


def test_sshd_below_a_supervisor_or_as_the_first_process_is_a_listener():
    session = process(900, 1, "sshd: root@pts/0", adjustment=0)
    runit = process(500, 1, "runsv ssh", "runsv"), process(812, 500, "/usr/sbin/sshd -D")
    assert judged(INIT, *runit, session) == {}
    assert judged(process(1, 0, "/usr/sbin/sshd -D"), session) == {}


def test_an_sshd_for_one_connection_is_no_listener():
    assert (
        judged(INIT, process(812, command=LISTENER % "0 of 10-100"), process(900, 1, "/usr/sbin/sshd -i", adjustment=0))
        == {}
    )


def test_logins_wait_if_dbus_or_logind_is_gone():
    bus, logind = process(3, 1, "", "dbus-daemon"), process(4, 1, "", "systemd-logind")
    assert judged(INIT, bus, logind) == {}
    assert judged(INIT, logind) == judged(INIT, bus) == {"login_services_missing": "warning"}
    assert judged(INIT, bus, login_session=False) == {}
    assert judged(INIT) == {}


def test_zombies_by_the_thousand():
    dead = [process(100 + number, 50, "", "ruby", state="Z") for number in range(1000)]
    assert judged(INIT, *dead) == {"zombies": "warning"}
    assert judged(INIT, *dead[:-1]) == {}
