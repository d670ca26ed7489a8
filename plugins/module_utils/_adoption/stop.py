# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop workers that run outside the watchdog's unit without losing a job, and start them again for a revert.

First, what would start the worker again is told not to. Then TSTP makes Sidekiq take no new jobs, and TERM lets those
in progress end, or puts them back into their queues. Nothing is killed.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import time
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence

from ansible_collections.lifeline.fleet.plugins.module_utils._adoption import strays
from ansible_collections.lifeline.fleet.plugins.module_utils._adoption.strays import Stray
from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Answer, words
from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic, ownership

_NAME = "lifeline-takeover.conf"
_DROP_IN = "/run/systemd/system/%s.d/" + _NAME
# By the name of a supervisor: how it lets a service end, keeps it down, and runs it again.
_COMMANDS = {
    "daemontools": (["svc", "-o"], ["svc", "-d"], ["svc", "-u"]),
    "runit": (["sv", "once"], ["sv", "down"], ["sv", "up"]),
    "s6": (["s6-svc", "-o"], ["s6-svc", "-d"], ["s6-svc", "-u"]),
}
# They would start a worker again that ends, and have no command that is the same everywhere.
_NAMED_ONLY = {
    "supervisord": "supervisorctl stop PROGRAM, and autostart=false in its configuration",
    "god": "god stop PROGRAM, and remove its configuration",
    "monit": "remove its check from monit's configuration, and reload monit",
}
# TERM directly after TSTP kills Sidekiq 6.4 and its jobs: it reads both signals as one.
_BETWEEN_SECONDS = 1.0


class StopError(Exception):
    """A worker that could not be stopped; the text says what was done and what to do."""


class Starter(NamedTuple):
    """The starter of a worker: its kind and place as in `Stray`, and the user."""

    kind: str
    place: str
    uid: int


class Stopping:
    """Stop workers and what starts them. `run` runs a program, `wait` waits for seconds."""

    def __init__(self, run: Callable[[List[str]], Answer], wait: Callable[[float], None] = time.sleep) -> None:
        self._run, self._wait = run, wait

    def stop(self, found: Sequence[Stray], seconds: float) -> List[Starter]:
        """Stop workers; return what started them, and is off now. Raises StopError.

        All together may take `seconds` for their jobs. After an error all is as it was, or will end with its jobs.
        """
        refused = [f"{one.told()}: {_NAMED_ONLY[one.kind]}" for one in found if one.kind in _NAMED_ONLY]
        if refused:
            raise StopError("would be started again; stop it by hand: " + "; ".join(refused) + ". Nothing was stopped")
        starters = list(dict.fromkeys(Starter(one.kind, one.place, one.uid) for one in found))
        ended = False
        try:
            for starter in starters:
                self._hold(starter)
            _signal(found, signal.SIGTSTP)
            self._wait(_BETWEEN_SECONDS)
            _signal(found, signal.SIGTERM)
            left = self._left(found, seconds)
            if left:
                raise StopError(
                    f"still has jobs after {seconds:g} s, takes no new ones, and will end with them: "
                    f"{'; '.join(one.told() for one in left)}. Run this again then, or raise "
                    "sidekiq_watchdog_takeover_seconds"
                )
            ended = True
            for starter in starters:
                self._off(starter)
        finally:
            self._release(starters, ended)
        return starters

    def start(self, starter: Starter) -> bool:
        """Start what was stopped. Return False if that has to be done by hand. Raises StopError."""
        if starter.kind in _COMMANDS:
            prefix = self._as_owner(starter.place)
            self._must([*prefix, "rm", "-f", "--", starter.place + "/down"])
            self._must([*prefix, *_COMMANDS[starter.kind][2], starter.place])
        elif starter.kind == "unit":
            self._must(["systemctl", "enable", "--now", "--", starter.place])
        elif starter.kind == "user unit":
            self._must([*_of_user(starter.uid), "enable", "--now", "--", starter.place])
        else:
            return False
        return True

    def _hold(self, starter: Starter) -> None:
        """Keep a worker from being started again when it ends."""
        if starter.kind in _COMMANDS:
            self._must([*self._as_owner(starter.place), *_COMMANDS[starter.kind][0], starter.place])
        elif starter.kind == "unit":
            # A long timeout: systemd must not kill what still works.
            atomic.replace(_DROP_IN % starter.place, "[Service]\nRestart=no\nTimeoutStopSec=infinity\n", durable=False)
            self._must(["systemctl", "daemon-reload"])
        elif starter.kind == "user unit":
            # Written with the user's rights.
            script = 'mkdir -p "$1" && printf "[Service]\\nRestart=no\\nTimeoutStopSec=infinity\\n" > "$1/$2"'
            self._must([*_as_user(starter.uid), "sh", "-c", script, "sh", _user_drop_in(starter), _NAME])
            self._must([*_of_user(starter.uid), "daemon-reload"])

    def _off(self, starter: Starter) -> None:
        """Keep what starts a worker off, also after a reboot."""
        if starter.kind in _COMMANDS:
            prefix = self._as_owner(starter.place)
            self._must([*prefix, *_COMMANDS[starter.kind][1], starter.place])
            self._must([*prefix, "touch", "--", starter.place + "/down"])
        elif starter.kind == "unit":
            self._must(["systemctl", "stop", "--", starter.place])
            # Fails for a unit without a section [Install], which nothing starts at boot.
            self._run(["systemctl", "disable", "--", starter.place])
        elif starter.kind == "user unit":
            self._must([*_of_user(starter.uid), "disable", "--now", "--", starter.place])

    def _release(self, starters: Sequence[Starter], ended: bool) -> None:
        """Undo what held starters. Those whose workers have not `ended` may start them again when they do."""
        for one in starters:
            if one.kind in _COMMANDS and not ended:
                with contextlib.suppress(StopError):
                    self._run([*self._as_owner(one.place), *_COMMANDS[one.kind][2], one.place])
            if one.kind == "user unit":
                self._run([*_as_user(one.uid), "rm", "-f", "--", f"{_user_drop_in(one)}/{_NAME}"])
                self._run([*_of_user(one.uid), "daemon-reload"])
        held = [_DROP_IN % one.place for one in starters if one.kind == "unit"]
        for path in held:
            with contextlib.suppress(OSError):
                os.unlink(path)
                os.rmdir(os.path.dirname(path))
        if held:
            self._run(["systemctl", "daemon-reload"])

    def _left(self, found: Sequence[Stray], seconds: float) -> List[Stray]:
        deadline = time.monotonic() + seconds
        while True:
            left = [one for one in found if is_there(one)]
            if not left or time.monotonic() > deadline:
                return left
            self._wait(0.2)

    def _must(self, argv: List[str]) -> None:
        answer = self._run(argv)
        if answer[0]:
            raise StopError(f"{' '.join(argv)} failed: {words(answer)}")

    @staticmethod
    def _as_owner(folder: str) -> List[str]:
        """Return the words that run a command as the user who controls a service's folder, none for root.

        A user could put links to files of root's in it.
        """
        if not os.path.isabs(folder):
            raise StopError(f"{folder or 'no folder'}: the service's folder is not known; stop it by hand")
        owner = ownership.who_controls(folder + "/down", ownership.user_of(65534, 65534))
        return [] if owner is None else _as_user(owner.uid)


def is_there(one: Stray) -> bool:
    """Return whether a worker still runs: a process of its ID that was started at the same time."""
    return strays.started(one.pid) == one.started


def notes(starters: Sequence[Starter]) -> List[Dict[str, object]]:
    """Return starters as a manifest keeps them."""
    return [one._asdict() for one in starters]


def of_notes(kept: Sequence[Dict[str, object]]) -> List[Starter]:
    """Return the starters that a manifest keeps."""
    return [Starter(str(one["kind"]), str(one["place"]), int(str(one["uid"]))) for one in kept]


def by_hand(kept: Optional[Sequence[Starter]]) -> str:
    """Return what has to be started by hand after a revert, as a sentence's part."""
    return ", ".join(f"{one.kind} of user {strays.user(one.uid)}" for one in kept or ())


def _signal(found: Sequence[Stray], number: int) -> None:
    for one in found:
        if is_there(one):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, number)


def _user_drop_in(starter: Starter) -> str:
    return f"/run/user/{starter.uid}/systemd/user/{starter.place}.d"


def _as_user(uid: int) -> List[str]:
    """Return the words that begin a command with a user's rights only."""
    try:
        gid = pwd.getpwuid(uid).pw_gid
    except KeyError:
        gid = uid
    return ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--"]


def _of_user(uid: int) -> List[str]:
    """Return the words that begin a command to a user's own systemd."""
    return [*_as_user(uid), "env", f"XDG_RUNTIME_DIR=/run/user/{uid}", "systemctl", "--user"]
