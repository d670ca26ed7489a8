# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One round trip to a box that may have no memory left: a script for its shell, no Python, no file on the box."""

from __future__ import annotations

import re

from ansible.errors import AnsibleError
from ansible.utils.display import Display

from ansible_collections.lifeline.fleet.plugins.module_utils._reader import decode


def run(action, script):
    """What the box's shell makes of V(script), one line as in C(_probe): C(stdout), C(stderr), C(rc). V(action) is an action plugin."""
    if action._connection.is_pipelining_enabled():
        # No terminal in between, and no script in the log of sudo. Any login shell can run this, so that none more is put between, and
        # output can only be lost on a terminal, so that nothing is to be waited for.
        return action._low_level_execute_command("/bin/sh", in_data=script.encode() + b"\n", executable=False)
    return action._low_level_execute_command(script)


def sections(answer, word):
    """What stands before the first heading C(==> word name <==) of an answer, and a list of the names with what follows each.

    V(word) is drawn anew for each script, so that nothing that is printed in between looks like a heading.
    """
    text = decode(answer.encode("utf-8", "surrogateescape")).replace("\r\n", "\n")
    head, *found = re.split(rf"^==> {re.escape(word)} (\S+) <==\n", text, flags=re.MULTILINE)
    return head, [(name, part[:-1] if part.endswith("\n") else part) for name, part in zip(found[::2], found[1::2])]


def reset(connection):
    """Have no part of the connection that was there before."""
    try:
        connection.reset()
    except (AnsibleError, AttributeError) as error:
        # Who needs to know finds out on the box whether the connection is new.
        Display().vv(f"the connection can't be reset: {error}")
