# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find OOM kills by programs: systemd-oomd, earlyoom, nohang, Talos and Android's lowmemorykiller."""

from __future__ import annotations

import re
from typing import Dict, Iterable, TypedDict, cast

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.cgroup_units import unit_of


class OtherKill(TypedDict):
    """A kill by a program, as `oom_facts` documents it; its `time` is in seconds since 1970 here."""

    time: float | None
    uptime_seconds: float | None
    killer: str
    pid: int | None
    name: str | None
    uid: int | None
    rss_bytes: int | None
    signal: str
    cgroup: str | None
    unit: str | None
    reason: str | None
    source: str | None


KEYS = tuple(OtherKill.__annotations__)

_WORDS = ("due to memory", "SIGTERM", "SIGKILL", "with signal", "systemd-oomd killed", "lowmemorykiller")
_OOMD = re.compile(
    r"\b(?:Killed|Marked) (/[^\n]{1,1000}?)(?: for killing)? due to (memory (?:pressure|used)[^\n]{0,400})"
)
_OOMD_UNIT = re.compile(r"(?:^|\s)([^\s:/]{1,255}\.[a-z]{1,8}): systemd-oomd killed (?:some|\d{1,10}) process")
_EARLYOOM = (
    re.compile(
        r"\bsending (SIGTERM"
        r"|SIGKILL) to process (?P<pid>\d{1,10}) (?:uid (?P<uid>\d{1,10}) )?\"(?P<name>[^\n]{0,64}?)\":"
        r" (?P<rest>[^\n]{0,400})"
    ),
    re.compile(
        r"\b[Kk]illing process '(?P<name>[^\n]{0,64}?)' with signal '?(?P<number>\w{1,8})'?, pid:"
        r" (?P<pid>\d{1,10})(?P<rest>[^\n]{0,400})"
    ),
    re.compile(
        r"\b[Kk]illing process:? (?P<pid>\d{1,10}),? \"?(?P<name>[^\n\"]{0,64}?)\"? with signal"
        r" (?P<number>\d{1,2})(?P<rest>[^\n]{0,400})"
    ),
)
_RSS = re.compile(r"VmRSS:? (\d{1,12}) ?(MiB|KiB|kiB)")
_UID = re.compile(r"\buid:? (\d{1,10})")
_NOHANG = re.compile(
    r"\bSending (SIGTERM|SIGKILL) to (?:the victim|process)[^\n]{0,200}?(?:\(PID: |PID: "
    r"|pid )(?P<pid>\d{1,10})[^\n]{0,80}?name: (?P<name>[^\n,)]{1,64})"
)
_TALOS = re.compile(r"\bSending SIGKILL to cgroup\b[^\n]{0,400}?\"cgroup\": \"(/[^\"\n]{1,1000})\"")
_ANDROID = re.compile(r"\blowmemorykiller: Killing '([^'\n]{1,64})' \((\d{1,10})\), adj (-?\d{1,5})")
_SIGNALS = {"15": "SIGTERM", "9": "SIGKILL", "TERM": "SIGTERM", "KILL": "SIGKILL"}
_TRUSTED = re.compile(r"(?:systemd|systemd-oomd|earlyoom|nohang|nohang-desktop|talos|kernel|\?|user|daemon)$")
# The kernel's own messages of these kinds; all else in its buffer has the tag of a program.
_IN_THE_KERNEL = ("lowmemorykiller: ", "[talos] ")
# earlyoom asks before it kills, and systemd reports a little later what systemd-oomd did.
_SAME_KILL_SECONDS = 60
_LATEST = 64


def kills(found: Iterable[Record], source: str | None = None) -> list[OtherKill]:
    """Return the kills by programs that one log's records tell of."""
    events: list[OtherKill] = []
    for record in found:
        if not any(word in record.text for word in _WORDS):
            continue
        if record.program is not None and not _TRUSTED.match(record.program):
            continue
        if record.exact and record.program is None and not record.text.startswith(_IN_THE_KERNEL):
            continue
        event = _systemd_oomd(record.text) or _earlyoom(record.text) or _others(record.text)
        if event is not None:
            event["time"], event["uptime_seconds"], event["source"] = record.epoch, record.uptime, source
            events.append(event)
    return events


def _kill(
    killer: str,
    signal: str = "SIGKILL",
    pid: int | None = None,
    name: str | None = None,
    cgroup: str | None = None,
    unit: str | None = None,
) -> OtherKill:
    return {
        "time": None,
        "uptime_seconds": None,
        "killer": killer,
        "pid": pid,
        "name": name,
        "uid": None,
        "rss_bytes": None,
        "signal": signal,
        "cgroup": cgroup,
        "unit": unit or unit_of(cgroup),
        "reason": None,
        "source": None,
    }


def _systemd_oomd(text: str) -> OtherKill | None:
    match = _OOMD.search(text)
    if match:
        event = _kill("systemd-oomd", cgroup=match.group(1))
        event["reason"] = match.group(2).strip()
        return event
    match = _OOMD_UNIT.search(text)
    return _kill("systemd-oomd", unit=match.group(1)) if match else None


def _earlyoom(text: str) -> OtherKill | None:
    match = next((match for match in (pattern.search(text) for pattern in _EARLYOOM) if match), None)
    if match is None:
        return None
    told = match.groupdict()
    signal = match.group(1) if "number" not in told else _SIGNALS.get(told["number"])
    if signal is None:
        # Signal 0 is earlyoom's test of whether it may kill at all.
        return None
    event = _kill("earlyoom", signal, int(told["pid"]), told["name"])
    later = _UID.search(told["rest"])
    uid = told.get("uid") or (later.group(1) if later else None)
    event["uid"] = None if uid is None else int(uid)
    rss = _RSS.search(told["rest"])
    if rss:
        event["rss_bytes"] = int(rss.group(1)) << (20 if rss.group(2) == "MiB" else 10)
    return event


def _others(text: str) -> OtherKill | None:
    match = _NOHANG.search(text)
    if match:
        return _kill("nohang", match.group(1), int(match.group("pid")), match.group("name"))
    match = _TALOS.search(text)
    if match:
        return _kill("talos", cgroup=match.group(1))
    match = _ANDROID.search(text)
    return _kill("lowmemorykiller", pid=int(match.group(2)), name=match.group(1)) if match else None


def _same(one: OtherKill, other: OtherKill) -> bool:
    """Return whether two events are the same kill."""
    if one["killer"] != other["killer"] or one["pid"] != other["pid"]:
        return False
    both = bool(one["cgroup"] and other["cgroup"])
    if one["pid"] is None and (one["unit"] != other["unit"] or both and one["cgroup"] != other["cgroup"]):
        return False
    if one["time"] is None or other["time"] is None:
        return one["pid"] is not None or not both or one["reason"] == other["reason"]
    return abs(one["time"] - other["time"]) <= _SAME_KILL_SECONDS


def distinct(logs: Iterable[Iterable[OtherKill]]) -> list[OtherKill]:
    """Return each kill once, newest first.

    A second signal to the same process, and a second report of the same kill, are no second kill.
    """
    found: list[OtherKill] = []
    for events in logs:
        for event in events:
            same = next((other for other in found[-_LATEST:] if _same(other, event)), None)
            if same is None:
                found.append(event)
                continue
            if event["signal"] == "SIGKILL":
                same["signal"] = "SIGKILL"
            known = cast(Dict[str, object], same)
            for key, value in event.items():
                if known[key] is None:
                    known[key] = value
    order = sorted(enumerate(found), key=lambda item: (item[1]["time"] is None, -(item[1]["time"] or 0), -item[0]))
    return [event for _number, event in order]
