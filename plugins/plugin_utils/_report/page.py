# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render the report as one self-contained HTML page. The same fleet always gives the same text.

The template escapes every value, and the page's own Content-Security-Policy runs and loads nothing but the script and
the style in it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import jinja2
from markupsafe import Markup

from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_duration
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _table
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import box_view, fleet_view, svg, words
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report.fleet import BUCKETS, Fleet

# The meaning of each verdict, for the legend, and for readers who cannot see the colours.
MEANINGS = {
    "down": "can't be reached",
    "critical": "about to die",
    "unknown": "could not be judged",
    "warning": "on the way there",
    "ok": "nothing found",
}
_OPTIONAL_COLUMNS = ("throughput", "forecast", "worker", "spark")
# Control characters, characters that change the reading direction, and lone surrogates.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def render(fleet: Fleet) -> str:
    """Return the whole page."""
    style, script = _asset("css"), _asset("js")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_printable
    )
    template = environment.from_string(_asset("html.j2"))
    return template.render(
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
        buckets=BUCKETS,
        spark_height=box_view.SPARK_HEIGHT,
        picture_height=box_view.PICTURE_HEIGHT,
        **view(fleet),
    )


def view(fleet: Fleet) -> dict[str, object]:
    """Return the template's variables: texts, numbers to sort by, and paths."""
    boxes = [box_view.view(number, box, fleet) for number, box in enumerate(fleet.boxes, 1)]
    counts = [
        (verdict, sum(box.verdict == verdict for box in fleet.boxes), MEANINGS[verdict]) for verdict in _table.VERDICTS
    ]
    return {
        "title": _table.count(fleet.boxes),
        "made": words.moment(fleet.made),
        "fleet": fleet,
        "newest": None if fleet.newest is None else words.moment(fleet.newest),
        "age": None if fleet.newest is None else format_duration(max(0, fleet.made - fleet.newest)),
        "length": words.length(fleet.end - fleet.begin),
        "begin": words.moment(fleet.begin),
        "counts": counts,
        "boxes": boxes,
        "columns": {name: any(box.get(name) for box in boxes) for name in _OPTIONAL_COLUMNS},
        "scale": svg.scale(fleet.begin, fleet.end, 8),
        "danger": fleet_view.danger(fleet),
        "work": fleet_view.work(fleet),
        "lanes": fleet_view.lanes(fleet, boxes),
        "coming": fleet_view.coming(boxes),
        "changes": fleet_view.changes(boxes),
        "differences": fleet_view.differences(fleet, boxes),
    }


def _printable(value: object) -> object:
    """Replace what must not reach a browser. Jinja calls this for every value that it prints."""
    if isinstance(value, Markup):
        return value
    return _UNPRINTABLE.sub("\ufffd", value) if isinstance(value, str) else value


def _policy(style: str, script: str) -> str:
    """Return a policy that loads, sends and frames nothing, and runs nothing but this script."""
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}'; img-src data:;"
        " base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _asset(suffix: str) -> str:
    return Path(__file__).with_name("page." + suffix).read_text(encoding="utf-8")
