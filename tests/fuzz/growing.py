# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a sample longer and longer, and tell whether the time grows faster than the text."""

from __future__ import annotations

import gc
import random
import re
import time
from collections.abc import Callable

from fuzz.mutations import Sample, any_token, piece_to_repeat

# Twice the text may take this much longer. A quadratic parser takes four times as long.
LIMIT = 2.5
_SMALLEST, _LARGEST = 1 << 13, 1 << 20
_DOUBLED = 3
# A time below it says little.
_LEAST_SECONDS = 0.03
_NUMBER = re.compile(r"\d{1,9}")


class Growing:
    """Measure how a time grows. The limits are lower in tests."""

    def __init__(self, largest: int = _LARGEST, clock: Callable[[], float] = time.process_time) -> None:
        self._largest, self._clock = largest, clock

    def fault(self, run: Callable[[Sample], object], sample: Sample, turn: random.Random) -> tuple[str, Sample] | None:
        """Repeat a piece of the sample and return what is wrong with the time, and a sample that shows it."""
        if not sample:
            return None
        name = turn.choice(list(sample))
        text = sample[name]
        start, end = piece_to_repeat(text, turn)
        piece = text[start:end] if turn.random() < 0.8 else any_token(turn)
        make = _counted if turn.random() < 0.5 else _repeated

        def grown(size: int) -> Sample:
            return {**sample, name: text[:end] + make(piece, size) + text[end:]}

        gc.collect()
        least = self._seconds(run, sample, runs=3)
        size = self._size(run, grown, least + _LEAST_SECONDS)
        if size is None or not all(self._grows(run, grown, size, least, runs) for runs in (2, 5)):
            return None
        return f"time grows faster than {self._shown(name)} with {piece[:60]!r} repeated", grown(_SMALLEST)

    def _size(self, run: Callable[[Sample], object], grown: Callable[[int], Sample], seconds: float) -> int | None:
        """Return a size that takes at least this long, None if the largest doesn't."""
        size = _SMALLEST
        while size <= self._largest:
            if self._seconds(run, grown(size), runs=1) >= seconds:
                return size
            size *= 2
        return None

    def _grows(
        self, run: Callable[[Sample], object], grown: Callable[[int], Sample], size: int, least: float, runs: int
    ) -> bool:
        """Return whether the time exceeds the limit if the text is doubled `_DOUBLED` times.

        At some sizes it does so for a single time, as caches and tables are full. `least` is the time without the
        piece that is repeated.
        """
        longer = self._seconds(run, grown(size << _DOUBLED), runs) - least
        return longer > LIMIT**_DOUBLED * (self._seconds(run, grown(size), runs) - least)

    def _seconds(self, run: Callable[[Sample], object], sample: Sample, runs: int) -> float:
        """Return the least time of some runs, as other processes can only make it longer."""
        times = []
        gc.disable()
        try:
            for _run in range(runs):
                before = self._clock()
                run(sample)
                times.append(self._clock() - before)
        finally:
            gc.enable()
        return min(times)

    @staticmethod
    def _shown(name: str) -> str:
        return _NUMBER.sub("N", name)


def _repeated(piece: str, size: int) -> str:
    return piece * (size // max(1, len(piece)))


def _counted(piece: str, size: int) -> str:
    """Repeat a piece with new numbers each time, so a cache by these numbers never helps."""
    pieces, length, number = [], 0, 0
    while length < size:
        number += 1
        one = _NUMBER.sub(str(number), piece) or str(number)
        pieces.append(one)
        length += len(one)
    return "".join(pieces)
