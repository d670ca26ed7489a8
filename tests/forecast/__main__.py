# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the forecasts on simulated and recorded traces: their accuracy, their notice, and their false alarms."""

from __future__ import annotations

import argparse

from forecast import evaluate, recorded, traces


def table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print(
            "  ".join(
                cell.ljust(width) if not column else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
        )
    print()


def share(value):
    return f"{100 * value:.1f} %"


def print_accuracy(count):
    rows = [("SIMULATED LEAK", "READINGS", "TRACES", "WITHIN 20 %", "NONE", "OFF, MEDIAN", "OFF, 95TH", "IN INTERVAL")]
    for name in traces.LEAKS:
        for readings in (10, 20, 40):
            found = evaluate.accuracy(evaluate.leaks(name, count), readings)
            rows.append(
                (
                    name,
                    str(readings),
                    str(found.traces),
                    share(found.right),
                    share(found.none),
                    share(found.error),
                    share(found.worst),
                    share(found.covered),
                )
            )
    table(rows)


def print_notice(count):
    rows = [("SIMULATED LEAK", "TRACES", "FORETOLD", "OF ITS TIME LEFT, MEDIAN")]
    for name in traces.LEAKS:
        found = evaluate.notice(evaluate.leaks(name, count))
        rows.append((name, str(found.traces), share(found.warned), share(found.left)))
    table(rows)


def print_alarms(count, readings):
    rows = [("SIMULATED, HEALTHY", "TRACES", "READINGS", "FALSE ALARMS", "IN 1,000")]
    total = evaluate.Alarms(0, 0, 0)
    for name in traces.HEALTHY:
        found = evaluate.alarms(evaluate.healthy(name, count, readings))
        total = evaluate.Alarms(*map(sum, zip(total, found, strict=True)))
        rows.append((name, str(found.traces), str(found.readings), str(found.alarms), f"{found.per_thousand:.2f}"))
    table([*rows, ("all", str(total.traces), str(total.readings), str(total.alarms), f"{total.per_thousand:.2f}")])


def print_recorded():
    leaks = [trace for trace in recorded.traces() if trace.ends]
    rows = [("RECORDED LEAK", "READINGS", "TRUE, S", "FORETOLD, S", "OFF", "FIRST FINDING, S BEFORE THE END")]
    for trace in leaks:
        first = next((point for place, point in enumerate(trace.points) if evaluate.findings(trace, place)), None)
        for readings in (10, 20, 40):
            place = next(place for place, point in enumerate(trace.points) if point.taken >= trace.began) + readings - 1
            if place >= len(trace.points) - 1:
                continue
            told = evaluate.forecast(trace.points[: place + 1])
            true = trace.ends - trace.points[place].taken
            foretold = (
                ("-", "-")
                if told is None
                else (f"{told.seconds:.0f} ({told.low:.0f} to {told.high:.0f})", share(abs(told.seconds - true) / true))
            )
            rows.append(
                (
                    trace.name,
                    str(readings),
                    f"{true:.0f}",
                    *foretold,
                    "-" if first is None else f"{trace.ends - first.taken:.0f}",
                )
            )
    table(rows)
    rows = [("RECORDED, HEALTHY", "READINGS", "FALSE ALARMS")]
    for trace in recorded.traces():
        if not trace.ends:
            found = evaluate.alarms([trace])
            rows.append((trace.name, str(found.readings), str(found.alarms)))
    table(rows)


def main():
    parser = argparse.ArgumentParser(prog="make forecast", description=__doc__)
    parser.add_argument("--traces", type=int, default=100, help="simulated leaks of each kind (default: %(default)s)")
    parser.add_argument(
        "--healthy", type=int, default=3, help="healthy traces of each kind and interval (default: %(default)s)"
    )
    parser.add_argument("--readings", type=int, default=1000, help="readings of a healthy trace (default: %(default)s)")
    options = parser.parse_args()
    print_accuracy(options.traces)
    print_notice(options.traces)
    print_alarms(options.healthy, options.readings)
    print_recorded()


if __name__ == "__main__":
    main()
