# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build families of metrics from single values, values by label, and facts."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._metrics.prometheus import Family, Value


def family(name: str, help_text: str, samples: List[Tuple[Dict[str, str], Value]], kind: str = "gauge") -> Family:
    """Return the family of a metric, whose name gets the prefix of the collection."""
    return Family("lifeline_" + name, kind, help_text, samples)


def gauge(name: str, help_text: str, value: Value, kind: str = "gauge") -> Family:
    """Return a family with one sample without labels."""
    return family(name, help_text, [({}, value)], kind)


def labelled(name: str, help_text: str, label: str, values: Mapping[str, Value], kind: str = "gauge") -> Family:
    """Return a family with one sample for each value of a label."""
    return family(name, help_text, [({label: key}, value) for key, value in values.items()], kind)


def ratio(share: Optional[float]) -> Optional[float]:
    """Return percent as a ratio. Both sides of a comparison are converted here, so equal values stay equal."""
    return None if share is None else round(share / 100, 9)


def measure(prefix: str, key: str, help_text: str, parts: Sequence[Tuple[Dict[str, str], Mapping[str, Any]]]) -> Family:
    """Return the family of the fact `key` in `parts`, which are pairs of labels and facts. Percent become a ratio."""
    if key.endswith("_percent"):
        return family(f"{prefix}_{key[:-8]}_ratio", help_text, [(labels, ratio(part[key])) for labels, part in parts])
    return family(f"{prefix}_{key}", help_text, [(labels, part[key]) for labels, part in parts])
