# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The socket of fail2ban, with a made daemon at its other end."""

from __future__ import annotations

import os
import pickle
import socket
import threading

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils import _fail2ban_socket


@pytest.fixture
def daemon(tmp_path):
    """Call with what a daemon answers: where it listens, and what it was asked."""
    opened = []

    def run(answer):
        path, asked = str(tmp_path / "sock"), []
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        opened.append(server)
        server.bind(path)
        server.listen(1)

        def serve():
            connection = server.accept()[0]
            received = b""
            while not received.endswith(_fail2ban_socket._END):
                received += connection.recv(100)
            asked.append(pickle.loads(received[:-len(_fail2ban_socket._END)]))
            connection.sendall(answer)
            connection.close()
        threading.Thread(target=serve, daemon=True).start()
        return path, asked
    yield run
    for server in opened:
        server.close()


class Address:
    """As fail2ban writes one."""

    def __reduce__(self):
        return str, ("192.0.2.9",)


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/pwned",)


def test_an_answer(daemon):
    path, asked = daemon(pickle.dumps((0, [Address(), 5, {"a"}])) + _fail2ban_socket._END)
    assert _fail2ban_socket.ask(path, ("get", "sshd", "banip")) == ["192.0.2.9", 5, {"a"}]
    assert asked == [["get", "sshd", "banip"]]


def test_a_refusal_is_told_in_the_daemon_s_words(daemon):
    path, _asked = daemon(pickle.dumps((1, KeyError("no such jail"))) + _fail2ban_socket._END)
    with pytest.raises(_fail2ban_socket.Refusal, match="no such jail"):
        _fail2ban_socket.ask(path, ("status", "nope"))


@pytest.mark.parametrize("answer", [b"", b"garbage" + _fail2ban_socket._END, pickle.dumps(7) + _fail2ban_socket._END])
def test_what_is_no_answer(daemon, answer):
    path, _asked = daemon(answer)
    with pytest.raises(_fail2ban_socket.Refusal, match="it answers"):
        _fail2ban_socket.ask(path, ("ping",))


def test_nothing_of_an_answer_is_run(daemon, monkeypatch):
    ran, answer = [], pickle.dumps((0, Evil())) + _fail2ban_socket._END
    monkeypatch.setattr(os, "system", ran.append)
    path, _asked = daemon(answer)
    _fail2ban_socket.ask(path, ("ping",))
    assert ran == []


def test_no_daemon(tmp_path):
    with pytest.raises(OSError):
        _fail2ban_socket.ask(str(tmp_path / "none"), ("ping",))
