# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits on the time and the memory that one host may take of the controller.

Ansible limits the time to connect, and the time of tasks of all kinds by one setting (`task_timeout`): a limit that
suits a probe would end an installation in the middle. It does not limit the size of an answer.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.answer import SILENT

# Seconds between two looks at the clock and the memory.
_TICK = 0.25
# Bytes by which an answer may let this process grow: many times what the largest host sends.
_MOST_GROWTH = 1 << 28


class _OverTime(BaseException):
    """The time is over. No handler of Ansible's catches this: with `retries`, the ssh connection tries again."""


class _OverSize(BaseException):
    """The answer is too large."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise AnsibleConnectionFailure, which makes the host unreachable, if the body takes longer.

    Raises ProbeError if the host has answered by then, but not to the end, or with too much. In all cases the programs
    that the body was waiting for are killed.
    """
    try:
        with _limits(seconds):
            yield
    except _OverTime as over:
        if _kill_programs(over.__traceback__):
            raise ProbeError(f"the box began to answer, but did not finish within {seconds:g} s") from None
        raise AnsibleConnectionFailure(f"{SILENT} {seconds:g} s") from None
    except _OverSize as over:
        _kill_programs(over.__traceback__)
        raise ProbeError(
            f"the box answered with more than {_MOST_GROWTH >> 20} MB, so the answer is not used"
        ) from None


@contextmanager
def reading_limit(seconds: float) -> Iterator[None]:
    """Raise ProbeError if the body, which parses an answer, takes longer."""
    try:
        with _limits(seconds):
            yield
    except (_OverTime, _OverSize):
        raise ProbeError(f"the box answered, but parsing its answer took more than {seconds:g} s") from None


@contextmanager
def _limits(seconds: float) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread gets signals. Ansible forks a process per host and task, which has no other.
        yield
        return
    began, before = time.monotonic(), _resident()

    def look(_number: int, _frame: FrameType | None) -> None:
        # Raise it again at each tick, in case a handler swallows it.
        if time.monotonic() - began >= seconds:
            raise _OverTime
        if _resident() - before > _MOST_GROWTH:
            raise _OverSize

    handler = signal.signal(signal.SIGALRM, look)
    left, interval = signal.setitimer(signal.ITIMER_REAL, min(_TICK, seconds), _TICK)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            # Ansible's own alarm continues as if it had kept running.
            signal.setitimer(signal.ITIMER_REAL, max(0.001, left - (time.monotonic() - began)), interval)


def _resident() -> int:
    """Return this process's resident bytes, 0 if the system doesn't tell."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as stream:
            return int(stream.read(100).split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _kill_programs(trace: TracebackType | None) -> bool:
    """Kill the programs, such as ssh, for which the interrupted functions were waiting.

    Return whether one of these functions, such as Ansible's ssh connection, had received output of the host.
    """
    answered = False
    while trace is not None:
        for name, value in list(trace.tb_frame.f_locals.items()):
            if isinstance(value, subprocess.Popen) and value.poll() is None:
                value.kill()
                value.wait()
            answered = answered or (name == "b_stdout" and bool(value))
        trace = trace.tb_next
    return answered
