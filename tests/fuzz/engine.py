# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a group of parsers samples, keep those that reach new lines of code, and tell what is wrong with any."""

from __future__ import annotations

import functools
import json
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import CodeType, FrameType
from typing import Any, NamedTuple

from fuzz import mutations
from fuzz.growing import Growing
from fuzz.mutations import Sample

from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape

# Tracing makes a sample several times slower, so only one of this number is traced.
_TRACED = 4
# The share of the time in which samples are made longer and longer.
_GROWING = 0.3
_COLLECTION = "/lifeline/fleet/plugins/"
# The number of inputs that are tried to make a sample with a fault smaller.
_SHRINKING = 400


class Group(NamedTuple):
    """Parsers that read the same kind of text, with samples of it.

    `run` returns what people and programs may see of a sample. The exceptions in `documented` are answers as well;
    their message is for people.
    """

    name: str
    seeds: Callable[[], list[Sample]]
    run: Callable[[Sample], object]
    documented: tuple[type[Exception], ...] = ()


class Finding(NamedTuple):
    """A fault: what is wrong, the same for each sample that shows it, and one of these samples."""

    fault: str
    sample: Sample


def answer(group: Group, sample: Sample) -> object:
    """Return the group's answer to a sample. Raises the exceptions that are not documented."""
    try:
        return group.run(sample)
    except group.documented as error:
        return str(error)


def fault(group: Group, sample: Sample) -> str | None:
    """Return what is wrong with the group's answer to a sample, None if nothing is."""
    try:
        found = answer(group, sample)
    except Exception as error:
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if _COLLECTION in frame.filename]
        place = f"{own[-1].filename.partition(_COLLECTION)[2]} in {own[-1].name}" if own else "outside of the plugins"
        return f"{type(error).__name__} at {place}"
    for place, text in texts(found):
        if escape(text) != text:
            return f"control characters in {place}"
    try:
        json.dumps(found, allow_nan=False, default=_strange)
    except (ValueError, TypeError) as error:
        return f"cannot become JSON: {error}"
    return None


def texts(value: Any, place: str = "the answer") -> Iterator[tuple[str, str]]:
    """Yield each text in an answer, and where it is."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, one in value.items():
            if isinstance(key, str) and escape(key) != key:
                yield f"a key of {place}", key
            else:
                # A name that a host gives is not part of the place, or the same fault would have many names.
                yield from texts(one, f"{place}/{key}" if str(key).isidentifier() else place)
    elif isinstance(value, (list, tuple, set)):
        for one in value:
            yield from texts(one, place)


def _strange(value: object) -> object:
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    raise TypeError(f"{type(value).__name__} is no JSON")


class Lines:
    """The lines of the plugins that no sample has reached yet."""

    def __init__(self) -> None:
        self._unseen: dict[CodeType, set[int]] = {}
        self.seen = 0

    def reached(self, run: Callable[[], object]) -> int:
        """Call a function and return how many lines it is the first to reach."""
        before = self.seen
        sys.settrace(self._call)
        try:
            run()
        finally:
            sys.settrace(None)
        return self.seen - before

    def _call(self, frame: FrameType, _event: str, _argument: object) -> Any:
        code = frame.f_code
        if code not in self._unseen:
            lines = {line for _start, _end, line in code.co_lines() if line}
            self._unseen[code] = lines if _COLLECTION in code.co_filename else set()
        return self._line if self._unseen[code] else None

    def _line(self, frame: FrameType, event: str, _argument: object) -> Any:
        unseen = self._unseen[frame.f_code]
        if event == "line" and frame.f_lineno in unseen:
            unseen.discard(frame.f_lineno)
            self.seen += 1
        return self._line


class Run:
    """A run of a group: the samples that are worth changing, what was found, and how much was tried."""

    def __init__(self, group: Group, corpus: Iterable[Sample], seed: int, growing: Growing | None = None) -> None:
        self.group, self.growing = group, growing
        self.findings: dict[str, Finding] = {}
        self.tried = self.grown = 0
        self.kept: list[Sample] = []
        self._turn = random.Random(seed)
        self._lines = Lines()
        self._samples: list[Sample] = []
        for sample in [*group.seeds(), *corpus]:
            self._try(sample, traced=True)
            self._samples.append(sample)

    @property
    def lines(self) -> int:
        """Return the number of lines of the plugins that were reached."""
        return self._lines.seen

    def for_samples(self, number: int) -> None:
        """Try a number of samples."""
        for _number in range(number):
            self._step()

    def for_seconds(self, seconds: float) -> None:
        """Try samples for a number of seconds."""
        began, growing = time.monotonic(), 0.0
        while (now := time.monotonic()) < began + seconds:
            if self.growing and growing < (now - began) * _GROWING:
                self._grow(self._turn.choice(self._samples))
                growing += time.monotonic() - now
            else:
                self._step()

    def _step(self) -> None:
        sample = self._turn.choice(self._samples)
        traced = self.tried % _TRACED == 0
        changed = mutations.change(sample, self._samples, self._turn)
        if self._try(changed, traced):
            self._samples.append(changed)
            self.kept.append(changed)

    def _try(self, sample: Sample, traced: bool) -> bool:
        """Return whether a sample reaches new lines."""
        self.tried += 1
        reached = 0
        wrong: list[str | None] = []
        if traced:
            reached = self._lines.reached(lambda: wrong.append(fault(self.group, sample)))
        else:
            wrong.append(fault(self.group, sample))
        if wrong[0] and wrong[0] not in self.findings:
            self.findings[wrong[0]] = Finding(wrong[0], shrunk(self.group, sample, wrong[0], self._turn))
        return reached > 0

    def _grow(self, sample: Sample) -> None:
        self.grown += 1
        found = (
            self.growing.fault(lambda grown: answer(self.group, grown), sample, self._turn) if self.growing else None
        )
        if found:
            self.findings.setdefault(found[0], Finding(*found))


def shrunk(group: Group, sample: Sample, wrong: str, turn: random.Random) -> Sample:
    """Return a smaller sample with the same fault."""
    for name in list(sample):
        fewer = {other: text for other, text in sample.items() if other != name}
        if fault(group, fewer) == wrong:
            sample = fewer
    for _number in range(_SHRINKING):
        name = max(sample, key=lambda one: len(sample[one]), default=None)
        if name is None or not sample[name]:
            break
        name = turn.choice(list(sample))
        text = sample[name]
        start = turn.randrange(len(text) + 1)
        end = start + max(1, int(len(text) * turn.random() ** 3))
        shorter = {**sample, name: text[:start] + text[end:]}
        if len(shorter[name]) < len(text) and fault(group, shorter) == wrong:
            sample = shorter
    return sample


def smallest(group: Group, samples: Sequence[Sample], most: int) -> list[Sample]:
    """Return those of the samples that reach lines which neither the seeds nor a smaller one reaches."""
    lines = Lines()
    for sample in group.seeds():
        lines.reached(functools.partial(fault, group, sample))
    by_size = sorted(samples, key=lambda sample: len(json.dumps(sample)))
    return [
        sample
        for sample in by_size
        if len(json.dumps(sample)) <= most and lines.reached(functools.partial(fault, group, sample))
    ]
