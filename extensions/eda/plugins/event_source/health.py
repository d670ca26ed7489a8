# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source lifeline.fleet.health: an event where something appears, worsens, eases or clears on a box, and else none.

It plays lifeline.fleet.watch every so often, which knows what is new, and hands on what that reports. So it needs nothing but
ansible-playbook: ansible-rulebook is often installed apart from Ansible, and runs this file by its path.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import shlex
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

DOCUMENTATION = r"""
---
short_description: Emits what appears, worsens, eases or clears on the boxes of an inventory.
description:
  - An ansible-rulebook event source that looks at all boxes with the module lifeline.fleet.health on an interval, and emits an event
    where a finding appears, worsens, eases or clears, and where a box can't be reached or answers again. What is as it was makes no
    event, but for what is critical, now and then.
  - Every event has one key, health, with box, change (appeared, worsened, eased, cleared or lasts), check, subject, severity (warning,
    critical, down, unknown, or ok of what has cleared), was, message, value, threshold, unit, since, time and text. ansible-doc
    lifeline.fleet.changes has their meaning.
  - Where Ansible itself can't look, as with an inventory that can't be read, an event with the change failed says why, once, and one with
    the change works says that it can again. The source goes on either way.
  - A look never begins before the one before it has ended.
options:
  inventory:
    description:
      - Path of an inventory, or a list of them. By default what ansible-playbook takes by itself - the variable ANSIBLE_INVENTORY of the
        environment, which ansible-rulebook reads as well, or the configuration of Ansible.
    type: list
    elements: str
  hosts:
    description:
      - Which boxes to look at, as a pattern of Ansible's.
    type: str
    default: all
  limit:
    description:
      - Further limit of the boxes, as the option --limit of ansible-playbook.
    type: str
  interval:
    description:
      - Seconds from the beginning of a look to that of the next. A look that takes longer delays the next.
    type: float
    default: 60
  timeout:
    description:
      - Seconds after which a look that has not ended is ended, which counts as failed.
    type: float
    default: 300
  settle:
    description:
      - How many looks in a row a finding has to be gone, or less severe, before there is an event.
    type: int
    default: 2
  remind:
    description:
      - How long something critical, or a box that can't be reached, may last before there is an event again, in seconds or with one of
        the units s, m, h, d and w; 0 means never.
    type: str
    default: 30m
  state:
    description:
      - A file in which is kept what is known, so that a start of ansible-rulebook is no beginning. By default it is forgotten at the end.
    type: str
  extra_vars:
    description:
      - Further variables for the look, as the option -e of ansible-playbook.
    type: dict
  ansible_playbook:
    description:
      - The command to run, where it is not ansible-playbook in the path; as one string, or as a list of words.
    type: raw
    default: ansible-playbook
"""

EXAMPLES = r"""
- lifeline.fleet.health:
    inventory: /etc/ansible/production
    hosts: crawler
    interval: 30
"""

_PLAYBOOK = "lifeline.fleet.watch"
# So long ansible-playbook has to end when it is told to.
_GRACE = 5
_TEMPLATE = re.compile(r"\{(?=[{%#])")
_TELLING = ("[ERROR]", "ERROR!", "fatal:")
_LOG = logging.getLogger("lifeline.fleet.health")


async def main(queue: asyncio.Queue[Any], args: dict[str, Any]) -> None:
    """Look, and put what is new into the queue, until cancelled. Raises ValueError where an argument can't be followed."""
    options = _Options(args)
    trouble = None
    with tempfile.TemporaryDirectory(prefix="lifeline-watch-") as folder:
        while True:
            begun = time.monotonic()
            try:
                changes = await _look(options, Path(folder))
            except _LookError as error:
                if str(error) != trouble:
                    trouble = str(error)
                    _LOG.error("%s", trouble)
                    await queue.put(_of_the_watch("failed", trouble))
            else:
                if trouble is not None:
                    trouble = None
                    await queue.put(_of_the_watch("works", "the boxes can be looked at again"))
                for change in changes:
                    _LOG.info("%s", change["text"])
                    await queue.put({"health": {name: _inert(value) for name, value in change.items()}})
            await asyncio.sleep(max(0.0, options.interval - (time.monotonic() - begun)))


class _LookError(Exception):
    """Ansible could not look. The message says why."""


class _Options:
    """The source's arguments, checked."""

    def __init__(self, args):
        # What ansible-rulebook adds of its own begins with its name.
        args = {name: value for name, value in args.items() if value is not None and not name.startswith("eda_")}
        known = (
            "inventory",
            "hosts",
            "limit",
            "interval",
            "timeout",
            "settle",
            "remind",
            "state",
            "extra_vars",
            "ansible_playbook",
        )
        for name in args:
            if name not in known:
                raise ValueError(
                    f"{name} is no argument of lifeline.fleet.health: it must be one of {', '.join(known)}"
                )
        self.interval = _number(args, "interval", 60, 1)
        self.timeout = _number(args, "timeout", 300, 1)
        self.hosts = _words(args, "hosts")
        self.limit = _words(args, "limit")
        inventory = args.get("inventory") or []
        self.inventories = [inventory] if isinstance(inventory, str) else inventory
        if not isinstance(self.inventories, list) or not all(
            isinstance(path, str) and path for path in self.inventories
        ):
            raise ValueError(f"inventory is {inventory!r}: it must be a path or a list of paths")
        command = args.get("ansible_playbook", "ansible-playbook")
        self.command = shlex.split(command) if isinstance(command, str) else command
        if (
            not isinstance(self.command, list)
            or not self.command
            or not all(isinstance(word, str) for word in self.command)
        ):
            raise ValueError(
                f"ansible_playbook is {command!r}: it must be a command, such as /opt/ansible/bin/ansible-playbook"
            )
        self.state = _words(args, "state")
        self._set = {f"lifeline_watch_{name}": args[name] for name in ("hosts", "settle", "remind") if name in args}
        self._extra = args.get("extra_vars", {})
        if not isinstance(self._extra, dict):
            raise ValueError(f"extra_vars is {self._extra!r}: it must be a dictionary of variables")

    def variables(self, folder):
        """What the look is told. Rescuing is the rulebook's, and never done twice."""
        own = {
            **self._set,
            "lifeline_watch_rescue": False,
            "lifeline_watch_report": str(folder / "report.json"),
            "lifeline_watch_state": os.path.abspath(os.path.expanduser(self.state))
            if self.state
            else str(folder / "state.json"),
        }
        for name in self._extra:
            if name in own:
                raise ValueError(f"extra_vars sets {name}, which the source sets itself")
        return {**self._extra, **own}

    def words(self, folder):
        """The command for one look."""
        inventories = [word for path in self.inventories for word in ("-i", path)]
        limit = ["--limit", self.limit] if self.limit else []
        return [*self.command, _PLAYBOOK, *inventories, *limit, "-e", f"@{folder / 'variables.json'}"]


def _number(args, name, default, least):
    value = args.get(name, default)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0
    # That it is no NaN either, the comparison says.
    if isinstance(value, bool) or not least <= number < float("inf"):
        raise ValueError(f"{name} is {value!r}: it must be a number of seconds, at least {int(least)}")
    return number


def _words(args, name):
    value = args.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} is {value!r}: it must be a text")
    return value


async def _look(options, folder):
    """Look once: the changes. Raises _LookError."""
    report = folder / "report.json"
    with contextlib.suppress(FileNotFoundError):
        report.unlink()
    (folder / "variables.json").write_text(json.dumps(options.variables(folder)))
    environment = {
        **os.environ,
        "ANSIBLE_STDOUT_CALLBACK": "default",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_RETRY_FILES_ENABLED": "0",
    }
    process = await _start(options.words(folder), environment)
    try:
        output, _none = await asyncio.wait_for(process.communicate(), options.timeout)
    except asyncio.TimeoutError:
        raise _LookError(f"a look has not ended within {options.timeout:g} s") from None
    finally:
        await _end(process)
    try:
        return json.loads(report.read_text())["changes"]
    except FileNotFoundError:
        raise _LookError(_reason(process.returncode, output.decode(errors="replace"))) from None


async def _start(words, environment):
    """Run it in a session of its own: it asks no terminal, gets no signal that is meant for ansible-rulebook, and ends as a whole."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # It may run already, before this has heard of it.
        with contextlib.suppress(OSError):
            await _end(await starting)
        raise
    except OSError as error:
        raise _LookError(f"{words[0]} can't be run: {error.strerror}") from error


async def _end(process):
    """End what may still run, and all that it has started."""
    if process.returncode is None:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(process.wait(), _GRACE)
        _signal(process, signal.SIGKILL)
        await process.wait()


def _signal(process, number):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _reason(code, output):
    """Why there is no report: what Ansible calls an error, else the last it said."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(_TELLING)] or lines[-3:]
    return f"no box was looked at (exit code {code}): {'; '.join(telling)[:2000] or 'ansible-playbook said nothing'}"


def _of_the_watch(change, message):
    """An event about the watch itself, of no box."""
    return {
        "health": _inert(
            {
                "box": None,
                "change": change,
                "check": "watch",
                "severity": "unknown" if change == "failed" else "ok",
                "message": message,
                "text": message,
            }
        )
    }


def _inert(value):
    """Texts from a box, with no beginning of a template in them.

    ansible-rulebook hands events on as extra variables, which Ansible would template.
    """
    if isinstance(value, dict):
        return {name: _inert(one) for name, one in value.items()}
    return _TEMPLATE.sub("{ ", value) if isinstance(value, str) else value
