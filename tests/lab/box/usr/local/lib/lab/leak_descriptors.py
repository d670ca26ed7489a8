# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold LEAK_DESCRIPTORS descriptors open, as a client that never closes its connections does."""

from __future__ import annotations

import os
import pathlib
import signal
import socket

held = []
server = socket.create_server(("127.0.0.1", 8001), backlog=1024)
wanted = int(os.environ["LEAK_DESCRIPTORS"])
while len(os.listdir("/proc/self/fd")) - 1 < wanted:
    held.append(socket.create_connection(("127.0.0.1", 8001)))
    if len(held) % 4 == 0:
        held.append(server.accept()[0])
pathlib.Path("/run/descriptor-leak/settled").touch()
signal.pause()
