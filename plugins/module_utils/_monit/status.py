# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse what a running monit reports of itself and of its checks."""

from __future__ import annotations

import re
from typing import Dict, Optional, Sequence, TypedDict
from xml.etree import ElementTree

from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape_or_none

KINDS = ("filesystem", "directory", "file", "process", "host", "system", "fifo", "program", "network")
MONITORED = ("no", "yes", "initializing", "waiting")


class Check(TypedDict):
    """A check as monit reports it; values that monit leaves out are None. `waits` means for an action."""

    kind: Optional[str]
    monitored: Optional[str]
    waits: bool
    ok: bool
    message: Optional[str]
    pid: Optional[int]
    memory_total_bytes: Optional[int]


class Status(TypedDict):
    """The report of monit. `incarnation` is when it last read its configuration, in seconds since 1970."""

    version: Optional[str]
    incarnation: int
    poll_seconds: Optional[int]
    checks: Dict[str, Check]


_NUMBER = re.compile(r"-?[0-9]{1,18}\Z")


def parse(xml: bytes) -> Status:
    """Parse monit's answer to `/_status?format=xml`. Raises ValueError if it is not one."""
    try:
        root = ElementTree.fromstring(xml)
    # The text may name an encoding that Python has not.
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise ValueError(f"monit's status is not XML: {error}") from error
    server = root.find("server")
    incarnation = _number(server, "incarnation") if server is not None else None
    if server is None or incarnation is None:
        raise ValueError("monit's status does not say when it read its configuration")
    return {
        "version": _text(server, "version"),
        "incarnation": incarnation,
        "poll_seconds": _number(server, "poll"),
        # From version 6 on the name is an element.
        "checks": {
            _text(service, "name") or service.get("name") or "": _check(service) for service in root.iter("service")
        },
    }


def _check(service: ElementTree.Element) -> Check:
    kilobytes = _number(service, "memory/kilobytetotal")
    return {
        "kind": _index(service.get("type"), KINDS),
        "monitored": _index(_text(service, "monitor"), MONITORED),
        "waits": _text(service, "pendingaction") not in (None, "0"),
        "ok": _text(service, "status") == "0",
        # Output of programs has names that users chose.
        "message": escape_or_none(_text(service, "status_message") or _text(service, "program/output")),
        "pid": _number(service, "pid"),
        "memory_total_bytes": None if kilobytes is None else kilobytes * 1024,
    }


def _text(element: ElementTree.Element, path: str) -> Optional[str]:
    found = element.find(path)
    text = (found.text or "").strip() if found is not None else ""
    return text or None


def _number(element: ElementTree.Element, path: str) -> Optional[int]:
    text = _text(element, path)
    return int(text) if text is not None and _NUMBER.match(text) else None


def _index(text: Optional[str], names: Sequence[str]) -> Optional[str]:
    number = int(text) if text is not None and _NUMBER.match(text) else -1
    return names[number] if 0 <= number < len(names) else None
