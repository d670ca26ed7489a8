# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A comparison as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence

from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size
from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare import spread
from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare.comparison import (
    ChangeReport,
    DifferenceReport,
    GroupReport,
    NumberReport,
    Report,
)
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import StateValue

# How many entries of a long list are shown. The rest is counted; the report as a file has all of it.
_ITEMS, _NAMES, _BLOCKS, _CHANGES, _NUMBERS = 8, 6, 6, 20, 30
_VALUE_WIDTH = 48
_NAME_WIDTH = 44
_GAP = "  "

# The kinds of names, in the order of the report: the prefix before the colon, the heading, and the words in a sentence.
_KINDS = {
    "": ("the box itself", ""),
    "package": ("packages", "package "),
    "gem": ("gems", "gem "),
    "bundle": ("gems of the application, by its Gemfile.lock", "locked gem "),
    "program": ("programs of the workers", "program of "),
    "environment": ("environment of the workers", "environment of "),
    "limit": ("limits", "limit of "),
    "sysctl": ("sysctls", "sysctl "),
    "cmdline": ("kernel command line", "kernel parameter "),
    "unit": ("units", "unit "),
    "unit-file": ("unit files below /etc", "unit file "),
    "filesystem": ("file systems", "file system "),
    "mount": ("mount options", "mount "),
    "locale": ("locale", "locale "),
}
# These are known of the largest processes only, so most hosts would have no number.
_NOT_IN_TABLE = ("process_fds", "process_rss_bytes")


def render(report: Report, width: int) -> list[str]:
    """Return the lines of the text."""
    lines: list[str] = []
    for group in report["groups"]:
        title = f"{group['name']}: {_count(len(group['boxes']), 'box', 'boxes')}"
        lines += [title, "=" * len(title), *_numbers(group, width), *_outliers(group), *_differences(group)]
        lines += _changes(group, report["since"])
    if report["unreachable"]:
        lines += ["Not compared:", *(f"  {one['box']}: {one['reason']}" for one in report["unreachable"]), ""]
    return [part for line in lines[:-1] for part in _wrap(line, width)]


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _wrap(line: str, width: int) -> list[str]:
    # A host's texts must not control the terminal.
    line = "".join(character if character.isprintable() else "?" for character in line)
    indent = len(line) - len(line.lstrip())
    return textwrap.wrap(
        line,
        max(width, 40),
        subsequent_indent=" " * (indent + 4),
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
        replace_whitespace=False,
    ) or [""]


# Numbers


def _label(number: NumberReport) -> str:
    metric = number["metric"]
    for unit in ("_bytes", "_percent"):
        metric = metric[: -len(unit)] if metric.endswith(unit) else metric
    return (metric.replace("_", " ") + " " + number["subject"]).strip()


def _figure(metric: str, value: float) -> str:
    if metric.endswith("_bytes"):
        return str(format_size(value))
    if metric.endswith("_percent"):
        return f"{value:.3g}%"
    return f"{value:.2f}" if isinstance(value, float) and value != int(value) else f"{int(value)}"


def _numbers(group: GroupReport, width: int) -> list[str]:
    """Return a table with a column per host if that fits, otherwise with the median, the lowest and highest value."""
    shown = [
        number
        for number in group["numbers"]
        if number["metric"] not in _NOT_IN_TABLE and max(number["values"].values()) > spread.least(number["metric"])
    ]
    if not shown:
        return []
    left_out = len(shown) - _NUMBERS
    shown = shown[:_NUMBERS]
    boxes = group["boxes"]
    rows = [["", *boxes]] + [[_label(number), *(_cell(number, box) for box in boxes)] for number in shown]
    if sum(_widths(rows)) + len(_GAP) * (len(boxes) + 1) > width:
        rows = [["", "median", "lowest", "highest"]] + [
            [_label(number), _figure(number["metric"], number["median"] or 0), _end(number, min), _end(number, max)]
            for number in shown
        ]
    widths = _widths(rows)
    lines = [(_GAP + _GAP.join(text.ljust(size) for text, size in zip(row, widths))).rstrip() for row in rows]
    return lines + ([f"  and {left_out} more"] if left_out > 0 else []) + [""]


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]


def _cell(number: NumberReport, box: str) -> str:
    if box not in number["values"]:
        return "-"
    outlies = any(outlier["box"] == box for outlier in number["outliers"])
    return _figure(number["metric"], number["values"][box]) + ("*" if outlies else "")


def _end(number: NumberReport, choose: Callable[..., str]) -> str:
    box = choose(sorted(number["values"]), key=lambda box: number["values"][box])
    return f"{_figure(number['metric'], number['values'][box])} {box}"


def _outliers(group: GroupReport) -> list[str]:
    if len(group["boxes"]) < group["fewest"]:
        return [f"Outliers: too few boxes to tell; at least {group['fewest']} are needed", ""]
    lines = []
    for number in group["numbers"]:
        metric, boxes = number["metric"], _count(len(number["values"]), "box", "boxes")
        median = _figure(metric, number["median"] or 0)
        for outlier in number["outliers"][:_ITEMS]:
            how = "most have the same value" if outlier["score"] is None else f"score {outlier['score']:.1f}"
            value = f"{_label(number)} {_figure(metric, outlier['value'])}"
            lines.append(f"  {outlier['box']}: {value}; the median of {boxes} is {median} ({how})")
        lines += _more(number["outliers"], _ITEMS, "  ")
    return ["Outliers:", *lines, ""] if lines else ["Outliers: none", ""]


# Differences


def _kind(name: str) -> str:
    prefix, colon, _rest = name.partition(":")
    return prefix if colon and prefix in _KINDS else ""


def _short(name: str) -> str:
    kind = _kind(name)
    return (name[len(kind) + 1 :] if kind else name).replace(":", " ")


def _value(name: str, value: StateValue) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_bytes") and isinstance(value, int):
        return str(format_size(value))
    text = str(value)
    return text if len(text) <= _VALUE_WIDTH else text[: _VALUE_WIDTH - 3] + "..."


def _boxes(names: Sequence[str]) -> str:
    if len(names) <= _NAMES:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMES])} and {len(names) - _NAMES} more"


def _more(found: Sequence[object], shown: int, indent: str) -> list[str]:
    return [f"{indent}and {len(found) - shown} more"] if len(found) > shown else []


def _differences(group: GroupReport) -> list[str]:
    lines: list[str] = []
    for kind, (title, _word) in _KINDS.items():
        found = [one for one in group["differences"] if _kind(one["name"]) == kind]
        if found:
            lines += [f"  {title}: {len(found)}", *_by_boxes(found)]
    lines = ["What differs:", *lines] if lines else ["What differs: nothing"] if len(group["boxes"]) > 1 else []
    lines += [f"  not read, or only in part, on {one['box']}: {', '.join(one['parts'])}" for one in group["unread"]]
    return [*lines, ""] if lines else []


# The hosts with each value of a difference, and whether the first of them are the majority.
Sides = tuple[bool, tuple[tuple[str, ...], ...]]
# A name, and its value on each side.
Item = tuple[str, list[StateValue]]


def _by_boxes(found: Iterable[DifferenceReport]) -> list[str]:
    """Return the differences with the same hosts on each side as one block, the fewest hosts first."""
    blocks: dict[Sides, list[Item]] = {}
    for one in found:
        sides = tuple(tuple(value["boxes"]) for value in one["values"])
        # Without a majority the sides are equals, and sorted by their names.
        order = range(len(sides)) if one["majority"] else sorted(range(len(sides)), key=lambda side: sides[side])
        key = (one["majority"], tuple(sides[side] for side in order))
        blocks.setdefault(key, []).append((one["name"], [one["values"][side]["value"] for side in order]))
    ordered = sorted(blocks.items(), key=lambda block: _rank(block[0]))
    lines: list[str] = []
    for key, items in ordered[:_BLOCKS]:
        lines += _block(key, items)
    left_out = sum(len(items) for _sides, items in ordered[_BLOCKS:])
    if left_out:
        lines.append(f"    and {left_out} more, between other boxes")
    return lines


def _rank(key: Sides) -> tuple[int, int, tuple[tuple[str, ...], ...]]:
    sides = key[1]
    return sum(map(len, sides[1:])), len(sides), sides[1:]


def _block(key: Sides, items: Sequence[Item]) -> list[str]:
    has_majority, sides = key
    if has_majority:
        heading = f"{'; '.join(map(_boxes, sides[1:]))}, unlike {_count(len(sides[0]), 'other', 'others')}"
    else:
        heading = " | ".join(map(_boxes, sides))
    lines = [f"    {heading}:"]
    width = min(max(len(_short(name)) for name, _values in items[:_ITEMS]), _NAME_WIDTH)
    for name, values in items[:_ITEMS]:
        texts = [_value(name, value) for value in values]
        told = f"{' | '.join(texts[1:])} (others {texts[0]})" if has_majority else " | ".join(texts)
        lines.append(f"      {_short(name).ljust(width)}  {told}")
    return lines + _more(items, _ITEMS, "      ")


# Changes


def _changes(group: GroupReport, since: str | None) -> list[str]:
    if group["changes"] is None:
        return []
    by_boxes: dict[tuple[str, ...], list[ChangeReport]] = {}
    for change in group["changes"]:
        by_boxes.setdefault(tuple(change["boxes"]), []).append(change)
    lines = []
    for boxes, found in sorted(by_boxes.items(), key=lambda item: (len(item[0]), item[0])):
        whose = "all boxes" if len(boxes) == len(group["boxes"]) > 1 else _boxes(boxes)
        lines.append(f"  {whose}:")
        for change in found[:_CHANGES]:
            name = change["name"]
            before, after = _value(name, change["before"]), _value(name, change["after"])
            lines.append(f"    {_when(change)}  {_KINDS[_kind(name)][1]}{_short(name)}: {before} -> {after}")
        lines += _more(found, _CHANGES, "    ")
    head = f"Changed since {since}"
    lines = [head + " (the time is when it was first seen):", *lines] if lines else [head + ": nothing"]
    late = group["known_since"]
    if late:
        names = _boxes([one["box"] for one in late])
        lines.append(f"  The history of {names} begins at {max(one['time'] for one in late)}")
    return [*lines, ""]


def _when(change: ChangeReport) -> str:
    """Return when the change was first seen, and when it was first seen on the last of several hosts."""
    first, last = (time.replace("T", " ").replace("Z", "")[:16] for time in (change["first"], change["last"]))
    if first == last:
        return first
    return f"{first} to {last[11:] if first[:10] == last[:10] else last}"
