# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One round trip to a box that may have no memory left: a script for its shell, no Python, no file on the box."""

from __future__ import annotations

from ansible.errors import AnsibleError
from ansible.utils.display import Display


def run(action, script):
    """What the box's shell makes of V(script), one line as in C(_probe): C(stdout), C(stderr), C(rc). V(action) is an action plugin."""
    if action._connection.is_pipelining_enabled():
        # No terminal in between, and no script in the log of sudo. Any login shell can run this, so that none more is put between, and
        # output can only be lost on a terminal, so that nothing is to be waited for.
        return action._low_level_execute_command("/bin/sh", in_data=script.encode() + b"\n", executable=False)
    return action._low_level_execute_command(script)


def reset(connection):
    """Have no part of the connection that was there before."""
    try:
        connection.reset()
    except (AnsibleError, AttributeError) as error:
        # Who needs to know finds out on the box whether the connection is new.
        Display().vv(f"the connection can't be reset: {error}")
