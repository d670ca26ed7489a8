# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the table of all metrics in docs/metrics.md."""

from __future__ import annotations

from metrics import samples

BEGIN, END = "<!-- metrics: made by python -m metrics, in the folder tests -->\n", "<!-- end of metrics -->\n"


def table():
    """Return the table as Markdown."""
    rows = []
    for family in samples.families(samples.sources("ill"), samples.settings()):
        labels = list(family.samples[0][0]) if family.samples else []
        rows.append(
            "| `%s` | %s | %s | %s |"
            % (family.name, family.kind, ", ".join("`%s`" % label for label in labels), family.help)
        )
    return "\n".join(["| metric | type | labels | what it is |", "|---|---|---|---|", *rows]) + "\n"


def updated(text):
    """Return the page `text` with the current table."""
    before, _begin, rest = text.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]
