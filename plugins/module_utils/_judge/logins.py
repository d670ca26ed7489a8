# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge whether a host still accepts new logins: sshd itself, and the kernel's tables that each login needs."""

from __future__ import annotations

import re
from collections import Counter
from typing import List, NamedTuple, Optional, Set

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import Process, Table
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import Kernel
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import Findings, number_text

_SSHD = "sshd"
_LOGIND = "systemd-logind"
# The name of dbus-broker-launch is cut off by the kernel.
_BUSES = ("dbus-daemon", "dbus-broker", "dbus-broker-lau")
_SESSIONS = (_SSHD, "sshd-session", "sshd-auth")
# From here on the OOM killer takes nearly everything else first.
_PROTECTED = -200
# The share of new connections that sshd drops as soon as there are as many as MaxStartups' first number (its default).
_FIRST_DROPS = 30
# OpenSSH's default of MaxStartups, for versions whose listener does not say it (before 8.2).
_DEFAULT_STARTUPS = (10, 100)
# Titles of processes that serve a connection before its login.
_WAITS = re.compile(r"sshd(-session|-auth)?: (unknown \[priv\]|.{0,64}\[(accepted|preauth|net)\])")
# A program that starts services, in the place of the first process.
_SUPERVISORS = ("runsv", "s6-supervise", "supervise", "supervisord", "perpd", "tini", "dumb-init", "docker-init")
_STARTUPS = re.compile(r"\[listener\] (\d{1,9}) of (\d{1,9})-(\d{1,9}) startups")


class Startups(NamedTuple):
    """The connections that have not logged in yet, and sshd's MaxStartups: where it begins to drop, and the end."""

    waiting: int
    begin: int
    full: int

    @property
    def dropped_percent(self) -> float:
        """Return the share of new connections that sshd drops."""
        if self.waiting >= self.full:
            return 100.0
        if self.waiting < self.begin:
            return 0.0
        return _FIRST_DROPS + (100.0 - _FIRST_DROPS) * (self.waiting - self.begin) / (self.full - self.begin)


def judge(found: Findings, kernel: Kernel, table: Table) -> None:
    _sshd(found, table, kernel["ssh_socket"])
    refused = kernel["logins_refused_by"]
    if refused is not None:
        found.hold("logins_refused", 1, f"{refused} is there: only root may log in", subject=refused)
    for check, usage, what in (
        ("pids_used_percent", kernel["pids"], "processes and threads"),
        ("conntrack_used_percent", kernel["conntrack"], "connections that the firewall tracks"),
        ("ptys_used_percent", kernel["ptys"], "terminals"),
        ("ports_used_percent", kernel["ports"], "local ports for outgoing connections"),
    ):
        found.hold(check, usage["used_percent"], f"{usage['used']} of {usage['maximum']} {what} are in use")
    _zombies(found, table)
    _broken_services(found, table, kernel["login_session"])


def _broken_services(found: Findings, table: Table, session: bool) -> None:
    """Judge the two services that pam_systemd asks at each login: if only one runs, the other one is gone."""
    init = table.get(1)
    if init is None or init["name"] != "systemd" or not session:
        return
    names = {process["name"] for process in table.values() if process["ppid"] == 1 and process["state"] != "Z"}
    bus, logind = bool(names & set(_BUSES)), _LOGIND in names
    if bus != logind:
        gone = "D-Bus" if logind else "systemd-logind"
        found.hold(
            "login_services_missing", 1, f"{gone} is not running: each login waits for it, about 25 s", subject=gone
        )


def _zombies(found: Findings, table: Table) -> None:
    parents = Counter(process["ppid"] for process in table.values() if process["state"] == "Z")
    if not parents:
        return
    pid, most = parents.most_common(1)[0]
    parent = f" of {table[pid]['name']} (pid {pid})" if pid in table else f" of process {pid}"
    found.hold(
        "zombies",
        sum(parents.values()),
        f"{sum(parents.values())} dead processes keep their numbers, {most}{parent}, which does not wait for them",
        subject=table[pid]["name"] if pid in table else None,
    )


def listeners(table: Table) -> List[Process]:
    """Return the processes of the host's own sshd that wait for connections, without its sessions and containers."""
    return [
        process
        for process in table.values()
        if process["name"] == _SSHD and _is_started_as_service(process, table) and not _is_session(process)
    ]


def _is_started_as_service(process: Process, table: Table) -> bool:
    """Return whether a process is the first one of a container, or was started by it or by a supervisor below it."""
    if process["pid"] == 1 or process["ppid"] == 1:
        return True
    parent = table.get(process["ppid"])
    return parent is not None and parent["ppid"] == 1 and parent["name"] in _SUPERVISORS


def killable(table: Table) -> List[Process]:
    """Return the listeners that are open to the OOM killer."""
    return [
        process
        for process in listeners(table)
        if process["oom_score_adj"] is not None and process["oom_score_adj"] > _PROTECTED
    ]


def startups(table: Table) -> Optional[Startups]:
    """Return what the busiest listener says in its command line, or how many connections wait, before OpenSSH 8.2."""
    waiting = listeners(table)
    said = [_STARTUPS.search(process["command_line"] or "") for process in waiting]
    found = [Startups(*map(int, match.groups())) for match in said if match]
    if waiting and not found:
        found = [Startups(_connections(table, {process["pid"] for process in waiting}), *_DEFAULT_STARTUPS)]
    return max(found, key=lambda one: one.dropped_percent, default=None)


def _connections(table: Table, listening: Set[int]) -> int:
    """Return how many children of the listeners serve a connection that has not logged in yet."""
    serving = {
        process["pid"] if process["ppid"] in listening else process["ppid"]
        for process in table.values()
        if process["name"] in _SESSIONS and _WAITS.match(process["command_line"] or "")
    }
    return sum(1 for pid in serving if pid in table and table[pid]["ppid"] in listening)


def _is_session(process: Process) -> bool:
    command = process["command_line"] or ""
    # systemd starts an `sshd -i` for each connection if its socket has Accept=yes.
    inetd = "-i" in command.split()[1:]
    return inetd or (command.startswith(("sshd: ", "sshd-session: ")) and "[listener]" not in command)


def _sshd(found: Findings, table: Table, accepting: bool) -> None:
    exposed = killable(table)
    if exposed:
        found.hold(
            "sshd_killable",
            len(exposed),
            f"sshd (pid {exposed[0]['pid']}) is open to the OOM killer (oom_score_adj {exposed[0]['oom_score_adj']})",
            subject=_SSHD,
        )
    waiting = startups(table)
    if waiting is not None:
        found.hold(
            "sshd_drops_percent",
            round(waiting.dropped_percent, 1),
            f"sshd drops {number_text(waiting.dropped_percent)} % of new connections: "
            f"{waiting.waiting} have not logged in yet (MaxStartups {waiting.begin} to {waiting.full})",
            subject=_SSHD,
        )
    if not accepting and _is_gone(table):
        found.hold("sshd_missing", 1, "no sshd waits for connections: no new login is possible", subject=_SSHD)


def _is_gone(table: Table) -> bool:
    """Return whether sshd is gone though a session of it is still there, which pid 1 has inherited."""
    if 1 not in table or listeners(table):
        return False
    return any(
        process["name"] in _SESSIONS and process["ppid"] == 1 and _is_session(process) for process in table.values()
    )
