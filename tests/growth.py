# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how the time of a parser grows with its input, as a ratio within one run, whatever the machine does."""

from __future__ import annotations

import time

# Four times the input takes a linear parser four times as long, and a quadratic one sixteen times.
FACTOR = 4
LIMIT = 9

_LEAST_SECONDS = 0.005
_MOST_ATTEMPTS = 5


def growth(parse, make, size):
    """Return how many times longer the parser takes for FACTOR times the input; `make` makes an input of a size."""
    small, large = make(size), make(size * FACTOR)
    repeats = 1
    while _seconds(parse, small, repeats) < _LEAST_SECONDS:
        repeats *= FACTOR
    ratios = []
    while len(ratios) < _MOST_ATTEMPTS:
        ratios.append(_seconds(parse, large, repeats) / _seconds(parse, small, repeats))
        # Another process can only make the parser look slower.
        if ratios[-1] < LIMIT:
            break
    return min(ratios)


def _seconds(parse, argument, repeats):
    before = time.process_time()
    for _repeat in range(repeats):
        parse(argument)
    return time.process_time() - before
