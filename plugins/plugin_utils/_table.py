# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of the hosts: one line per host, worst first, laid out for the terminal's width."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.thresholds import urgency
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.fds import has_lowered_its_limit
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size, percent
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import answer

# Worst first. A host is down if it cannot be reached, and unknown if it answered but could not be judged.
VERDICTS = ("down", "critical", "unknown", "warning", "ok")

COLUMNS = ("box", "verdict", "memory", "swap", "disk", "fds", "oom", "worker")
# The columns to leave out on a narrow terminal, in this order. The reasons name their figures when they matter.
_DISPENSABLE = ("swap", "oom", "fds", "worker", "disk", "memory")
_GAP = "  "
_MOUNT_WIDTH = 20
# With less space than this beside the figures, the reasons go below them.
_REASONS_WIDTH = 32

# A host may give any text in any number. The rest is in the result of health.
_MOST_TEXT, _MOST_REASONS = 500, 50
# The first are the most important; all of them are in the result of health.
_MOST_UNREAD = 3

Paint = Callable[[str, str], str]


class Judged(Protocol):
    """Anything with a verdict."""

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`."""


@dataclass(frozen=True)
class Row:
    """One host: the text of each column, its reasons, and the share of its memory that is left, in percent."""

    box: str
    verdict: str
    cells: tuple[str, ...] = ("-",) * 6
    reasons: tuple[str, ...] = ()
    left: float = 100.0
    # The urgency of its first finding.
    urgency: int = 0

    def __post_init__(self) -> None:
        """Make every text one printable line: its author may be the host, ssh, or whatever fills the inventory."""
        reasons = [_printable(reason) for reason in self.reasons[:_MOST_REASONS]]
        if len(self.reasons) > _MOST_REASONS:
            reasons.append(f"and {len(self.reasons) - _MOST_REASONS} more")
        # A frozen dataclass is set through its base class.
        object.__setattr__(self, "box", _printable(self.box))
        object.__setattr__(self, "cells", tuple(map(_printable, self.cells)))
        object.__setattr__(self, "reasons", tuple(reasons))

    @property
    def texts(self) -> dict[str, str]:
        """The text of each column by its name."""
        return dict(zip(COLUMNS, (self.box, self.verdict, *self.cells)))


def judged(box: str, result: Mapping[str, Any]) -> Row:
    """Return the row of a host that health has judged. `result` is what health returned."""
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
        _reasons(result),
        100.0 if left is None else left,
        min((urgency(finding["check"]) for finding in result["findings"][:1]), default=0),
    )


def _reasons(result: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the messages of the findings, then shortly what was not read."""
    reasons = [finding["message"] for finding in result["findings"]]
    unread = result.get("unread") or []
    if unread:
        more = len(unread) - _MOST_UNREAD
        shown = ", ".join(unread[:_MOST_UNREAD]) + (f" and {more} more" if more > 0 else "")
        reasons.append(f"not read: {shown}")
    return tuple(reasons)


def down(box: str, result: Mapping[str, Any]) -> Row:
    """Return the row of a host that cannot be reached, with the reason; it is down only if ssh's words say so."""
    state, why = answer.judge(result.get("msg", ""))
    return Row(box, "down" if state == answer.DOWN else "unknown", reasons=(why,))


def unknown(box: str, result: Mapping[str, Any]) -> Row:
    """Return the row of a host that answered but could not be judged, with the reason."""
    return Row(box, "unknown", reasons=(_reason(result),))


def row_of(to_row: Callable[[str, Mapping[str, Any]], Row], box: str, result: Mapping[str, Any]) -> Row:
    """Return the row that `to_row` makes of a result. A result that makes no sense must not cost the host its row."""
    try:
        return to_row(box, result)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        return Row(box, "unknown", reasons=(f"its result makes no sense: {error!r}",))


def render(rows: Iterable[Row], width: int | None = None, paint: Paint | None = None) -> list[str]:
    """Return the table's lines.

    Without `width` every host has one line, however long it is. `paint` colours a text by a verdict.
    """
    rows = sorted(rows, key=lambda row: rank(row.box, row.verdict, row.left, row.urgency))
    columns = _columns(rows, width)
    figures = sum(columns.values()) + len(_GAP) * len(columns)
    head = _line(dict(zip(columns, map(str.upper, columns))), columns) + _GAP
    lines = [head + "REASONS" if width is None or width - figures >= _REASONS_WIDTH else head.rstrip()]
    for row in rows:
        lines += _row(row, columns, figures, width, paint or (lambda text, verdict: text))
    return [*lines, count(rows)]


def rank(box: str, verdict: str, left: float, soonest: int = 0) -> tuple[int, int, float, list[tuple[bool, int, str]]]:
    """Return a sort key: worst first, then what ends the host soonest, then least memory left, then by name.

    Numbers in names are in their natural order.
    """
    natural = [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", box)]
    return VERDICTS.index(verdict), soonest, left, natural


def _columns(rows: Sequence[Row], width: int | None) -> dict[str, int]:
    """Return the columns to show, as many as fit, and the width of each."""
    columns = {name: max([len(name), *(len(row.texts[name]) for row in rows)]) for name in COLUMNS}
    empty = [name for name in _DISPENSABLE if all(row.texts[name] == "-" for row in rows)]
    for name in dict.fromkeys([*empty, *_DISPENSABLE]):
        if width is None or sum(columns.values()) + len(_GAP) * (len(columns) - 1) <= width:
            break
        del columns[name]
    return columns


def _row(row: Row, columns: Mapping[str, int], figures: int, width: int | None, paint: Paint) -> list[str]:
    """Return the lines of one host. `figures` is the width of its columns with their gaps."""
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


def _wrap(reasons: Iterable[str], width: int) -> list[str]:
    return [line for reason in reasons for line in textwrap.wrap(reason, width, subsequent_indent=_GAP)]


def _line(texts: Mapping[str, str], columns: Mapping[str, int]) -> str:
    return _GAP.join(texts[name].ljust(width) for name, width in columns.items())


def count(rows: Sequence[Judged]) -> str:
    """Return how many hosts there are of each verdict, in one line."""
    counts = [(verdict, sum(row.verdict == verdict for row in rows)) for verdict in VERDICTS]
    boxes = "box" if len(rows) == 1 else "boxes"
    return f"{len(rows)} {boxes}: {', '.join(f'{number} {verdict}' for verdict, number in counts if number)}"


def _printable(text: str) -> str:
    """Return a text in one line, without control characters and cut if it is too long."""
    text = escape(text[: _MOST_TEXT + 1])
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 3] + "..."


def _reason(result: Mapping[str, Any]) -> str:
    return answer.reason(result.get("msg", "")) or "no reason given"


def _memory(memory: Mapping[str, Any]) -> str:
    limit, available = memory["limit_bytes"], memory["limit_available_bytes"]
    if limit is None or available is None:
        return "-"
    return _used(limit - available, limit)


def _swap(swap: Mapping[str, Any]) -> str:
    if not swap["total_bytes"] or swap["used_bytes"] is None:
        return "-"
    return _used(swap["used_bytes"], swap["total_bytes"])


def _used(used: int, whole: int) -> str:
    share = percent(used, whole)
    return f"{format_size(used)}/{format_size(whole)} " + ("" if share is None else f"{share:.0f}%")


def _disk(filesystems: Iterable[Mapping[str, Any]]) -> str:
    judged = [disk for disk in filesystems if disk["used_percent"] is not None and not disk["always_full"]]
    if not judged:
        return "-"
    fullest = max(judged, key=lambda disk: disk["used_percent"])
    mount = fullest["mount"]
    return (
        f"{fullest['used_percent']:.0f}% {mount if len(mount) <= _MOUNT_WIDTH else '...' + mount[3 - _MOUNT_WIDTH :]}"
    )


def _fds(fds: Mapping[str, Any]) -> str:
    """Return the share of the process that is nearest to its limit, or of the system if that is nearer."""
    # A process that has lowered its limit wants no further descriptor: sshd does so during each login.
    judged = [process for process in fds["processes"] if not has_lowered_its_limit(process)]
    shares = [one["used_percent"] for one in [*judged, fds] if one["used_percent"] is not None]
    return f"{max(shares):.0f}%" if shares else "-"


def _worker(workers: Sequence[Mapping[str, Any]]) -> str:
    running = [worker for worker in workers if worker["rss_bytes"] is not None]
    if not running:
        return "none" if any(worker["required"] for worker in workers) else "-"
    fullest = max(running, key=lambda worker: (worker["used_percent"] or 0, worker["rss_bytes"]))
    if fullest["max_memory_bytes"] is None:
        return format_size(fullest["rss_bytes"])
    return _used(fullest["rss_bytes"], fullest["max_memory_bytes"])
