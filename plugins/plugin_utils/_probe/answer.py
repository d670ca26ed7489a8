# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed connection says of a host: is it down, does it answer, or can't this machine tell?

Hosts that are down may be rebooted, so only phrases that are known to mean it count. The words are OpenSSH's, those of
Ansible's connection plugins, and our own deadline's.
"""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape

UP, DOWN, UNCLEAR = "up", "down", "unclear"

# What our deadline says of a host that accepted a connection and was silent.
SILENT = "the box accepted the connection, and then said nothing for"

# What ssh and Ansible put before the words that tell.
_LEAD = re.compile(
    r"^(Task failed: )?(Failed to connect to the host via ssh: |Data could not be sent to remote host .*? over ssh: )?"
    r"(ssh: )?"
)
# The host's sshd speaks: whatever is wrong, a reboot is no remedy.
_SPEAKS = re.compile(
    r"Permission denied|Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED"
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
# ssh goes through another host or program, and that may be what failed.
_BEHIND = re.compile(r"UNKNOWN port 65535|stdio forwarding failed|proxy|open failed:", re.IGNORECASE)
# The host in between has tried, and says so.
_TRIED = re.compile(
    r"open failed: connect failed: (?:Connection timed out|Connection refused|No route to host|Host is down)"
)
# Lines that ssh prints besides: what it does, what it added, and how to protect keys against quantum computers.
_NOISE = re.compile(
    r"debug\d: |OpenSSH_\d|OpenSSL |LibreSSL |Authenticated to |Transferred: |Bytes per second: |Pseudo-terminal "
    r"|Warning: Permanently added |\*\* |Add(?:ing|ed) |Killed by signal|mux_client|Control(?:Socket|Path)"
    r"|Shared connection to |Connection to .{1,255} closed"
)


def reason(said: object) -> str:
    """Return the words that say why a host can't be reached, in one line that is safe to print."""
    lines = [line.strip() for line in str(said).splitlines() if line.strip()]
    lines = [lines[0], *(line for line in lines[1:] if not _NOISE.match(line))] if lines else []
    telling = [line for line in lines if _SPEAKS.search(line) or _SILENT.search(line)]
    shown = (telling or lines or [""])[-1]
    return escape(_LEAD.sub("", shown, count=1))


def judge(said: object) -> tuple[str, str]:
    """Return the state of a host to which a connection failed with these words, and why it is that."""
    text = "\n".join(line for line in str(said).splitlines() if not _NOISE.match(line.strip()))
    why = reason(text)
    if _BEHIND.search(text):
        return (DOWN, why) if _TRIED.search(text) else (UNCLEAR, f"it could not be asked through another host: {why}")
    if _SPEAKS.search(text):
        return UP, f"it answers, and doesn't let us in: {why}"
    if _SILENT.search(text):
        return DOWN, why
    return UNCLEAR, f"this machine could not ask it: {why or 'no reason given'}"
