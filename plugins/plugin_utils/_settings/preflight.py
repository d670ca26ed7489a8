# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put what the roles have found on a host on one page, and tell what each of them would refuse."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape

Result = Mapping[str, Any]
# The page says it once.
_UNTOUCHED = re.compile(r"[.;]? ?nothing was (written|touched)[.]?$", re.IGNORECASE)
_MAIL_SERVERS = ("exim4.service", "exim.service", "postfix.service", "sendmail.service")
_LOCAL = ("localhost", "127.0.0.1", "::1")


class Page(TypedDict):
    """The lines of a host's page, and the conflicts among them."""

    lines: list[str]
    conflicts: list[str]


def page(
    host: str, results: Mapping[str, Result], mail: Mapping[str, Any], listeners: Sequence[Mapping[str, Any]] = ()
) -> Page:
    """Return the page of a host. `results` are what the modules of the roles returned in check mode, by role.

    `mail` is the variable monit_mail, and `listeners` is who listens, as listener_facts found it.
    """
    conflicts: list[str] = []
    lines = [f"{host}: what the roles find, and what they would do", *_listening(listeners)]
    for role, result in results.items():
        found = _conflict(role, result)
        conflicts += found
        told = found or [f"{role}: {line}" for line in _told(result)] or [f"{role}: nothing to do"]
        lines += [f"CONFLICT {line}" if found else line for line in told]
    stopped = sorted({*results.get("service_lockdown", {}).get("units", ())} & {*_MAIL_SERVERS})
    if stopped and "monit" in results and mail.get("to") and mail.get("server", "localhost") in _LOCAL:
        conflicts.append(
            f"service_lockdown: it would stop {', '.join(stopped)}, which monit_mail needs; set monit_mail.server, or "
            "give the unit the state absent in service_lockdown_stopped"
        )
        lines.append(f"CONFLICT {conflicts[-1]}")
    return {"lines": lines, "conflicts": conflicts}


def _conflict(role: str, result: Result) -> list[str]:
    # A module that succeeds has no message.
    message = " ".join(str(result.get("msg") or "").split())
    return [f"{role}: {escape(_UNTOUCHED.sub('', message))}"] if message else []


def _told(result: Result) -> list[str]:
    """Return what a module would do, one line each."""
    if result.get("skipped"):
        return ["switched off"]
    lines = []
    if result.get("ports"):
        lines.append(f"sshd listens on {', '.join(map(str, result['ports']))}")
    if result.get("missing"):
        lines.append(f"would install {', '.join(result['missing'])}")
    lines += [f"would change {path}" for path in _paths(result.get("diff"))]
    lines += [f"would have {change}" for change in result.get("changes") or ()]
    lines += [f"leaves {one['unit']} alone: {one['needed_by']} needs it" for one in result.get("spared") or ()]
    lines += [f"leaves {one['unit']} alone: {one['reason']}" for one in result.get("left") or ()]
    lines += [f"would keep {path} aside" for path in result.get("kept") or ()]
    lines += [f"leaves the check {name} to a file of others" for name in result.get("left_out") or ()]
    lines += _workers(result)
    return [escape(line) for line in lines]


def _workers(result: Result) -> list[str]:
    found = (result.get("workers") or {}).items()
    lines = [f"worker {name}: {worker.get('command')}, as user {worker.get('user')}" for name, worker in found]
    lines += [f"finds a worker outside its unit: {process}" for process in result.get("outside") or ()]
    return lines + [f"finds a file of others: {path}" for path in result.get("foreign") or ()]


def _listening(listeners: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return who listens where, one line for each service."""
    places: dict[str, list[str]] = {}
    for one in listeners:
        name, unit = one.get("name") or "a process of another user", one.get("unit")
        who = f"{name} ({unit})" if unit else str(name)
        places.setdefault(who, []).append(f"{one.get('protocol')}/{one.get('address')}:{one.get('port')}")
    return [escape(f"{who} listens on {', '.join(where)}") for who, where in sorted(places.items())]


def _paths(diff: object) -> list[str]:
    """Return the files of a diff; that of units has none."""
    parts = diff if isinstance(diff, list) else []
    return [part["before_header"] for part in parts if isinstance(part, Mapping) and part.get("before_header")]
