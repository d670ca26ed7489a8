# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the labelled hosts, and print the labels against the verdicts and the reason of each disagreement."""

from __future__ import annotations

import sys

from verdicts import labelled


def main() -> int:
    """Print both and return the exit code: 1 if a host is judged wrong."""
    outcomes = [labelled.judge(host) for host in labelled.hosts()]
    rows = labelled.confusion(outcomes)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(zip(row, widths))
        ]
        print("  ".join(cells))
    wrong = [outcome for outcome in outcomes if outcome.wrong]
    print(f"\n{len(outcomes) - len(wrong)} of {len(outcomes)} hosts are judged right")
    for outcome in wrong:
        print(f"\n{outcome.host.name}: {'; '.join(outcome.wrong)}")
        print(f"  label: {' '.join(outcome.host.why.split())}")
        for finding in outcome.judged["findings"]:
            print(f"  {finding['severity']} {finding['check']}: {finding['message']}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
