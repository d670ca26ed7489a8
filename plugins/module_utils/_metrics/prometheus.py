# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text format in which Prometheus reads metrics: families in, text out."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Tuple, Union

_ESCAPES = {"\\": "\\\\", "\n": "\\n", '"': '\\"'}


class Family(NamedTuple):
    """All samples of one metric: pairs of labels and value. A value that is None is not known, and has no line."""

    name: str
    kind: str
    help: str
    samples: List[Tuple[Dict[str, str], Union[int, float, bool, None]]]


def text(families):
    """The families that have a value. Raises ValueError where two samples are one: Prometheus would refuse all of it."""
    lines, seen = [], set()
    for family in families:
        samples = [(_labels(labels), value) for labels, value in family.samples if value is not None]
        if not samples:
            continue
        lines.append("# HELP %s %s" % (family.name, _escaped(family.help, "\\\n")))
        lines.append(f"# TYPE {family.name} {family.kind}")
        for labels, value in samples:
            series = family.name + labels
            if series in seen:
                raise ValueError(f"there are two of the sample {series}")
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
