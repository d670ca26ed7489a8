# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy that delays the answers of a server or never passes them on."""

from __future__ import annotations

import contextlib
import socket
import threading


class Proxy:
    """Pass connections on loopback to a server. Each answer is `delay` seconds late; with None it never arrives."""

    def __init__(self, port, delay):
        self._target, self._delay = port, delay
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open = [self._listener]
        threading.Thread(target=self._take, daemon=True).start()

    def close(self):
        self._over.set()
        for each in self._open:
            each.close()

    def _take(self):
        while not self._over.is_set():
            try:
                here, _address = self._listener.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self._target))
            self._open += [here, there]
            threading.Thread(target=self._pass, args=(here, there, 0), daemon=True).start()
            threading.Thread(target=self._pass, args=(there, here, self._delay), daemon=True).start()

    def _pass(self, source, sink, delay):
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                if delay != 0 and self._over.wait(delay):
                    break
                sink.sendall(part)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
