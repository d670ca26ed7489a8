# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command while FUSE file systems are mounted whose server never answers.

A process that accesses one waits in the kernel, where no signal reaches it, as with a dead NFS server. Run this as root
in a mount namespace of its own: unshare --mount python hung_mounts.py DIRECTORY... -- COMMAND...
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
# Version 7.31, without any of the features that the kernel offers.
_INITIALISED = struct.pack("<IIIIHHI40x", 7, 31, 0, 0, 1, 1, 4096)


def mount(directory):
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"silent", os.fsencode(directory), b"fuse.silent", 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), directory)
    return device


def serve(device):
    """Read the kernel's requests forever; answer only the initial one."""
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
        # When its server ends, the file system is aborted, and waiting processes continue.
        for pid in servers:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    sys.exit(main())
