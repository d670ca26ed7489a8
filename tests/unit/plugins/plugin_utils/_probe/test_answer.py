# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ssh says of a box that can't be reached, and what it means. The words are OpenSSH's and Ansible's."""

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
        ("ssh: Could not resolve hostname nobody: Name or service not known", "unclear"),
        ("ssh: connect to host 192.0.2.7 port 22: Network is unreachable", "unclear"),
    ],
)
def test_only_silence_is_being_down(said, state):
    assert answer.judge(LEAD + said)[0] == state


def test_the_reason_is_the_last_line_without_its_lead():
    assert answer.judge("Warning: added a key\n" + LEAD + "ssh: connect to host x port 22: No route to host\n") == (
        "down",
        "connect to host x port 22: No route to host",
    )
