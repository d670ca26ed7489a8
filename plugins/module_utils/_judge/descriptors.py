# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the file descriptors of a host: those of the whole system, and each process's against its own limit."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import Fds
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import Findings
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.fds import has_lowered_its_limit


def judge(found: Findings, fds: Fds) -> None:
    found.hold(
        "fds_used_percent",
        fds["used_percent"],
        f"{fds['allocated']} of {fds['maximum']} descriptors of the system are open",
    )
    for process in fds["processes"]:
        if not has_lowered_its_limit(process):
            found.hold(
                "process_fds_used_percent",
                process["used_percent"],
                f"{process['name']} (pid {process['pid']}) has {process['open']} of its {process['soft_limit']} "
                "descriptors open",
                subject=process["name"],
            )
    above = fds["limit_above_maximum"]
    if above["processes"]:
        worst = above["processes"][0]
        found.hold(
            "fd_limits_above_maximum",
            above["count"],
            f"the limit of {worst['soft_limit']} descriptors of {worst['name']} (pid {worst['pid']}) can't protect: "
            f"the whole system has {fds['maximum']} (file-max)",
            subject=worst["name"],
        )
