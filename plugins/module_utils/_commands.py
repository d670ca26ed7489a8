# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run programs of the host. A module passes its own runner, a unit test passes one that records the commands."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from typing import IO, TYPE_CHECKING, Callable, Dict, Optional, Sequence, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

Answer = Tuple[int, str, str]

# Where daemons are installed on systems whose users don't have these folders on their path.
_SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"]


# Seconds between two checks whether a program has ended.
_TICK_SECONDS = 0.1


class Commands:
    """Find and run programs, with messages in English.

    `run` takes a list of words, `data` for standard input and `environ_update`, as `AnsibleModule.run_command` does,
    and returns the exit status, the output and the error output. `find` returns a program's path or None. `tmpdir` is a
    folder of this run only.
    """

    def __init__(self, run: Callable[..., Answer], find: Callable[..., Optional[str]], tmpdir: str) -> None:
        self._run, self._find, self.tmpdir = run, find, tmpdir

    @classmethod
    def of_module(cls, module: AnsibleModule) -> Commands:
        """Return the commands that a module runs on its host."""
        return cls(module.run_command, module.get_bin_path, module.tmpdir)

    def find(self, name: str) -> Optional[str]:
        """Return the path of a program, or None if it is not installed."""
        return self._find(name, opt_dirs=_SYSTEM_FOLDERS)

    def run(self, *argv: str, data: Optional[str] = None) -> Answer:
        """Run a program to its end and return its exit status, output and error output."""
        return self._run(list(argv), data=data, environ_update={"LC_ALL": "C"})


def run_foreign(argv: Sequence[str], folder: str, seconds: float = 60, most: int = 1 << 16) -> Answer:
    """Run a program that executes a user's code, and return its exit status, output and error output.

    It gets `seconds` of time and `most` bytes of each output. The exit status is -9 if it took longer. The program has
    a session of its own, without a terminal; what it has started there ends with it.
    """
    # run_command has no limit of time, and waits for all that hold the output open.
    program = subprocess.Popen(  # pylint: disable=ansible-bad-function
        argv,
        cwd=folder,
        env=dict(os.environ, LC_ALL="C", LANGUAGE=""),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    streams = [stream for stream in (program.stdout, program.stderr) if stream]
    try:
        out, err = _read_until(program.pid, streams, time.monotonic() + seconds, most)
    finally:
        # Until it is waited for, no other process gets its pid.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(program.pid, signal.SIGKILL)
        for stream in streams:
            stream.close()
        program.wait()
    return program.returncode, out, err


def _read_until(pid: int, streams: Sequence[IO[bytes]], deadline: float, most: int) -> Tuple[str, ...]:
    """Return what a program writes until it has ended or its time is over, at most `most` bytes of each stream."""
    texts: Dict[int, bytes] = {stream.fileno(): b"" for stream in streams}
    with selectors.DefaultSelector() as waiting:
        for stream in streams:
            waiting.register(stream, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            ready = waiting.select(min(_TICK_SECONDS, max(0, deadline - time.monotonic())))
            for key, _events in ready:
                data = os.read(key.fd, 1 << 16)
                texts[key.fd] = (texts[key.fd] + data)[:most]
                if not data:
                    waiting.unregister(key.fileobj)
            # Other processes may hold the outputs open for ever.
            if not (ready and waiting.get_map()) and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                break
    return tuple(_reader.decode(text) for text in texts.values())


def words(answer: Answer) -> str:
    """Return what a program said on one line: its error output, else its output, else its exit status."""
    code, out, err = answer
    return " ".join((err or out).split()) or f"exit status {code}"
