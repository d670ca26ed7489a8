# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide from the error of a failed connection whether a host is down, answers, or could not be asked.

A host that is down may be rebooted, so only phrases that certainly mean it count. They come from OpenSSH, Ansible's
connection plugins, and our own deadline.
"""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape

UP, DOWN, UNCLEAR = "up", "down", "unclear"

# The words of our deadline for a host that accepted a connection and stayed silent.
SILENT = "the box accepted the connection, and then said nothing for"

# The words of ssh and Ansible in front of the reason.
_LEAD = re.compile(
    r"^(Task failed: )?(Failed to connect to the host via ssh: |Data could not be sent to remote host .*? over ssh: )?"
    r"(ssh: )?"
)
# sshd of the host answers, so a reboot does not help.
_SPEAKS = re.compile(
    r"Permission denied|(?:exec|shell|PTY allocation) request failed on channel"
    r"|Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED"
    r"|Too many authentication failures|Received disconnect from"
    r"|no matching (?:host key|key exchange|cipher|MAC)|Invalid/incorrect password|Authentication failed",
    re.IGNORECASE,
)
_SILENT = re.compile(
    r"Connection timed out|Operation timed out|Connection refused|No route to host|Host is down"
    r"|Connection reset by|Connection closed by|Timeout, server .{1,255} not responding"
    r"|(?:kex_exchange_identification|ssh_exchange_identification|banner exchange): "
    r"|Unable to connect to port \d{1,5}|" + re.escape(SILENT),
    re.IGNORECASE,
)
# ssh goes through another host or program, which may have failed instead.
_BEHIND = re.compile(r"UNKNOWN port 65535|stdio forwarding failed|proxy|open failed:", re.IGNORECASE)
# The host in between reports that it tried.
_TRIED = re.compile(
    r"open failed: connect failed: (?:Connection timed out|Connection refused|No route to host|Host is down)"
)
# Other lines of ssh: its progress, the keys that it added, and its warning about quantum computers.
_NOISE = re.compile(
    r"debug\d: |OpenSSH_\d|OpenSSL |LibreSSL |Authenticated to |Transferred: |Bytes per second: |Pseudo-terminal "
    r"|Warning: Permanently added |\*\* |Add(?:ing|ed) |Killed by signal|mux_client|Control(?:Socket|Path)"
    r"|Shared connection to |Connection to .{1,255} closed"
)


def reason(said: object) -> str:
    """Return why a host can't be reached, in one line that is safe to print."""
    lines = [line.strip() for line in str(said).splitlines() if line.strip()]
    lines = [lines[0], *(line for line in lines[1:] if not _NOISE.match(line))] if lines else []
    telling = [line for line in lines if _SPEAKS.search(line) or _SILENT.search(line)]
    shown = (telling or lines or [""])[-1]
    return escape(_LEAD.sub("", shown, count=1))


def judge(said: object) -> tuple[str, str]:
    """Return the state of a host from the error of a failed connection, and the reason."""
    text = "\n".join(line for line in str(said).splitlines() if not _NOISE.match(line.strip()))
    why = reason(text)
    if _BEHIND.search(text):
        return (DOWN, why) if _TRIED.search(text) else (UNCLEAR, f"another host on the way failed: {why}")
    if _SPEAKS.search(text):
        return UP, f"it answers, but rejects the login: {why}"
    if _SILENT.search(text):
        return DOWN, why
    return UNCLEAR, f"this machine could not ask it: {why or 'no reason given'}"
