# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running monit says of itself and of its checks: its XML as a dictionary."""

from __future__ import annotations

from xml.etree import ElementTree

KINDS = ("filesystem", "directory", "file", "process", "host", "system", "fifo", "program", "network")
MONITORED = ("no", "yes", "initializing", "waiting")


def parse(xml):
    """Monit's answer to C(/_status?format=xml), in bytes, as a dictionary.

    C(incarnation) is the second since 1970 in which monit last read its configuration; C(checks) maps a check's name to its C(kind),
    C(monitored), C(waits) (for an action), C(ok), C(message), C(pid) and C(memory_total_bytes), C(None) where monit does not say.
    Raises ValueError where it isn't monit's.
    """
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise ValueError(f"monit's status is no XML: {error}") from error
    server = root.find("server")
    incarnation = _number(server, "incarnation") if server is not None else None
    if incarnation is None:
        raise ValueError("monit's status doesn't say since when it runs")
    checks = [_check(service) for service in root.iter("service")]
    return {
        "version": _text(server, "version"),
        "incarnation": incarnation,
        "poll_seconds": _number(server, "poll"),
        "checks": {check.pop("name"): check for check in checks},
    }


def _check(service):
    kind, monitored = _index(service.get("type"), KINDS), _index(_text(service, "monitor"), MONITORED)
    kilobytes = _number(service, "memory/kilobytetotal")
    return {
        # From version 6 on the name stands on a line of its own.
        "name": _text(service, "name") or service.get("name"),
        "kind": kind,
        "monitored": monitored,
        "waits": _text(service, "pendingaction") not in (None, "0"),
        "ok": _text(service, "status") == "0",
        "message": _text(service, "status_message") or _text(service, "program/output"),
        "pid": _number(service, "pid"),
        "memory_total_bytes": None if kilobytes is None else kilobytes * 1024,
    }


def _text(element, path):
    found = element.find(path)
    text = (found.text or "").strip() if found is not None else ""
    return text or None


def _number(element, path):
    text = _text(element, path)
    return int(text) if text is not None and text.lstrip("-").isdigit() else None


def _index(text, names):
    return names[int(text)] if text is not None and text.isdigit() and int(text) < len(names) else None
