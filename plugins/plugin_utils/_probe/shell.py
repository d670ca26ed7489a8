# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a script on a host in one round trip: no Python and no file on the host."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.connection import ConnectionBase
from ansible.utils.display import Display


def run(action: ActionBase, script: str) -> dict[str, Any]:
    """Run a script, one line for a POSIX shell. Return `stdout`, `stderr` and `rc`. `action` is an action plugin."""
    if action._connection.is_pipelining_enabled():
        # Standard input keeps the script out of sudo's log and needs no terminal, and any login shell can run this
        # command. A shell of Ansible's around it would only add a wait for output that a terminal could lose.
        answer = action._low_level_execute_command("/bin/sh", in_data=script.encode() + b"\n", executable=False)
    else:
        answer = action._low_level_execute_command(script)
    return dict(answer)


def reset(connection: ConnectionBase) -> None:
    """Close an open connection, so the next command opens a new one."""
    try:
        connection.reset()
    except (AnsibleError, AttributeError) as error:
        # A caller that must know finds out on the host whether the connection is new.
        Display().vv(f"the connection can't be reset: {error}")
