# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table that people read: a line a box, worst first, laid out for the terminal's width."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size, percent
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import answer

# What can be said of a box, worst first. A box is down when it can't be reached, and unknown when it could not be judged.
VERDICTS = ("down", "critical", "unknown", "warning", "ok")

COLUMNS = ("box", "verdict", "memory", "swap", "disk", "fds", "oom", "worker")
# What goes first where a terminal is too narrow for all: when it matters, the reasons name it anyway.
_DISPENSABLE = ("swap", "oom", "fds", "worker", "disk", "memory")
_GAP = "  "
_MOUNT_WIDTH = 20
# Narrower than this, the reasons are no longer readable beside the figures and go below them.
_REASONS_WIDTH = 32


@dataclass(frozen=True)
class Row:
    """One box: the text of each column, and its reasons."""

    box: str
    verdict: str
    cells: tuple[str, ...] = ("-",) * 6
    reasons: tuple[str, ...] = ()
    left: float = 100.0

    @property
    def texts(self):
        return dict(zip(COLUMNS, (self.box, self.verdict, *self.cells)))


def judged(box, result):
    """The row of a box that health has judged; V(result) is what health returned."""
    facts = result["ansible_facts"]
    memory, fds = facts["lifeline_memory"], facts["lifeline_fds"]
    cells = (
        _memory(memory),
        _swap(memory["swap"]),
        _disk(facts["lifeline_disks"]["filesystems"]),
        _fds(fds),
        "-" if result["oom_kills"] is None else str(result["oom_kills"]),
        _worker(result["workers"]),
    )
    left = memory["limit_available_percent"]
    return Row(
        box,
        result["verdict"],
        cells,
        tuple(finding["message"] for finding in result["findings"]),
        100.0 if left is None else left,
    )


def down(box, result):
    """The row of a box that could not be reached, and why: it is down only if that is known to be meant by the words."""
    state, why = answer.judge(result.get("msg", ""))
    return Row(box, "down" if state == answer.DOWN else "unknown", reasons=(why,))


def unknown(box, result):
    """The row of a box that answered but could not be judged, and why."""
    return Row(box, "unknown", reasons=(_reason(result),))


def render(rows, width=None, paint=None):
    """The table's lines. Without V(width) every box has one line, however long; V(paint) colours a text by its verdict."""
    rows = sorted(rows, key=lambda row: rank(row.box, row.verdict, row.left))
    columns = _columns(rows, width)
    figures = sum(columns.values()) + len(_GAP) * len(columns)
    head = _line(dict(zip(columns, map(str.upper, columns))), columns) + _GAP
    lines = [head + "REASONS" if width is None or width - figures >= _REASONS_WIDTH else head.rstrip()]
    for row in rows:
        lines += _row(row, columns, figures, width, paint or (lambda text, verdict: text))
    return [*lines, count(rows)]


def rank(box, verdict, left):
    """Worst first, then least memory left, then by name with numbers in their natural order."""
    natural = [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", box)]
    return VERDICTS.index(verdict), left, natural


def _columns(rows, width):
    """The columns to show and the width of each, as many as fit."""
    columns = {name: max(len(name), *(len(row.texts[name]) for row in rows)) for name in COLUMNS}
    empty = [name for name in _DISPENSABLE if all(row.texts[name] == "-" for row in rows)]
    for name in dict.fromkeys([*empty, *_DISPENSABLE]):
        if width is None or sum(columns.values()) + len(_GAP) * (len(columns) - 1) <= width:
            break
        del columns[name]
    return columns


def _row(row, columns, figures, width, paint):
    line = _line(row.texts, columns)
    verdict_at = columns["box"] + len(_GAP)
    line = line[:verdict_at] + paint(row.verdict, row.verdict) + line[verdict_at + len(row.verdict) :]
    if width is None:
        return [(line + _GAP + "; ".join(row.reasons)).rstrip()]
    beside = width - figures
    if beside >= _REASONS_WIDTH:
        reasons, indent = _wrap(row.reasons, beside), figures
    else:
        reasons, indent = ["", *_wrap(row.reasons, max(width - 4, 16))], 4
    lines = [(line + _GAP + reasons[0]).rstrip() if reasons else line.rstrip()]
    return lines + [" " * indent + reason for reason in reasons[1:]]


def _wrap(reasons, width):
    return [line for reason in reasons for line in textwrap.wrap(reason, width, subsequent_indent=_GAP)]


def _line(texts, columns):
    return _GAP.join(texts[name].ljust(width) for name, width in columns.items())


def count(rows):
    """How many boxes there are of each verdict, in a line."""
    counts = [(verdict, sum(row.verdict == verdict for row in rows)) for verdict in VERDICTS]
    return "%d %s: %s" % (
        len(rows),
        "box" if len(rows) == 1 else "boxes",
        ", ".join("%d %s" % (number, verdict) for verdict, number in counts if number),
    )


def _reason(result):
    return answer.reason(result.get("msg", "")) or "no reason given"


def _memory(memory):
    limit, available = memory["limit_bytes"], memory["limit_available_bytes"]
    if limit is None or available is None:
        return "-"
    return _used(limit - available, limit)


def _swap(swap):
    if not swap["total_bytes"]:
        return "-"
    return _used(swap["used_bytes"], swap["total_bytes"])


def _used(used, whole):
    share = percent(used, whole)
    return "%s/%s %s" % (format_size(used), format_size(whole), "" if share is None else "%.0f%%" % share)


def _disk(filesystems):
    judged = [disk for disk in filesystems if disk["used_percent"] is not None and not disk["always_full"]]
    if not judged:
        return "-"
    fullest = max(judged, key=lambda disk: disk["used_percent"])
    mount = fullest["mount"]
    return (
        f"{fullest['used_percent']:.0f}% {mount if len(mount) <= _MOUNT_WIDTH else '...' + mount[3 - _MOUNT_WIDTH :]}"
    )


def _fds(fds):
    """The process that is nearest its limit, or the system where that one is nearer."""
    shares = [process["used_percent"] for process in [*fds["processes"], fds] if process["used_percent"] is not None]
    return f"{max(shares):.0f}%" if shares else "-"


def _worker(workers):
    running = [worker for worker in workers if worker["rss_bytes"] is not None]
    if not running:
        return "none" if any(worker["required"] for worker in workers) else "-"
    fullest = max(running, key=lambda worker: (worker["used_percent"] or 0, worker["rss_bytes"]))
    if fullest["max_memory_bytes"] is None:
        return format_size(fullest["rss_bytes"])
    return _used(fullest["rss_bytes"], fullest["max_memory_bytes"])
