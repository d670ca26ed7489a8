# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""The shell kit of the three scripts that read a host: health, evidence and state.

A script is one line for a POSIX shell (dash, bash, busybox ash). It holds no single quote, no line break and no
exclamation mark that a C shell would expand, so any login shell passes it on.

Its answer is a sequence of parts, each below a heading `==> lifeline:NAME <==`. Users of a host control much of the
text in it: names of processes, command lines, mount points, control groups, log lines. Two rules keep such text from
being taken for a heading:

- `taken` puts a `|` before each line of what a command prints.
- What `head` prints with a heading of its own for each file is cut off at N bytes per file, and only headings of more
  than N bytes are accepted there: a file can't contain what is longer than itself. `head` prints a path as it is
  given, so a path gets the length that it needs by repeated slashes. The health script does this, because it costs the
  host less than another process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._reader import decode

# The kernel cuts the name of a process off at 15 bytes. /proc/PID/stat has it unescaped, with line breaks.
NAME_BYTES = 15
# A host that answers with more is not believed. 20,000 processes with long command lines make 29 MB.
MOST_BYTES = 1 << 25
# The exit codes of a command that a signal or a time limit ended, or that could not be started.
_CUT_OFF = (124, 126, 127, 137)

_HEADING = re.compile(r"==> lifeline:(\S+) <==")
_ENDED = re.compile(r"ended (\d{1,3})")
_PLACEHOLDER = re.compile(r"@([A-Z][A-Z0-9_]*)@")

# `alive PID`: whether a process is neither gone nor a zombie. Nothing waits for a child, so it ends as a zombie.
ALIVE = r"""
read -r me x < /proc/self/stat;
alive() { s=; read -r s < /proc/$1/stat; case $s in "" | *")"?[ZX]*) return 1;; esac; };
"""

# `part NAME` begins a part, and is false if no time is left. `taken SECONDS COMMAND` prints what a command prints, with
# a prefix before each line, and its exit code; a command that hangs is killed with all that it has started, and then
# `head` and `sed`, which by then have passed on what it had printed. A process that survives SIGKILL keeps no file of
# the session open.
KIT = (
    r"""
exec 2> /dev/null; LC_ALL=C; QUOTING_STYLE=escape; export LC_ALL QUOTING_STYLE;
PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin;
"""
    + ALIVE
    + r"""
up() { read -r u v < /proc/uptime; u=${u%%.*}; };
up; b=$u;
part() { up; echo; echo "==> lifeline:$1 <==";
  if [ $((u - b)) -ge @SECONDS@ ]; then echo "==> lifeline:late <=="; return 1; fi; };
started() { w=" $me "; for y in 1 2 3; do for f in /proc/[0-9]*/stat; do
  read -r i n s p x < $f && case "$1$n$p" in "(head)$me" | "(sed)$me") continue;; esac &&
  case $w in *" $i "*);; *" $p "*) w="$w$i ";; esac; done; done; echo ${w#" $me "}; };
taken() { y=$1; shift; { "$@"; s=$?; echo; echo "ended $s"; } < /dev/null | head -c @LIMIT@ | sed "s/^/|/" & c=$! ;
  n=0; while alive $c; do
    if [ $n -ge $((y * 100)) ]; then kill -9 $(started); sleep 0.1 || sleep 1; kill -9 $(started all); break; fi;
    n=$((n + 1)); sleep 0.01 || { sleep 1; n=$((n + 99)); }; done; };
"""
)


@dataclass
class Part:
    """One part of an answer: what the command printed, and its exit code, None if it was killed or its text cut off."""

    text: str = ""
    code: int | None = None
    late: bool = False

    @property
    def whole(self) -> bool:
        """Return whether the command succeeded and all of its text came."""
        return self.code == 0

    @property
    def ended(self) -> bool:
        """Return whether the command ended by itself, with any exit code, and all of its text came."""
        return self.code is not None and self.code not in _CUT_OFF


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return the script as one line, with `@NAME@` replaced by the values. Raises KeyError if one is missing."""
    text = " ".join(template.split("\n")).strip()
    return _PLACEHOLDER.sub(lambda found: values[found.group(1)], text)


def text_of(answer: str) -> str:
    """Return an answer as text that JSON can carry, with line breaks as the script printed them.

    Raises ProbeError if it is larger than any host's.
    """
    if len(answer) > MOST_BYTES:
        raise ProbeError(f"the box answered with {len(answer)} bytes; at most {MOST_BYTES} are read")
    # A terminal in between, as become may want one, ends lines with a carriage return as well.
    try:
        data = answer.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # Decoded bytes never contain these, but a connection plugin may produce them from JSON.
        data = answer.encode("utf-8", "backslashreplace")
    return decode(data).replace("\r\n", "\n")


def parts(text: str) -> dict[str, Part]:
    """Return the parts that `part` and `taken` printed, by name. The texts of parts of the same name are joined."""
    found: dict[str, Part] = {}
    texts: dict[str, list[str]] = {}
    for name, lines, late in _sections(text):
        part = found.setdefault(name, Part())
        part.late = part.late or late
        part.code, printed = _ended(lines)
        texts.setdefault(name, []).extend(line + "\n" for line in printed)
    for name, part in found.items():
        part.text = "".join(texts[name])
    return found


def _sections(text: str) -> Iterator[tuple[str, list[str], bool]]:
    """Yield the name of each heading, the lines that were printed below it, and whether it was too late for it."""
    name, lines, late = "", list[str](), False
    for line in text.split("\n"):
        heading = None if line.startswith("|") else _HEADING.fullmatch(line)
        if line.startswith("|"):
            lines.append(line[1:])
        elif heading and heading.group(1) == "late":
            late = True
        elif heading:
            if name:
                yield name, lines, late
            name, lines, late = heading.group(1), [], False
    if name:
        yield name, lines, late


def _ended(lines: list[str]) -> tuple[int | None, list[str]]:
    """Return the exit code of a command, which its last line tells, and the lines that it has printed."""
    ended = _ENDED.fullmatch(lines[-1]) if lines else None
    if ended is None:
        return None, lines
    # An empty line precedes it, or ends a line that the command has left open.
    return int(ended.group(1)), lines[:-1] if len(lines) > 1 and lines[-2] else lines[:-2]


def shown(answer: str) -> str:
    """Return the beginning of an answer that is none, to be shown in a message."""
    text = escape(" ".join(answer.split())[:200])
    return repr(text) if text else "nothing"
