# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples to begin with: recorded hosts, recorded logs, and answers as the scripts would have printed them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from fuzz.mutations import Sample

from ansible_collections.lifeline.fleet.plugins.module_utils._reader import decode
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import health
from paths import BOXES

# The number of processes that a seed keeps.
_PROCESSES = 6
_LOG = 6000
_PID = re.compile(r"/proc/(\d+)/")
_UNITS = (
    "Id=sidekiq.service\nActiveState=failed\nResult=signal\nNRestarts=3\nLoadState=loaded\n"
    "ExecMainStartTimestampMonotonic=1000000\n"
)
_CRASH = "6,1,100500000,-;ruby[77]: segfault at 0 ip 00 sp 00 error 4 in libruby.so.3.1[7f]\n"
_JUDGED = ("box03*", "box08*", "box27*", "box29*", "box33*", "f01*", "m13*", "o03*", "p0*")


def hosts(*patterns: str) -> list[Sample]:
    """Return the sources of recorded hosts, each with a few processes only."""
    found = []
    for folder in (path for pattern in patterns for path in sorted(BOXES.glob(pattern))):
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        named = {path.relative_to(folder).as_posix(): decode(path.read_bytes()) for path in files}
        found.append(_small({"/" + name if "/" in name else name: text for name, text in named.items()}))
    return found


def judged() -> list[Sample]:
    """Return the sources of hosts that were recorded or made up for the verdict."""
    paths = [path for pattern in _JUDGED for path in sorted((BOXES / "judged").glob(pattern + ".json"))]
    return [_small(json.loads(path.read_text(encoding="utf-8"))["sources"]) for path in paths]


def logs() -> list[Sample]:
    """Return the recorded logs, cut off."""
    paths = sorted((BOXES / "oomlogs").rglob("*.log"))
    return [{"log": decode(path.read_bytes())[:_LOG]} for path in paths]


def monit() -> list[str]:
    """Return the recorded statuses of monit."""
    return [path.read_text(encoding="utf-8") for path in sorted((BOXES / "monit").glob("*.xml"))]


def probed(sources: Mapping[str, str]) -> str:
    """Return the answer that the script of `health` would have printed on a recorded host."""
    long = health.SLASHES
    short = re.compile(r"/proc/\d+/(stat|oom_score_adj)|/sys/fs/cgroup/.*")
    files = [name for name in sources if name in health.SYSTEM_FILES or short.fullmatch(name)]
    answers = [line.partition(" /") for line in sources.get("statfs", "").splitlines()]
    names = [_kernel_escaped("/" + name) for _figures, slash, name in answers if slash]
    figures = [figures for figures, slash, _name in answers if slash]
    lines = [
        f"{name}:{line}"
        for name, text in sources.items()
        if name.endswith(("/limits", "/vmstat"))
        for line in text.splitlines()
        if line.startswith(("Max open files", "oom_kill "))
    ]
    said = [
        _mark("files"),
        *(f"==> {name} <==\n{sources[name]}\n" for name in files),
        _mark("mountinfo") + sources.get("/proc/self/mountinfo", ""),
        _mark("mounts") + " ".join(["", *names]) + "\n",
        _mark("statfs") + "\n".join(figures) + "\n",
        _mark("guarded.mounts") + " 0:45 /net 0:46 /hung\n",
        _mark("guarded") + "lifeline:0:45 1 4096 4096 2 2 2 2 2\n2 hung\n",
        _mark("fds") + sources.get("fds", ""),
        _mark("units") + sources.get("units", _UNITS),
        _mark("whole") + "/proc/36/cmdline:/usr/bin/ruby sidekiq\n",
        _mark("commands"),
        *(
            f"==> /proc{long}{name[6:]} <==\n{text}\n"
            for name, text in sources.items()
            if re.fullmatch(r"/proc/\d+/cmdline", name)
        ),
        _mark(f"{long}unread") + " \n",
        _mark(f"{long}lines") + "\n".join(lines) + "\n",
        _mark(f"{long}dmesg") + sources.get("dmesg", _CRASH),
        _mark(f"{long}end"),
    ]
    return "".join(said)


def parted(parts: Mapping[str, str], ends: Iterable[str] = ("end",)) -> str:
    """Return the answer of a script that uses the kit, with these texts in its parts."""
    said = []
    for name, text in parts.items():
        body = "".join(f"|{line}\n" for line in text.split("\n"))
        said.append(_mark(name) + body + "|ended 0\n")
    return "".join(said) + "".join(_mark(end) for end in ends)


def _small(sources: Sample) -> Sample:
    pids = sorted({int(found.group(1)) for found in map(_PID.match, sources) if found})
    chosen = {str(pid) for pid in pids[:_PROCESSES]}
    return {
        name: text[:_LOG]
        for name, text in sources.items()
        if (found := _PID.match(name)) is None or found.group(1) in chosen
    }


def _kernel_escaped(name: str) -> str:
    return re.sub(r"[ \t\n\\#]", lambda found: f"\\{ord(found.group()):03o}", name)


def _mark(name: str) -> str:
    return f"\n==> lifeline:{name} <==\n"
