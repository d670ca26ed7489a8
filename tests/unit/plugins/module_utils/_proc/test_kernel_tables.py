# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's tables that refuse new logins once they are full."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import kernel_tables

V2 = {
    "/proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "/proc/self/cgroup": "0::/user.slice\n",
}


def test_the_smaller_of_the_kernels_two_limits_counts():
    sources = {
        "/proc/loadavg": "0.4 0.4 0.4 1/950 25011\n",
        "/proc/sys/kernel/pid_max": "4194304\n",
        "/proc/sys/kernel/threads-max": "1000\n",
    }
    assert kernel_tables.parse(sources)["pids"] == {"used": 950, "maximum": 1000, "used_percent": 95.0}


def test_a_control_group_that_is_fuller_than_the_kernels_table_counts():
    sources = {
        **V2,
        "/proc/loadavg": "0.4 0.4 0.4 1/950 25011\n",
        "/proc/sys/kernel/pid_max": "4194304\n",
        "/sys/fs/cgroup/user.slice/pids.current": "99\n",
        "/sys/fs/cgroup/user.slice/pids.max": "100\n",
        "/sys/fs/cgroup/pids.max": "max\n",
        "/sys/fs/cgroup/pids.current": "500\n",
    }
    assert kernel_tables.parse(sources)["pids"] == {"used": 99, "maximum": 100, "used_percent": 99.0}


@pytest.mark.parametrize("text", ["", "many\n", "-1\n", "9" * 40])
def test_what_is_no_number_is_unknown(text):
    sources = {"/proc/sys/kernel/pid_max": text, "/proc/sys/kernel/pty/nr": text, "/proc/loadavg": text}
    tables = kernel_tables.parse(sources)
    assert tables["pids"]["used_percent"] is tables["ptys"]["used_percent"] is None


def test_nothing_read_is_nothing_known():
    unknown = {"used": None, "maximum": None, "used_percent": None}
    assert kernel_tables.parse({}) == {
        "pids": unknown,
        "conntrack": unknown,
        "ptys": unknown,
        "ports": unknown,
        "disk_errors": {},
        "login_session": False,
        "container": False,
        "lxcfs": False,
        "ssh_socket": False,
        "logins_refused_by": None,
    }


def test_a_socket_unit_and_nologin():
    found = kernel_tables.parse({"/sys/fs/cgroup/system.slice/ssh.socket/cgroup.procs": "", "/etc/nologin": "closed\n"})
    assert (found["ssh_socket"], found["logins_refused_by"]) == (True, "/etc/nologin")


def test_local_ports():
    found = kernel_tables.parse(
        {
            "/proc/net/sockstat": "sockets: used 900\nTCP: inuse 20000 orphan 3 tw 5000 alloc 20010 mem 9\n",
            "/proc/net/sockstat6": "TCP6: inuse 41\nUDP6: inuse 3\n",
            "/proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
        }
    )
    assert found["ports"] == {"used": 25041, "maximum": 28232, "used_percent": 88.7}


def test_errors_of_ext4():
    errors = {"/sys/fs/ext4/vda1/errors_count": "0\n", "/sys/fs/ext4/dm-0/errors_count": "3\n"}
    assert kernel_tables.parse(errors)["disk_errors"] == {"dm-0": 3}


def test_a_session_of_logind():
    assert kernel_tables.parse({"/proc/self/cgroup": "0::/user.slice/user-0.slice/session-4.scope\n"})["login_session"]
    assert not kernel_tables.parse({"/proc/self/cgroup": "0::/system.slice/ssh.service\n"})["login_session"]


def test_the_pids_controller_of_version_1_has_a_hierarchy_of_its_own():
    sources = {
        "/proc/self/mountinfo": "30 25 0:26 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n",
        "/proc/self/cgroup": "7:pids:/user.slice/user-0.slice\n",
        "/sys/fs/cgroup/pids/user.slice/user-0.slice/pids.max": "100\n",
        "/sys/fs/cgroup/pids/user.slice/user-0.slice/pids.current": "97\n",
    }
    assert kernel_tables.parse(sources)["pids"] == {"used": 97, "maximum": 100, "used_percent": 97.0}
