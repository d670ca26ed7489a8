# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test where sshd is watched, by what systemd and sshd say."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import listening, sshd

SOCKET = "Listen=%s (Stream)\nActiveState=%s\n"


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setattr(sshd, "_PRIVILEGE_SEPARATION", str(tmp_path))


@pytest.mark.parametrize(
    ("listed", "place"),
    [
        (["[::]:22", "0.0.0.0:22"], ("127.0.0.1", [22])),
        (["0.0.0.0:2222", "0.0.0.0:22"], ("127.0.0.1", [22, 2222])),
        (["[::]:2222"], ("127.0.0.1", [2222])),
        (["192.0.2.7:2222"], ("192.0.2.7", [2222])),
        (["[2001:db8::7]:22"], ("2001:db8::7", [22])),
        (["192.0.2.7:22", "127.0.0.1:2222"], ("127.0.0.1", [2222])),
        (["*:22"], ("127.0.0.1", [22])),
        ([], ("127.0.0.1", [22])),
    ],
)
def test_the_addresses_of_the_configuration(host, listed, place):
    host.install("sshd")
    host.answer("/usr/sbin/sshd -T", out="port 9\n" + "".join(f"listenaddress {one}\n" for one in listed))
    assert listening.place(host.commands) == place


def test_an_active_socket_counts_more_than_the_configuration(host):
    host.install("sshd", "systemctl")
    host.answer("/usr/sbin/sshd -T", out="listenaddress 0.0.0.0:22\n")
    host.answer("/usr/sbin/systemctl show", out=SOCKET % ("[::]:2222", "active"))
    assert listening.place(host.commands) == ("127.0.0.1", [2222])
    host.answer("/usr/sbin/systemctl show", out=SOCKET % ("[::]:2222", "inactive"))
    assert listening.place(host.commands) == ("127.0.0.1", [22])


def test_an_sshd_that_cannot_be_asked_is_watched_at_its_default(host):
    assert listening.place(host.commands) == ("127.0.0.1", [22])
    host.install("sshd")
    host.fail("/usr/sbin/sshd -T", "broken")
    assert listening.place(host.commands) == ("127.0.0.1", [22])


def test_the_line_of_the_port_is_repeated_for_each_port():
    text = f"check host sshd with address {listening.ADDRESS}\n  if failed port {listening.PORT} then alert\n"
    assert listening.expand(text, "192.0.2.7", [22, 2222]) == (
        "check host sshd with address 192.0.2.7\n  if failed port 22 then alert\n  if failed port 2222 then alert\n"
    )
