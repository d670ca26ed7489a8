# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A FUSE file system with one file. Reading the file never ends; a mute one answers nothing at all."""

from __future__ import annotations

import ctypes
import os
import signal
import stat
import struct

_LOOKUP, _GETATTR, _OPEN, _INIT = 1, 3, 14, 26
_REQUEST = struct.Struct("<IIQQ")
_ANSWER = struct.Struct("<IiQ")
# Version 7.31, without any of the features that the kernel offers.
_INITIALISED = struct.pack("<IIIIHHI40x", 7, 31, 0, 0, 1, 1, 4096)
_ROOT, _NODE = 1, 2


def mount(
    folder: str, mute: bool = False, user: int = 0, stopped: bool = False, gone: bool = False, opened: int = 0
) -> None:
    """Mount the file system, and serve it in a process of its own. Any name in it is the file's.

    A `stopped` server reads no more requests once it is there, and one that is `gone` has closed its device.
    It is mute once this many files were `opened`, if that is not 0; until then the kernel must not cache its answers.
    """
    os.makedirs(folder, exist_ok=True)
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id={user},group_id={user},allow_other"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"silent", os.fsencode(folder), b"fuse.silent", 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), folder)
    if not gone and os.fork() == 0:
        ctypes.CDLL(None).prctl(15, b"server", 0, 0, 0)
        _serve(device, mute, stopped, opened)
    os.close(device)


def _serve(device: int, mute: bool, stopped: bool, opened: int) -> None:
    seconds = 0 if opened else 3600
    while True:
        request = os.read(device, 1 << 17)
        _length, operation, number, node = _REQUEST.unpack_from(request)
        if operation == _INIT:
            _reply(device, number, _INITIALISED)
            if stopped:
                signal.pause()
        elif mute:
            continue
        elif operation == _LOOKUP:
            _reply(device, number, struct.pack("<QQQQII", _NODE, 0, seconds, seconds, 0, 0) + _attributes(_NODE))
        elif operation == _GETATTR:
            _reply(device, number, struct.pack("<QII", seconds, 0, 0) + _attributes(node))
        elif operation == _OPEN:
            _reply(device, number, struct.pack("<QII", 1, 0, 0))
            opened -= 1
            mute = mute or opened == 0


def _reply(device: int, number: int, payload: bytes) -> None:
    os.write(device, _ANSWER.pack(_ANSWER.size + len(payload), 0, number) + payload)


def _attributes(node: int) -> bytes:
    mode = stat.S_IFDIR | 0o755 if node == _ROOT else stat.S_IFREG | 0o644
    return struct.pack("<QQQQQQIIIIIIIIII", node, 1 << 16, 128, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)
