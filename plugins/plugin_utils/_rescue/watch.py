# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a check with the last one: the findings that appeared, worsened, eased or cleared, and the hosts to rescue.

The functions are pure: they take the known state and the new results, and return the report and the new state as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_duration
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _table

UNREACHABLE = "unreachable"
UNJUDGED = "unjudged"

# Reported again while they last. A warning is not.
_PRESSING = ("down", "critical", "unknown")
# Forget a host that was not checked for this long, in seconds.
_FORGOTTEN = 30 * 86400
_HOUR = 3600
_DETAILS = ("severity", "message", "value", "threshold", "unit")

Known = dict[str, Any]
# A finding of health, an entry of what is known, or a change: a finding with more keys.
Found = dict[str, Any]
Key = tuple[str, str | None]


def empty() -> Known:
    """Return the state before the first check."""
    return {"boxes": {}, "rescued": {}}


def check(known: Mapping[str, Any]) -> None:
    """Raise ValueError if `known` is not what `changes` returns."""
    try:
        for box in known["boxes"].values():
            float(box["looked"])
            for entry in box["findings"]:
                _rank(entry["severity"])
                float(entry["since"]), float(entry["said"]), int(entry["better"])
                entry["check"], entry["subject"], entry["message"]
        for times in known["rescued"].values():
            [float(time) for time in times]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not the state of a watch: {error!r}") from error


def findings(box: str, result: Mapping[str, Any]) -> list[Found]:
    """Return the findings of a result of health. A host that was not reached or not judged has this as its only
    finding."""
    if result.get("unreachable"):
        return [_own(UNREACHABLE, _table.down(box, result))]
    if "verdict" not in result:
        return [_own(UNJUDGED, _table.unknown(box, result))]
    return list(result["findings"])


def _own(name: str, row: _table.Row) -> Found:
    return {
        "check": name,
        "severity": row.verdict,
        "subject": None,
        "value": None,
        "threshold": None,
        "unit": "",
        "message": row.reasons[0],
    }


def changes(
    known: Known, looks: Mapping[str, Sequence[Found]], now: float, settle: int = 2, remind: float = 1800
) -> tuple[list[Found], Known]:
    """Return the changes to report after a look, the worst first, and what is known then.

    `looks` is what `findings` returned, by host; a host that was not looked at stays as it was known. A finding is
    reported at once when it appears or gets worse. It is reported as eased or cleared after `settle` looks in a row, so
    one that comes and goes is reported once. A pressing one is reported again every `remind` seconds; 0 means never.
    """
    said: list[Found] = []
    boxes = {name: box for name, box in known["boxes"].items() if now - box["looked"] < _FORGOTTEN}
    for name, seen in looks.items():
        before = {(entry["check"], entry["subject"]): entry for entry in boxes.get(name, {}).get("findings", ())}
        after: list[Found] = []
        current = _worst(seen)
        gone = [key for key in before if key not in current]
        untold = _untold(current, gone)
        for key in [*current, *gone]:
            if key in untold:
                after.append(before[key])
                continue
            change, entry = _compare(before.get(key), current.get(key), now, settle, remind)
            if change:
                said.append({"box": name, **change, "time": now})
            if entry:
                after.append(entry)
        boxes[name] = {"looked": now, "findings": after}
    return sorted(said, key=lambda change: -_rank(change["severity"])), {**known, "boxes": boxes}


def _worst(seen: Iterable[Found]) -> dict[Key, Found]:
    """Return one finding per check and subject: of two processes of one name, the worse one."""
    worst: dict[Key, Found] = {}
    for finding in seen:
        key = finding["check"], finding["subject"]
        if key not in worst or _rank(finding["severity"]) > _rank(worst[key]["severity"]):
            worst[key] = finding
    return worst


def _untold(current: Mapping[Key, Found], gone: list[Key]) -> list[Key]:
    """Return the known findings of a host that was not reached or judged: it may still have them."""
    if (UNREACHABLE, None) in current:
        return gone
    if (UNJUDGED, None) in current:
        return [key for key in gone if key[0] != UNREACHABLE]
    return []


def _compare(
    entry: Found | None, finding: Found | None, now: float, settle: int, remind: float
) -> tuple[Found | None, Found | None]:
    """Return a change or None, and the new state of the finding, None if it is over."""
    if entry is None:
        return _appeared(finding or {}, now)
    had = entry["severity"]
    if finding is None or _rank(finding["severity"]) < _rank(had):
        entry = {**entry, "better": entry["better"] + 1}
        if entry["better"] < settle:
            return None, entry
        if finding is None:
            return _change("cleared", {**entry, "severity": "ok"}, had), None
    seen = finding or {}
    entry = {**entry, "better": 0, **{name: seen[name] for name in _DETAILS}}
    if entry["severity"] != had:
        # `since` is the time of its last change.
        entry.update(since=now, said=now)
        return _change("worsened" if _rank(entry["severity"]) > _rank(had) else "eased", entry, had), entry
    # A clock that was set back must not silence it.
    if remind and had in _PRESSING and not 0 <= now - entry["said"] < remind:
        entry["said"] = now
        return _change("lasts", entry, had), entry
    return None, entry


def _appeared(finding: Found, now: float) -> tuple[Found, Found]:
    entry = {
        "check": finding["check"],
        "subject": finding["subject"],
        "since": now,
        "said": now,
        "better": 0,
        **{name: finding[name] for name in _DETAILS},
    }
    return _change("appeared", entry, None), entry


def _change(kind: str, entry: Found, was: str | None) -> Found:
    return {
        "change": kind,
        "check": entry["check"],
        "subject": entry["subject"],
        "was": was,
        "since": entry["since"],
        **{name: entry[name] for name in _DETAILS},
    }


def tell(change: Found) -> str:
    """Return a change in words, on one line that is safe to print; a host's name may come from a cloud's tags."""
    return escape(_words(change))


def _words(change: Found) -> str:
    box, severity, was, message = change["box"], change["severity"], change["was"], " ".join(change["message"].split())
    if change["change"] == "cleared":
        return f"{box} answers again" if change["check"] == UNREACHABLE else f"{box} no longer {was} (was: {message})"
    if change["change"] == "lasts":
        return f"{box} still {severity} after {format_duration(change['time'] - change['since'])}: {message}"
    return "%s %s: %s" % (box, severity if was is None else "%s, was %s" % (severity, was), message)


def rescues(
    known: Known, looks: Mapping[str, Sequence[Found]], now: float, window: float, most: int
) -> tuple[list[str], dict[str, str], Known]:
    """Return the hosts that may be rescued now, why the other critical ones may not, and what is known then.

    A host is rescued once in `window` seconds, and at most `most` rescues begin in an hour.
    """
    times = {
        box: [time for time in past if 0 <= now - time < max(window, _HOUR)] for box, past in known["rescued"].items()
    }
    room = most - sum(now - time < _HOUR for past in times.values() for time in past)
    chosen: list[str] = []
    held: dict[str, str] = {}
    for box, seen in looks.items():
        if not any(finding["severity"] == "critical" for finding in seen):
            continue
        last = max(times.get(box, ()), default=None)
        if last is not None and now - last < window:
            held[box] = f"rescued {format_duration(now - last)} ago; at most one rescue per {format_duration(window)}"
        elif room <= 0:
            held[box] = f"{most} rescues have begun within an hour"
        else:
            room -= 1
            chosen.append(box)
            times[box] = [*times.get(box, ()), now]
    return chosen, held, {**known, "rescued": {box: past for box, past in times.items() if past}}


def _rank(severity: str) -> int:
    """Return how bad a severity is. Raises ValueError for any other word."""
    return len(_table.VERDICTS) - _table.VERDICTS.index(severity)
