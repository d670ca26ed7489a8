# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write metrics in the text format that Prometheus reads."""

from __future__ import annotations

from typing import Dict, Iterable, List, NamedTuple, Set, Tuple, Union

_ESCAPES = {"\\": "\\\\", "\n": "\\n", '"': '\\"'}


Value = Union[int, float, bool, None]


class Family(NamedTuple):
    """All samples of one metric: pairs of labels and value. None is an unknown value, which gets no line."""

    name: str
    kind: str
    help: str
    samples: List[Tuple[Dict[str, str], Value]]


def text(families: Iterable[Family]) -> str:
    """Return the families that have a value as text.

    Raises ValueError if a series occurs twice, because Prometheus would reject the whole file.
    """
    lines: List[str] = []
    seen: Set[str] = set()
    for family in families:
        samples = [(_labels(labels), value) for labels, value in family.samples if value is not None]
        if not samples:
            continue
        help_text = _escaped(family.help, "\\\n")
        lines.append(f"# HELP {family.name} {help_text}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        for labels, value in samples:
            series = family.name + labels
            if series in seen:
                raise ValueError(f"two samples of the series {series}")
            seen.add(series)
            lines.append(f"{series} {_number(value)}")
    return "".join(line + "\n" for line in lines)


def _labels(labels):
    if not labels:
        return ""
    return "{%s}" % ",".join('%s="%s"' % (name, _escaped(value, '\\\n"')) for name, value in labels.items())


def _escaped(value, characters):
    return "".join(_ESCAPES[character] if character in characters else character for character in value)


def _number(value):
    return repr(value) if isinstance(value, float) else f"{int(value)}"
