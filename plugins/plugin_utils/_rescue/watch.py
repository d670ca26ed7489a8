# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From look to look: what has appeared, worsened, eased or cleared, and which boxes may be rescued now.

Pure: what was known and what was seen go in, what is worth saying and what is known now come out. What is known is plain JSON.
"""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_duration
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _table

UNREACHABLE = "unreachable"
UNJUDGED = "unjudged"

# What is said again while it lasts; who has asked for a warning has it.
_PRESSING = ("down", "critical", "unknown")
# What is known of a box that nobody has looked at for so long is forgotten.
_FORGOTTEN = 30 * 86400
_HOUR = 3600
_DETAILS = ("severity", "message", "value", "threshold", "unit")


def empty():
    """What is known before the first look."""
    return {"boxes": {}, "rescued": {}}


def check(known):
    """Raise ValueError where V(known) is not what C(changes) gives back."""
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
        raise ValueError(f"it is not what a watch remembers: {error!r}") from error


def findings(box, result):
    """What health's V(result) says is wrong with a box. One that is not reached, or not judged, has that as its only finding."""
    if result.get("unreachable"):
        return [_own(UNREACHABLE, _table.down(box, result))]
    if "verdict" not in result:
        return [_own(UNJUDGED, _table.unknown(box, result))]
    return result["findings"]


def _own(name, row):
    return {
        "check": name,
        "severity": row.verdict,
        "subject": None,
        "value": None,
        "threshold": None,
        "unit": "",
        "message": row.reasons[0],
    }


def changes(known, looks, now, settle=2, remind=1800):
    """What is worth saying after a look, and what is known then.

    V(looks) is what C(findings) returned, by box; who was not looked at stays as known. A finding is said when it appears or gets worse,
    at once, and when it has been less or gone for V(settle) looks in a row, so that one that comes and goes is said once. What
    presses is said again every V(remind) seconds while it lasts; 0 says it never.
    """
    said = []
    boxes = {name: box for name, box in known["boxes"].items() if now - box["looked"] < _FORGOTTEN}
    for name, seen in looks.items():
        before = {(entry["check"], entry["subject"]): entry for entry in boxes.get(name, {}).get("findings", ())}
        after = []
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


def _worst(seen):
    """One finding a check and subject: of two processes of the same name, the one that is worse off."""
    worst = {}
    for finding in seen:
        key = finding["check"], finding["subject"]
        if key not in worst or _rank(finding["severity"]) > _rank(worst[key]["severity"]):
            worst[key] = finding
    return worst


def _untold(current, gone):
    """Of what was not seen this time, what the look could not tell: a box that was not reached, or not judged, may still have it."""
    if (UNREACHABLE, None) in current:
        return gone
    if (UNJUDGED, None) in current:
        return [key for key in gone if key[0] != UNREACHABLE]
    return []


def _compare(entry, finding, now, settle, remind):
    """A change or None, and what is known of the finding then, None where it is over."""
    if entry is None:
        entry = {
            "check": finding["check"],
            "subject": finding["subject"],
            "since": now,
            "said": now,
            "better": 0,
            **{name: finding[name] for name in _DETAILS},
        }
        return _change("appeared", entry, None), entry
    had = entry["severity"]
    if finding is None or _rank(finding["severity"]) < _rank(had):
        entry = {**entry, "better": entry["better"] + 1}
        if entry["better"] < settle:
            return None, entry
        if finding is None:
            return _change("cleared", {**entry, "severity": "ok"}, had), None
    entry = {**entry, "better": 0, **{name: finding[name] for name in _DETAILS}}
    if finding["severity"] != had:
        # Since when it has been as it is now.
        entry.update(since=now, said=now)
        return _change("worsened" if _rank(finding["severity"]) > _rank(had) else "eased", entry, had), entry
    # A clock that was put back must not make it silent.
    if remind and had in _PRESSING and not 0 <= now - entry["said"] < remind:
        entry["said"] = now
        return _change("lasts", entry, had), entry
    return None, entry


def _change(kind, entry, was):
    return {
        "change": kind,
        "check": entry["check"],
        "subject": entry["subject"],
        "was": was,
        "since": entry["since"],
        **{name: entry[name] for name in _DETAILS},
    }


def tell(change):
    """A change in words, one line."""
    box, severity, was, message = change["box"], change["severity"], change["was"], " ".join(change["message"].split())
    if change["change"] == "cleared":
        return (
            f"{box} answers again" if change["check"] == UNREACHABLE else f"{box} no longer {was}, as it was: {message}"
        )
    if change["change"] == "lasts":
        return f"{box} still {severity} after {format_duration(change['time'] - change['since'])}: {message}"
    return "%s %s: %s" % (box, severity if was is None else "%s, was %s" % (severity, was), message)


def rescues(known, looks, now, window, most):
    """Which boxes may be rescued now, why the other critical ones may not, and what is known then.

    A box is rescued once in V(window) seconds, and no more than V(most) rescues begin in an hour.
    """
    times = {
        box: [time for time in past if 0 <= now - time < max(window, _HOUR)] for box, past in known["rescued"].items()
    }
    room = most - sum(now - time < _HOUR for past in times.values() for time in past)
    chosen, held = [], {}
    for box, seen in looks.items():
        if not any(finding["severity"] == "critical" for finding in seen):
            continue
        last = max(times.get(box, ()), default=None)
        if last is not None and now - last < window:
            held[box] = f"it was rescued {format_duration(now - last)} ago, and is once in {format_duration(window)}"
        elif room <= 0:
            held[box] = f"{most} rescues have begun within an hour"
        else:
            room -= 1
            chosen.append(box)
            times[box] = [*times.get(box, ()), now]
    return chosen, held, {**known, "rescued": {box: past for box, past in times.items() if past}}


def _rank(severity):
    """How bad it is. Raises ValueError."""
    return len(_table.VERDICTS) - _table.VERDICTS.index(severity)
