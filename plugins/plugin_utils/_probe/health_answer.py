# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer to the script of `health.py`: the sources of a host, and what could not be read of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import units
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import cgroup, kernel_tables, mountinfo
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import watchdog
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.health import (
    MARK,
    PROCESS_FILES,
    SLASHES,
    SYSTEM_FILES,
)
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.script import shown, text_of

_BEGIN, _END = "files", "end"
# In the order of the script. Behind the first of them free text may follow, so only long headings count there.
PARTS = ("files", "mountinfo", "mounts", "statfs", "guarded.mounts", "guarded", "fds", "units", "whole", "commands")

# The text that the probe prints if its shell can't start a process, and the errors of shells and sshd about it.
_EXHAUSTED = re.compile(r"^==> lifeline:exhausted <==\n", re.MULTILINE)
_CANNOT_FORK = re.compile(r"(?:can't|cannot) fork|fork: |fork failed", re.IGNORECASE)
_MOST_SAID = 4096
_ALL_ELSE = "everything else: the box can't start a process"

_PART = re.compile(rf"^==> lifeline:({'|'.join(map(re.escape, PARTS))}) <==\n", re.MULTILINE)
_LONG = re.compile(rf"\n?==> (/proc|/run|lifeline:){SLASHES}([^\s/][^\s]{{0,300}}) <==\n")
_FILE = re.compile(
    r"^==> ("
    + "|".join(
        (
            *map(re.escape, SYSTEM_FILES),
            re.escape(watchdog.FOLDER) + r"/[^\s/]+",
            *(re.escape(pattern).replace(r"\*", r"[^\s/]+") for pattern in kernel_tables.PATTERNS),
            rf"/\S*/(?:{'|'.join(map(re.escape, (*cgroup.FILES[1], *cgroup.FILES[2])))})",
            r"/sys/fs/cgroup/\S+\.service/cgroup\.procs",
            rf"/proc/\d{{1,10}}/(?:{'|'.join(PROCESS_FILES)})",
        )
    )
    + r") <==\n",
    re.MULTILINE,
)
_WHOLE = re.compile(r"(/proc/\d{1,10}/cmdline):(.*)", re.DOTALL)
_LINE = re.compile(r"(/proc/(?:\d{1,10}/(?:limits|cgroup)|net/[a-z0-9]{1,8})):(.*)")
_FIGURES = re.compile(r"-?\d{1,20}(?: -?\d{1,20}){6}")
_GUARDED = re.compile(rf"(?:lifeline:\S+ )?(\d{{1,6}}) (hung|denied|{_FIGURES.pattern})")
_FOLDER = re.compile(r"/proc/(\d{1,10})/fd:")
_SOCKET = re.compile(r" -> socket:\[(\d{1,20})\]")
_COMMAND = re.compile(r"/proc/(\d{1,10})/cmdline")


class Answer(NamedTuple):
    """The texts of a host by source, what could not be read, each in a few words, and the check that this fails."""

    sources: dict[str, str]
    unread: list[str]
    failed: str | None = None


def read(answer: str, errors: str = "") -> Answer:
    """Return the host's sources out of the script's standard output.

    Raises ProbeError if that isn't what the script prints; `errors`, its standard error, may then say why.
    """
    text = text_of(answer)
    parts, commands = _split(text)
    exhausted = None if parts else _EXHAUSTED.search(text)
    if exhausted:
        return Answer(_files(text[exhausted.end() :]), [_ALL_ELSE], "fork_fails")
    found = _files(parts.get(_BEGIN, ""))
    long = _commands(commands)
    if "/proc/meminfo" not in found:
        if _CANNOT_FORK.search(text[:_MOST_SAID] + errors[:_MOST_SAID]):
            return Answer({}, [_ALL_ELSE], "fork_fails")
        raise ProbeError(f"the box did not run the probe: it answered {shown(text + errors)}")
    unread: list[str] = []
    complete = long.pop(_END, None) is not None
    if not complete:
        unread.append(f"what follows in the probe: it ended after {len(found)} sources")
    found["statfs"] = _statfs(parts, unread)
    found.update((name, parts[name]) for name in ("fds", units.SOURCE) if name in parts)
    found.update((path, parts[name]) for name, path in (("mountinfo", mountinfo.SOURCES[0]),) if name in parts)
    long.update(_whole(parts.get("whole", ""), long))
    found.update(_lines(long.pop("lines", "")))
    if "holders" in long:
        found["sockets"] = _holders(long.pop("holders"))
    unread += _not_read(long.pop("unread", ""))
    # Nothing that a user wrote overrides what the kernel says.
    return Answer({**long, **found}, unread, None if complete else "probe_incomplete")


def sources(answer: str, errors: str = "") -> dict[str, str]:
    """Return the host's sources alone. Raises ProbeError."""
    return read(answer, errors).sources


def _split(text: str) -> tuple[dict[str, str], str]:
    """Return the parts in the order of the script, each once, and what follows the heading of the command lines."""
    parts: dict[str, str] = {}
    name, began, after = "", 0, 0
    for heading in _PART.finditer(text):
        number = PARTS.index(heading.group(1))
        if number < after or (not after and number):
            continue
        if name:
            parts[name] = _cut(text[began : heading.start()])
        name, began, after = heading.group(1), heading.end(), number + 1
        if name == PARTS[-1]:
            return parts, text[began:]
    return parts, ""


def _cut(text: str) -> str:
    """Return the text without the line break that precedes each heading."""
    return text[:-1] if text.endswith("\n") else text


def _files(text: str) -> dict[str, str]:
    """Return the texts that `head` printed, by path."""
    found: dict[str, str] = {}
    headings = list(_FILE.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    for heading, end in zip(headings, ends):
        content = text[heading.end() : end]
        found.setdefault(heading.group(1), content if end == len(text) else _cut(content))
    return found


def _commands(text: str) -> dict[str, str]:
    """Return the texts with long headings by path, or by the name of the part."""
    found: dict[str, str] = {}
    headings = list(_LONG.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    for heading, end in zip(headings, ends):
        folder, name = heading.groups()
        path = name if folder == "lifeline:" else f"{folder}/{name}"
        content = text[heading.end() : end]
        if path.endswith("/cmdline") and MARK in content:
            # The probe's shells have the names of workers in their command lines, but are no workers.
            content = MARK
        found.setdefault(path, content)
    return found


def _statfs(parts: dict[str, str], unread: list[str]) -> str:
    """Return what each mount answered, with its name behind it."""
    names = parts.get("mounts", "").split()
    answers = [
        line if line == "denied" or _FIGURES.fullmatch(line) else "error"
        for line in parts.get("statfs", "").splitlines()
        if line
    ]
    if len(answers) != len(names):
        unread.append("local file systems")
        answers, names = [], []
    guarded = parts.get("guarded.mounts", "").split()[1::2]
    said = {
        int(found.group(1)): found.group(2)
        for found in map(_GUARDED.fullmatch, parts.get("guarded", "").splitlines())
        if found
    }
    names += guarded
    answers += [said.get(number, "error") for number in range(1, len(guarded) + 1)]
    return "".join(f"{answer} {mountinfo.unescape(name)}\n" for answer, name in zip(answers, names))


def _whole(text: str, cut: Mapping[str, str]) -> dict[str, str]:
    """Return the command lines that grep has printed as a whole. `cut` are their beginnings."""
    lines: dict[str, list[str]] = {}
    for found in map(_WHOLE.fullmatch, text.split("\n")):
        if found and MARK not in found.group(2):
            lines.setdefault(found.group(1), []).append(found.group(2))
    return {path: "\n".join(texts) for path, texts in lines.items() if len(texts[0]) > len(cut.get(path, ""))}


def _lines(text: str) -> dict[str, str]:
    """Return the lines that were sought in many files, as the texts of these files."""
    lines: dict[str, list[str]] = {}
    for found in map(_LINE.fullmatch, text.splitlines()):
        if found:
            lines.setdefault(found.group(1), []).append(found.group(2) + "\n")
    return {name: "".join(texts) for name, texts in lines.items()}


def _holders(listed: str) -> str:
    """Return lines of a socket's and a process's number, from what `ls -l` says of the descriptors of all processes."""
    lines, pid = [], None
    for line in listed.splitlines():
        folder, link = _FOLDER.fullmatch(line), _SOCKET.search(line)
        if folder:
            pid = folder.group(1)
        elif link and pid and line.endswith(link.group()):
            lines.append(f"{link.group(1)} {pid}\n")
    return "".join(lines)


def _not_read(text: str) -> list[str]:
    """Return in words the files on which the script's readers hung."""
    said = []
    for path in dict.fromkeys(text.split()):
        command = _COMMAND.fullmatch(path)
        if command:
            said.append(f"the command line of process {command.group(1)}, which cannot be read without hanging")
        elif path == "rest":
            said.append("some command lines")
        else:
            said.append(escape(path))
    return said
