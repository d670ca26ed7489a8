# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the picture of a leak: the memory, the verdicts of health and the latencies of SSH, before above after."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")
from matplotlib import lines, patches, pyplot  # noqa: E402 - the backend comes first

from .virtual import DEAD_AFTER  # noqa: E402

# A palette for color-blind people as well (Okabe and Ito).
LINE = "#0072B2"
VERDICTS = {"ok": "#009E73", "warning": "#E69F00", "critical": "#D55E00", "down": "#000000"}
TITLES = {"before": "As the distribution ships it", "after": "After lifeline.fleet.crawler"}


def draw(pairs, path):
    """Write PATH.svg and PATH.png. Each pair is the head and the records of an episode."""
    drawing, axes = pyplot.subplots(
        2 * len(pairs),
        1,
        figsize=(9, 8),
        sharex=True,
        layout="constrained",
        gridspec_kw={"height_ratios": [3, 2] * len(pairs)},
    )
    first = pairs[0][0]
    drawing.suptitle(
        f"A leak: {first['leak']}, on {first['memory_mib']} MB {'with' if first['swap'] else 'without'} swap",
        fontsize=13,
    )
    for number, (head, records) in enumerate(pairs):
        memory(axes[2 * number], head, records)
        latency(axes[2 * number + 1], records)
    axes[-1].set_xlabel("seconds since the leak began")
    axes[-1].set_xlim(right=first["seconds"])
    drawing.legend(handles=legend(), loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    for suffix in ("svg", "png"):
        drawing.savefig(
            path.with_name(f"{path.name}.{suffix}"), dpi=110, metadata={"Date": None} if suffix == "svg" else None
        )
    pyplot.close(drawing)


def legend():
    marks = [
        lines.Line2D([], [], color=LINE, marker="o", markersize=3, linestyle="", label="answered"),
        lines.Line2D([], [], color=VERDICTS["critical"], marker="x", markersize=5, linestyle="", label="no answer"),
        lines.Line2D([], [], color=LINE, linewidth=1.5, label="memory available"),
        lines.Line2D([], [], color=LINE, linewidth=1, linestyle=":", label="worker started"),
    ]
    bands = [patches.Patch(color=colour, label=f"health: {verdict}") for verdict, colour in VERDICTS.items()]
    # Each column has a mark above a verdict.
    return [one for pair in zip(marks, bands) for one in pair]


def memory(axis, head, records):
    knocks = [record for record in records if record["kind"] == "knock" and record["answered"]]
    axis.plot(
        [record["t"] for record in knocks],
        [record["available_bytes"] / 2**20 for record in knocks],
        color=LINE,
        linewidth=1.5,
    )
    for before, after in zip(knocks, knocks[1:]):
        if after["starts"] > before["starts"]:
            axis.axvline(after["t"], color=LINE, linestyle=":", linewidth=1)
    axis.set_title(TITLES[head["box"]], loc="left", fontsize=11)
    axis.set_ylabel("MB available")
    axis.set_ylim(0, head["memory_mib"])
    readings = [record for record in records if record["kind"] == "health"]
    ends = [record["t"] for record in readings[1:]] + [head["seconds"]]
    for record, end in zip(readings, ends):
        # A band along the top has one segment from each reading to the next.
        axis.axvspan(record["t"], max(end, record["t"]), ymin=0.92, color=VERDICTS[record["verdict"]], linewidth=0)


def latency(axis, records):
    knocks = [record for record in records if record["kind"] == "knock"]
    answered = [record for record in knocks if record["answered"]]
    silent = [record["t"] for record in knocks if not record["answered"]]
    axis.scatter([record["t"] for record in answered], [record["seconds"] for record in answered], s=9, color=LINE)
    axis.scatter(silent, [DEAD_AFTER] * len(silent), s=16, marker="x", color=VERDICTS["critical"])
    axis.set_ylim(0, DEAD_AFTER * 1.1)
    axis.axvline(0, color="grey", linewidth=0.8)
    axis.set_ylabel("new SSH login, s")
