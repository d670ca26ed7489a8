# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it means when a box could not be reached: is it down, or is it this machine, or a key?"""

from __future__ import annotations

import re

UP, DOWN, UNCLEAR = "up", "down", "unclear"

# What ssh and Ansible put before the words that say why a box can't be reached.
_PREAMBLE = re.compile(
    r"^(Task failed: )?(Failed to connect to the host via ssh: |Data could not be sent to remote host .*? over ssh: )?"
    r"(ssh: )?"
)

# Its sshd speaks to us: whatever is wrong, a reboot is no remedy.
_SPEAKS = re.compile(
    r"Permission denied|Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED"
    r"|Too many authentication failures"
    r"|no matching (?:host key|key exchange|cipher|MAC)|Invalid/incorrect password|Authentication failed",
    re.IGNORECASE,
)
# It was never asked.
_NOT_ASKED = re.compile(
    r"Could not resolve hostname|Name or service not known|Temporary failure in name resolution|Network is unreachable"
    r"|Bad configuration option|Bad owner or permissions|command not found|No such file or directory"
    r"|you must install the sshpass program",
    re.IGNORECASE,
)


def reason(said):
    """The words that say why a box can't be reached, in one line."""
    lines = [line.strip() for line in str(said).splitlines() if line.strip()]
    return _PREAMBLE.sub("", lines[-1]) if lines else ""


def judge(said):
    """The state of a box to which a connection failed with these words, and why it is that."""
    if _SPEAKS.search(said):
        return UP, f"it answers, and doesn't let us in: {reason(said)}"
    if _NOT_ASKED.search(said):
        return UNCLEAR, f"this machine could not ask it: {reason(said)}"
    return DOWN, reason(said)
