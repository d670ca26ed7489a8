# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source lifeline.fleet.health: emit an event when a finding of a host appears, worsens, eases or clears.

It plays lifeline.fleet.watch on an interval and emits the changes that the playbook reports. It needs nothing but
ansible-playbook, because ansible-rulebook is often installed apart from Ansible and runs this file by its path.
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
short_description: Emits the findings that appear, worsen, ease or clear on the hosts of an inventory.
description:
  - An ansible-rulebook event source that checks all hosts with the module lifeline.fleet.health on an interval. It
    emits an event when a finding appears, worsens, eases or clears, and when a host becomes unreachable or answers
    again. An unchanged finding causes no event; only a critical one is repeated after the time in remind.
  - Every event has one key, health, with box, change (appeared, worsened, eased, cleared or lasts), check, subject,
    severity (warning, critical, down, unknown, or ok if the finding has cleared), was, message, value, threshold, unit,
    since, time and text. ansible-doc lifeline.fleet.changes documents them.
  - If Ansible itself fails, for example because it can't read the inventory, one event with the change failed has the
    reason. One with the change works follows when it succeeds again. The source keeps running in both cases.
  - A check never starts before the previous one has ended.
options:
  inventory:
    description:
      - Path of an inventory, or a list of paths. By default ansible-playbook uses the environment variable
        ANSIBLE_INVENTORY, which ansible-rulebook reads as well, or the inventory of Ansible's configuration.
    type: list
    elements: str
  hosts:
    description:
      - The hosts to check, as an Ansible pattern.
    type: str
    default: all
  limit:
    description:
      - A further limit of the hosts, as in the option --limit of ansible-playbook.
    type: str
  interval:
    description:
      - Seconds from the start of one check to the start of the next. A check that takes longer delays the next.
    type: float
    default: 60
  timeout:
    description:
      - Seconds after which a check is terminated. It then counts as failed.
    type: float
    default: 300
  settle:
    description:
      - How many checks in a row a finding must be gone, or less severe, before there is an event.
    type: int
    default: 2
  remind:
    description:
      - How long a critical finding, or an unreachable host, may last before its event is repeated, in seconds or with
        one of the units s, m, h, d and w; 0 means never.
    type: str
    default: 30m
  state:
    description:
      - A file that keeps the known findings when ansible-rulebook is restarted. By default they are forgotten at its
        end.
    type: str
  extra_vars:
    description:
      - Further variables for the playbook, as in the option -e of ansible-playbook.
    type: dict
  ansible_playbook:
    description:
      - The command to run instead of ansible-playbook from the path, as one string or as a list of words.
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
# Seconds that ansible-playbook has to end after SIGTERM.
_GRACE = 5
_TEMPLATE = re.compile(r"\{(?=[{%#])")
_TELLING = ("[ERROR]", "ERROR!", "fatal:")
_LOG = logging.getLogger("lifeline.fleet.health")


async def main(queue: asyncio.Queue[Any], args: dict[str, Any]) -> None:
    """Check the hosts on an interval and put the changes into the queue, until cancelled.

    Raises ValueError if an argument is wrong.
    """
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
                    await queue.put(_of_the_watch("works", "the boxes can be checked again"))
                for change in changes:
                    _LOG.info("%s", change["text"])
                    await queue.put({"health": {name: _inert(value) for name, value in change.items()}})
            await asyncio.sleep(max(0.0, options.interval - (time.monotonic() - begun)))


class _LookError(Exception):
    """Ansible could not check the hosts. The message says why."""


class _Options:
    """The source's arguments, validated."""

    def __init__(self, args: dict[str, Any]) -> None:
        # ansible-rulebook adds arguments of its own with this prefix.
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
                raise ValueError(f"{name}: unknown argument; use one of {', '.join(known)}")
        self.interval = _number(args, "interval", 60, 1)
        self.timeout = _number(args, "timeout", 300, 1)
        self.hosts = _words(args, "hosts")
        self.limit = _words(args, "limit")
        inventory = args.get("inventory") or []
        self.inventories = [inventory] if isinstance(inventory, str) else inventory
        if not isinstance(self.inventories, list) or not all(
            isinstance(path, str) and path for path in self.inventories
        ):
            raise ValueError(f"inventory: not a path or a list of paths ({inventory!r}); name the inventory's files")
        command = args.get("ansible_playbook", "ansible-playbook")
        self.command = shlex.split(command) if isinstance(command, str) else command
        if (
            not isinstance(self.command, list)
            or not self.command
            or not all(isinstance(word, str) for word in self.command)
        ):
            raise ValueError(
                f"ansible_playbook: not a command ({command!r}); use one such as /opt/ansible/bin/ansible-playbook"
            )
        self.state = _words(args, "state")
        self._set = {f"lifeline_watch_{name}": args[name] for name in ("hosts", "settle", "remind") if name in args}
        self._extra = args.get("extra_vars", {})
        if not isinstance(self._extra, dict):
            raise ValueError(f"extra_vars: not a dictionary of variables ({self._extra!r}); give names with values")

    def variables(self, folder: Path) -> dict[str, Any]:
        """Return the variables for the playbook. The rulebook rescues hosts, so the playbook must not."""
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
                raise ValueError(f"extra_vars: {name} is set by the source itself; remove it")
        return {**self._extra, **own}

    def words(self, folder: Path) -> list[str]:
        """Return the command for one check."""
        inventories = [word for path in self.inventories for word in ("-i", path)]
        limit = ["--limit", self.limit] if self.limit else []
        return [*self.command, _PLAYBOOK, *inventories, *limit, "-e", f"@{folder / 'variables.json'}"]


def _number(args: dict[str, Any], name: str, default: float, least: float) -> float:
    value = args.get(name, default)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0
    # The comparison also rejects NaN.
    if isinstance(value, bool) or not least <= number < float("inf"):
        raise ValueError(f"{name}: not a number of seconds ({value!r}); use {int(least)} or more")
    return number


def _words(args: dict[str, Any], name: str) -> str | None:
    value = args.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name}: not a string ({value!r}); give one text")
    return value


async def _look(options: _Options, folder: Path) -> list[dict[str, Any]]:
    """Check the hosts once and return the changes. Raises _LookError."""
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
        raise _LookError(f"timeout: the check has not ended within {options.timeout:g} s") from None
    finally:
        await _end(process)
    try:
        return json.loads(report.read_text())["changes"]
    except FileNotFoundError:
        raise _LookError(_reason(process.returncode, output.decode(errors="replace"))) from None


async def _start(words: list[str], environment: dict[str, str]) -> asyncio.subprocess.Process:
    """Start a command in a session of its own.

    It then has no terminal to ask, gets no signal that is meant for ansible-rulebook, and can be ended as a group.
    """
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
        # The process may have started before the cancellation arrived.
        with contextlib.suppress(OSError):
            await _end(await starting)
        raise
    except OSError as error:
        raise _LookError(
            f"{words[0]}: cannot be run ({error.strerror}); install ansible-core, or set ansible_playbook"
        ) from error


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process and everything that it has started, if it still runs."""
    if process.returncode is None:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(process.wait(), _GRACE)
        _signal(process, signal.SIGKILL)
        await process.wait()


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _reason(code: int | None, output: str) -> str:
    """Return why there is no report: Ansible's errors, or the last lines of its output."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(_TELLING)] or lines[-3:]
    return f"no box was checked (exit code {code}): {'; '.join(telling)[:2000] or 'ansible-playbook printed nothing'}"


def _of_the_watch(change: str, message: str) -> dict[str, Any]:
    """Return an event about the watch itself, without a host."""
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


def _inert(value: Any) -> Any:
    """Return a value with all starts of templates in its strings made harmless.

    ansible-rulebook passes events as extra variables, which Ansible would template.
    """
    if isinstance(value, dict):
        return {name: _inert(one) for name, one in value.items()}
    return _TEMPLATE.sub("{ ", value) if isinstance(value, str) else value
