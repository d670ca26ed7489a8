# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills for want of memory that programs did, not the kernel: systemd-oomd, earlyoom, nohang, Talos, Android's
lowmemorykiller."""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.cgroup_units import unit_of

KEYS = (
    "time",
    "uptime_seconds",
    "killer",
    "pid",
    "name",
    "uid",
    "rss_bytes",
    "signal",
    "cgroup",
    "unit",
    "reason",
    "source",
)

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
_NOHANG = re.compile(
    r"\bSending (SIGTERM|SIGKILL) to (?:the victim|process)[^\n]{0,200}?(?:\(PID: |PID: "
    r"|pid )(?P<pid>\d{1,10})[^\n]{0,80}?name: (?P<name>[^\n,)]{1,64})"
)
_TALOS = re.compile(r"\bSending SIGKILL to cgroup\b[^\n]{0,400}?\"cgroup\": \"(/[^\"\n]{1,1000})\"")
_ANDROID = re.compile(r"\blowmemorykiller: Killing '([^'\n]{1,64})' \((\d{1,10})\), adj (-?\d{1,5})")
_SIGNALS = {"15": "SIGTERM", "9": "SIGKILL", "TERM": "SIGTERM", "KILL": "SIGKILL"}


def _event(text):
    event = dict.fromkeys(KEYS)
    match = _OOMD.search(text)
    if match:
        event.update(
            killer="systemd-oomd",
            cgroup=match.group(1),
            unit=unit_of(match.group(1)),
            signal="SIGKILL",
            reason=match.group(2).strip(),
        )
        return event
    match = _OOMD_UNIT.search(text)
    if match:
        event.update(killer="systemd-oomd", unit=match.group(1), signal="SIGKILL")
        return event
    for pattern in _EARLYOOM:
        match = pattern.search(text)
        if match:
            named = match.groupdict()
            signal = match.group(1) if "number" not in named else _SIGNALS.get(named["number"])
            if signal is None:
                # Signal 0 is earlyoom testing whether it may kill at all.
                return None
            rss = _RSS.search(match.group("rest"))
            event.update(killer="earlyoom", pid=int(match.group("pid")), name=match.group("name"), signal=signal)
            if named.get("uid"):
                event["uid"] = int(named["uid"])
            else:
                uid = re.search(r"\buid:? (\d{1,10})", match.group("rest"))
                event["uid"] = int(uid.group(1)) if uid else None
            if rss:
                event["rss_bytes"] = int(rss.group(1)) << (20 if rss.group(2) == "MiB" else 10)
            return event
    match = _NOHANG.search(text)
    if match:
        event.update(killer="nohang", pid=int(match.group("pid")), name=match.group("name"), signal=match.group(1))
        return event
    match = _TALOS.search(text)
    if match:
        event.update(killer="talos", cgroup=match.group(1), unit=unit_of(match.group(1)), signal="SIGKILL")
        return event
    match = _ANDROID.search(text)
    if match:
        event.update(killer="lowmemorykiller", pid=int(match.group(2)), name=match.group(1), signal="SIGKILL")
        return event
    return None


_TRUSTED = re.compile(r"(?:systemd|systemd-oomd|earlyoom|nohang|nohang-desktop|talos|kernel|\?|user|daemon)$")


def kills(found, source=None):
    """The kills that programs did, out of one log's records."""
    events = []
    for record in found:
        text = record.text
        if not any(word in text for word in _WORDS):
            continue
        program = record.program
        if program is not None and not _TRUSTED.match(program):
            continue
        event = _event(text)
        if event is None:
            continue
        event["time"], event["uptime_seconds"], event["source"] = record.epoch, record.uptime, source
        events.append(event)
    return events


def _same(one, other):
    if one["killer"] != other["killer"]:
        return False
    if one["pid"] != other["pid"]:
        return False
    if one["pid"] is None and (
        one["unit"] != other["unit"] or one["cgroup"] and other["cgroup"] and one["cgroup"] != other["cgroup"]
    ):
        return False
    if one["time"] is None or other["time"] is None:
        return (
            one["pid"] is not None
            or one["cgroup"] is None
            or other["cgroup"] is None
            or one["reason"] == other["reason"]
        )
    # earlyoom asks before it kills, and systemd reports what systemd-oomd did a little later.
    return abs(one["time"] - other["time"]) <= 60


def distinct(logs):
    """Each kill once, newest first: a second signal to the same process, and a second report of the same kill, are
    no second kill."""
    found = []
    for events in logs:
        for event in events:
            same = next((other for other in found[-64:] if _same(other, event)), None)
            if same is None:
                found.append(event)
                continue
            if event["signal"] == "SIGKILL":
                same["signal"] = "SIGKILL"
            for key, value in event.items():
                if same[key] is None:
                    same[key] = value
    order = sorted(
        range(len(found)), key=lambda number: (found[number]["time"] is None, -(found[number]["time"] or 0), -number)
    )
    return [found[number] for number in order]
