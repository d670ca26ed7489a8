# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to a socket whose other end is a daemon of the test."""

from __future__ import annotations

import os
import pickle
import socket
import threading

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban import control_socket


@pytest.fixture
def daemon(tmp_path):
    """Return a function of a daemon's answer that returns its socket and the list of what it is asked."""
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
            while not received.endswith(control_socket._END):
                received += connection.recv(100)
            asked.append(pickle.loads(received[: -len(control_socket._END)]))
            connection.sendall(answer)
            connection.close()

        threading.Thread(target=serve, daemon=True).start()
        return path, asked

    yield run
    for server in opened:
        server.close()


class Address:
    """An address as fail2ban pickles it."""

    def __reduce__(self):
        return str, ("192.0.2.9",)


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/pwned",)


def test_an_answer(daemon):
    path, asked = daemon(pickle.dumps((0, [Address(), 5, {"a"}])) + control_socket._END)
    assert control_socket.ask(path, ("get", "sshd", "banip")) == ["192.0.2.9", 5, {"a"}]
    assert asked == [["get", "sshd", "banip"]]


def test_a_refusal_has_the_words_of_the_daemon(daemon):
    path, _asked = daemon(pickle.dumps((1, KeyError("no such jail"))) + control_socket._END)
    with pytest.raises(control_socket.Refusal, match="no such jail"):
        control_socket.ask(path, ("status", "nope"))


@pytest.mark.parametrize("answer", [b"", b"garbage" + control_socket._END, pickle.dumps(7) + control_socket._END])
def test_what_is_no_answer(daemon, answer):
    path, _asked = daemon(answer)
    with pytest.raises(control_socket.Refusal, match="it answers"):
        control_socket.ask(path, ("ping",))


def test_nothing_of_an_answer_is_run(daemon, monkeypatch):
    ran, answer = [], pickle.dumps((0, Evil())) + control_socket._END
    monkeypatch.setattr(os, "system", ran.append)
    path, _asked = daemon(answer)
    control_socket.ask(path, ("ping",))
    assert ran == []


def test_no_daemon(tmp_path):
    with pytest.raises(OSError):
        control_socket.ask(str(tmp_path / "none"), ("ping",))
