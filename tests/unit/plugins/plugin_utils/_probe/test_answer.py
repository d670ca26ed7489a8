# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of ssh about hosts that can't be reached, in the words of OpenSSH and Ansible, and their meaning."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import answer

LEAD = 'Data could not be sent to remote host "192.0.2.7". Make sure this host can be reached over ssh: '


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("Connection timed out during banner exchange", "down"),
        ("ssh: connect to host 192.0.2.7 port 22: No route to host", "down"),
        ("ssh: connect to host 192.0.2.7 port 22: Connection refused", "down"),
        ("ssh: connect to host 192.0.2.7 port 22: Connection timed out", "down"),
        ("kex_exchange_identification: Connection closed by remote host", "down"),
        ("the box accepted the connection, and then said nothing for 20 s", "down"),
        ("ops@192.0.2.7: Permission denied (publickey,password).", "up"),
        ("Host key verification failed.", "up"),
        ("Received disconnect from 192.0.2.7 port 22:2: Too many authentication failures", "up"),
        ("Unable to negotiate with 192.0.2.7 port 22: no matching host key type found. Their offer: ssh-rsa", "up"),
        ("Timeout, server 192.0.2.7 not responding.", "down"),
        ("Connection reset by 192.0.2.7 port 22", "down"),
        (
            "channel 0: open failed: connect failed: No route to host\nConnection closed by UNKNOWN port 65535",
            "down",
        ),
        ("ssh: Could not resolve hostname nobody: Name or service not known", "unclear"),
        ("ssh: connect to host 192.0.2.7 port 22: Network is unreachable", "unclear"),
        ("ssh: connect to host jump port 22: Connection timed out\nConnection closed by UNKNOWN port 65535", "unclear"),
        (
            "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535",
            "unclear",
        ),
        ("Permission denied (publickey).\nConnection closed by UNKNOWN port 65535", "unclear"),
        ("channel 0: open failed: administratively prohibited: open failed\nstdio forwarding failed", "unclear"),
        ('Load key "/home/ops/.ssh/id": error in libcrypto', "unclear"),
        ("percent_expand: unknown key %z", "unclear"),
        ("/etc/ssh/ssh_config: line 3: Bad configuration option: foo", "unclear"),
        ("ssh: command not found", "unclear"),
        ("something that no version says yet", "unclear"),
        ("", "unclear"),
    ],
)
def test_only_known_words_mean_that_a_host_is_down(said, state):
    assert answer.judge(LEAD + said)[0] == state


def test_the_reason_is_the_last_line_without_its_lead():
    assert answer.judge("Warning: added a key\n" + LEAD + "ssh: connect to host x port 22: No route to host\n") == (
        "down",
        "connect to host x port 22: No route to host",
    )


@pytest.mark.parametrize(
    "noise",
    [
        "Connection to x closed.",
        "debug1: Exit status 255",
        "Warning: Permanently added 'x' to the list of known hosts.",
        (
            "** WARNING: connection is not using a post-quantum key exchange algorithm.\n"
            "** This session may be vulnerable."
        ),
        "Welcome to x",
    ],
)
def test_the_telling_line_is_found_among_others(noise):
    told = "ssh: connect to host x port 22: Connection timed out"
    for text in (f"{noise}\n{told}", f"{told}\n{noise}", f"{LEAD}{told}\n{noise}"):
        assert answer.judge(text) == ("down", "connect to host x port 22: Connection timed out")


def test_words_of_the_host_reach_no_terminal_raw():
    assert answer.reason("\x1b[2J\x1b]0;owned\x07") == "\\x1b[2J\\x1b]0;owned\\x07"
