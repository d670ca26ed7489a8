# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge whether a host still accepts new logins: sshd itself, and the kernel's tables that each login needs."""

from __future__ import annotations

import re
from typing import List, NamedTuple, Optional

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import Process, Table
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import Kernel
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import Findings, number_text

_SSHD = "sshd"
_SESSIONS = (_SSHD, "sshd-session")
# From here on the OOM killer takes nearly everything else first.
_PROTECTED = -200
# The share of new connections that sshd drops as soon as there are as many as MaxStartups' first number (its default).
_FIRST_DROPS = 30
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
    ):
        found.hold(check, usage["used_percent"], f"{usage['used']} of {usage['maximum']} {what} are in use")


def listeners(table: Table) -> List[Process]:
    """Return the processes of the host's own sshd that wait for connections, without its sessions and containers."""
    return [
        process
        for process in table.values()
        if process["name"] == _SSHD and process["ppid"] == 1 and not _is_session(process)
    ]


def killable(table: Table) -> List[Process]:
    """Return the listeners that are open to the OOM killer."""
    return [
        process
        for process in listeners(table)
        if process["oom_score_adj"] is not None and process["oom_score_adj"] > _PROTECTED
    ]


def startups(table: Table) -> Optional[Startups]:
    """Return what the busiest listener says in its command line, None if none says it (OpenSSH before 8.2)."""
    said = [_STARTUPS.search(process["command_line"] or "") for process in listeners(table)]
    found = [Startups(*map(int, match.groups())) for match in said if match]
    return max(found, key=lambda one: one.dropped_percent, default=None)


def _is_session(process: Process) -> bool:
    command = process["command_line"] or ""
    return command.startswith("sshd: ") and "[listener]" not in command


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
    """Tell whether sshd is gone though a session of it is still there, which pid 1 has inherited."""
    if 1 not in table or listeners(table):
        return False
    return any(
        process["name"] in _SESSIONS and process["ppid"] == 1 and _is_session(process) for process in table.values()
    )
