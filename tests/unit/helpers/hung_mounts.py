# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command while FUSE file systems are mounted whose server takes every question and never answers.

Who asks one waits in the kernel, where no signal reaches it: a dead NFS server in miniature. Must be run by root in a mount
namespace of its own: unshare --mount python hung_mounts.py DIRECTORY... -- COMMAND...
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import subprocess
import sys

_INIT = 26
_REQUEST = struct.Struct("<IIQ")
_ANSWER = struct.Struct("<IiQ")
# Version 7.31, and nothing that the kernel offers is wanted.
_INITIALISED = struct.pack("<IIIIHHI40x", 7, 31, 0, 0, 1, 1, 4096)


def mount(directory):
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"silent", os.fsencode(directory), b"fuse.silent", 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), directory)
    return device


def serve(device):
    """Take what the kernel asks, for as long as there is a kernel; answer only its greeting."""
    while True:
        request = os.read(device, 1 << 17)
        _length, operation, number = _REQUEST.unpack_from(request)
        if operation == _INIT:
            os.write(device, _ANSWER.pack(_ANSWER.size + len(_INITIALISED), 0, number) + _INITIALISED)


def main():
    separator = sys.argv.index("--")
    devices = [mount(directory) for directory in sys.argv[1:separator]]
    servers = []
    for device in devices:
        pid = os.fork()
        if pid == 0:
            os.closerange(0, 3)
            serve(device)
        servers.append(pid)
    try:
        return subprocess.run(sys.argv[separator + 1 :], check=False).returncode
    finally:
        for device in devices:
            os.close(device)
        # With its server a file system is gone, and whoever waits for it is let go.
        for pid in servers:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    sys.exit(main())
