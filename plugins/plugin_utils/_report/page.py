# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one HTML page that needs nothing else: a Fleet in, text out. The same fleet is the same text.

What boxes say of themselves is nobody's HTML: every value goes through the template's escaping, and the page's own policy (CSP) runs and
loads nothing but the script and the style that are in it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import datetime, timezone
from pathlib import Path

import jinja2
from markupsafe import Markup

from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_duration, format_size, timestamp
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _table
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import series as report_series, svg
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report.gather import BUCKETS

# What each verdict says, in the legend and to those who don't see its colour.
MEANINGS = {
    "down": "can't be reached",
    "critical": "about to die",
    "unknown": "could not be judged",
    "warning": "on the way there",
    "ok": "nothing found",
}
SPARK_HEIGHT, PICTURE_HEIGHT = 22, 44
# Two buckets are one of the table's small pictures.
_COARSER = 2
# No page grows beyond reading: what is more is counted.
_MOST_PICTURES, _MOST_FINDINGS, _MOST_KILLS, _MOST_CHANGES, _MOST_LANES, _MOST_DIFFERENCES, _MOST_TEXT = (
    8,
    20,
    20,
    40,
    12,
    40,
    400,
)
# Nothing that moves the reading direction, and no control characters.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def render(fleet):
    """The whole page."""
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
        spark_height=SPARK_HEIGHT,
        picture_height=PICTURE_HEIGHT,
        **view(fleet),
    )


def view(fleet):
    """What the template lays out: texts, numbers to sort by, and paths."""
    boxes = [_box(number, box, fleet) for number, box in enumerate(fleet.boxes, 1)]
    counts = [
        (verdict, sum(box.verdict == verdict for box in fleet.boxes), MEANINGS[verdict]) for verdict in _table.VERDICTS
    ]
    return {
        "title": _table.count(fleet.boxes),
        "made": _moment(fleet.made),
        "fleet": fleet,
        "newest": None if fleet.newest is None else _moment(fleet.newest),
        "age": None if fleet.newest is None else format_duration(max(0, fleet.made - fleet.newest)),
        "length": _length(fleet.end - fleet.begin),
        "begin": _moment(fleet.begin),
        "counts": counts,
        "boxes": boxes,
        "columns": {name: any(box[name] for box in boxes) for name in ("throughput", "forecast", "worker", "spark")},
        "scale": svg.scale(fleet.begin, fleet.end, 8),
        "danger": _danger(fleet),
        "work": _work(fleet),
        "lanes": _lanes(fleet, boxes),
        "coming": sorted(
            (coming for box in boxes for coming in box["forecasts"]),
            key=lambda coming: (coming["seconds"], coming["box"]["number"]),
        ),
        "changes": _changes(boxes),
        "differences": [_group(name, members, found, boxes) for name, members, found in fleet.differences],
    }


def _box(number, box, fleet):
    memory = box.samples.get(report_series.MEMORY)
    worker = _fullest(box, report_series.WORKER)
    disk = _fullest(box, report_series.DISK)
    forecasts = [_forecast(forecast, box, fleet) for forecast in box.forecasts]
    found = {
        "id": f"b{number}",
        "number": number,
        "name": box.name,
        "verdict": box.verdict,
        "rank": _table.VERDICTS.index(box.verdict),
        "missed": box.missed,
        "read": None if box.read is None else _moment(box.read),
        "lasting": _lasting(box, fleet),
        "findings": [
            {"severity": finding["severity"], "text": _short(finding["message"])}
            for finding in box.findings[:_MOST_FINDINGS]
        ],
        "more_findings": max(0, len(box.findings) - _MOST_FINDINGS),
        "memory": _share(memory),
        "worker": _share(worker, worker and worker.subject),
        "disk": _share(disk, disk and disk.subject),
        "spark": _spark(box.series.get(report_series.MEMORY), "memory"),
        "throughput": _throughput(box),
        "forecast": forecasts[0] if forecasts else None,
        "forecasts": forecasts,
        "kills": len(box.kills),
        "kill_list": [_kill(kill) for kill in reversed(box.kills[-_MOST_KILLS:])],
        "changes": [_change(*change) for change in reversed(box.changes[-_MOST_CHANGES:])],
        "more_changes": max(0, len(box.changes) - _MOST_CHANGES),
        "strip": [
            (verdict, svg.spans(box.verdicts, 1, verdict)) for verdict in _table.VERDICTS if verdict in box.verdicts
        ],
        "strip_text": _strip_text(box, fleet),
    }
    found["pictures"], found["calm"] = _pictures(box, fleet)
    for forecast in forecasts:
        forecast["box"] = found
    return found


def _share(sample, subject=None):
    """A number against its capacity: what the cell says, and what it is sorted by."""
    if sample is None:
        return None
    number = report_series.number(sample.metric, sample.value)
    if not sample.capacity:
        return {"share": "", "text": number, "subject": subject, "sort": None, "bar": None}
    share = 100.0 * sample.value / sample.capacity
    return {
        "share": f"{share:.0f} %",
        "text": f"{number} of {report_series.number(sample.metric, sample.capacity)}",
        "subject": subject,
        "sort": round(share, 1),
        "bar": round(min(100, max(0, share))),
    }


def _fullest(box, metric):
    found = [sample for (name, _subject), sample in sorted(box.samples.items()) if name == metric]
    return max(found, key=lambda sample: sample.value / sample.capacity if sample.capacity else 0, default=None)


def _spark(buckets, what, limit=None):
    if not buckets:
        return None
    coarse = report_series.merged(buckets, _COARSER)
    limit = limit or report_series.capacity(buckets)
    top = limit or max(bucket.high for bucket in coarse)
    return {
        "path": svg.line(coarse, SPARK_HEIGHT, top, report_series.gap(coarse)),
        "text": f"{what}: {_range(buckets, limit)}",
    }


def _range(buckets, limit):
    """The picture in words."""
    low, high = min(bucket.low for bucket in buckets), max(bucket.high for bucket in buckets)
    if limit:
        return "from %.0f to %.0f %%, last %.0f %%" % tuple(
            100 * value / limit for value in (low, high, buckets[-1].high)
        )
    return "from %s to %s, last %s" % tuple(report_series.number("", value) for value in (low, high, buckets[-1].high))


def _throughput(box):
    """The series of work in which the box has got the most done, now and at its best."""
    found = {key: buckets for key, buckets in box.series.items() if report_series.is_throughput(key[0])}
    if not found:
        return None
    key = max(sorted(found), key=lambda key: max(bucket.high for bucket in found[key]))
    buckets = found[key]
    now, best = buckets[-1].low, max(bucket.high for bucket in buckets)
    return {
        "text": report_series.number("", now),
        "what": report_series.label(*key),
        "sort": round(now, 2),
        "best": report_series.number("", best),
        "slower": _slower(now, best),
        "spark": _spark(buckets, report_series.label(*key), best),
    }


def _slower(now, best):
    """How many times, where that is worth a word."""
    if best <= 0 or now > best / 2:
        return ""
    return "none now" if now <= 0 else "1/%s of its best" % f"{best / now:,.0f}"


def _pictures(box, fleet):
    """The series that have a picture, and the names of those that nobody needs to look at."""
    keys = sorted(box.series, key=report_series.order)
    shown = [key for key in keys if not report_series.is_calm(key[0], box.series[key])]
    calm = [report_series.label(*key) for key in keys if key not in shown] + [
        report_series.label(*key) for key in shown[_MOST_PICTURES:]
    ]
    return [_picture(key, box, fleet) for key in shown[:_MOST_PICTURES]], calm


def _picture(key, box, fleet):
    metric, subject = key
    buckets = box.series[key]
    limit = report_series.capacity(buckets)
    low, high = min(bucket.low for bucket in buckets), max(bucket.high for bucket in buckets)
    top = max(high, limit or 0) or 1
    last = buckets[-1].high
    is_memory = key == report_series.MEMORY
    restarts = report_series.restarts(buckets) if is_memory or metric == report_series.WORKER else ()
    kills = [_place(kill.killed, fleet) for kill in box.kills if kill.killed] if is_memory else ()
    return {
        "label": report_series.label(metric, subject),
        "path": svg.line(buckets, PICTURE_HEIGHT, top, report_series.gap(buckets)),
        "restarts": svg.ticks(restarts, PICTURE_HEIGHT),
        "kills": svg.ticks(kills, PICTURE_HEIGHT),
        "limit": report_series.number(metric, limit) if limit else None,
        "last": report_series.number(metric, last),
        "share": f"{100 * last / limit:.0f} %" if limit else "",
        "range": f"{report_series.number(metric, low)} to {report_series.number(metric, high)}",
        "text": f"{report_series.label(metric, subject)} over {_length(fleet.end - fleet.begin)}: {_range(buckets, limit)}",
    }


def _place(moment, fleet):
    return min(BUCKETS - 1, max(0, int((moment - fleet.begin) / (fleet.end - fleet.begin) * BUCKETS)))


def _forecast(forecast, box, fleet):
    at = (box.read or fleet.made) + forecast["seconds"]
    return {
        "what": report_series.label(forecast["metric"], forecast["subject"] or ""),
        "message": forecast["message"],
        "soon": f"in {_length(forecast['seconds'])}",
        "between": f"{_length(forecast['seconds_low'])} to {_length(forecast['seconds_high'])}",
        "at": _moment(at),
        "seconds": forecast["seconds"],
        "severity": "critical" if forecast["seconds"] < 3600 else "warning" if forecast["seconds"] < 86400 else "ok",
    }


def _kill(kill):
    return {
        "time": None if kill.killed is None else _moment(kill.killed),
        "process": kill.name or "?",
        "pid": kill.pid,
        "rss": "?" if kill.rss_bytes is None else format_size(kill.rss_bytes),
        "killer": kill.killer,
        "unit": kill.unit or "-",
    }


def _change(taken, name, before, after):
    return {
        "time": _moment(taken),
        "seconds": taken,
        "name": name,
        "before": _value(name, before),
        "after": _value(name, after),
    }


def _value(name, value):
    if value is None:
        return None
    if name.endswith("_bytes") and isinstance(value, (int, float)):
        return format_size(value)
    return _short(value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False))


def _group(name, members, found, boxes):
    """What differs within a group: what most of its boxes have, and who has something else."""
    rows = {box["name"]: box for box in boxes}
    shown = [
        {
            "name": one.name,
            "most": _value(one.name, one.values[0][0]),
            "most_count": len(one.values[0][1]),
            "others": [
                {"value": _value(one.name, value), "boxes": [rows[box] for box in have]}
                for value, have in one.values[1:]
            ],
        }
        for one in found[:_MOST_DIFFERENCES]
    ]
    return {"name": name, "boxes": len(members), "shown": shown, "more": len(found) - len(shown)}


def _changes(boxes):
    """What has changed, the latest first; what has changed in the same way on many boxes is said once."""
    same = {}
    for box in boxes:
        for change in box["changes"]:
            same.setdefault((change["name"], change["before"] or "", change["after"] or ""), []).append((change, box))
    found = [
        {
            **max((change for change, _box in group), key=lambda change: change["seconds"]),
            "boxes": list({box["id"]: box for _change, box in group}.values()),
        }
        for group in same.values()
    ]
    return sorted(found, key=lambda change: (-change["seconds"], change["name"]))


def _danger(fleet):
    """How many boxes were in danger at a time, by verdict, one upon the other."""
    shown = [verdict for verdict in _table.VERDICTS if verdict != "ok"]
    counts = {
        verdict: [sum(box.verdicts[number] == verdict for box in fleet.boxes) for number in range(BUCKETS)]
        for verdict in shown
    }
    most = max(map(sum, zip(*counts.values())))
    if fleet.history is None or not most:
        return None
    below, layers = [0] * BUCKETS, []
    for verdict in shown:
        above = [low + more for low, more in zip(below, counts[verdict])]
        layers.append({"verdict": verdict, "path": svg.steps(below, above, 100, most)})
        below = above
    peak = below.index(most)
    return {
        "layers": [layer for layer in layers if layer["path"]],
        "most": most,
        "text": f"Boxes that were not ok over {_length(fleet.end - fleet.begin)}: at most {most} of {len(fleet.boxes)}, around {_moment(fleet.begin + (peak + 0.5) * (fleet.end - fleet.begin) / BUCKETS)['text']}; {int(below[-1])} at the end",
    }


def _work(fleet):
    """What all boxes together get done an hour, for each kind of work."""
    totals = {}
    for box in fleet.boxes:
        for (metric, _subject), buckets in box.series.items():
            if report_series.is_throughput(metric):
                numbers = totals.setdefault(metric, {})
                for bucket in buckets:
                    numbers[bucket.number] = numbers.get(bucket.number, 0) + (bucket.low + bucket.high) / 2
    found = []
    for metric, numbers in sorted(totals.items()):
        # The last bucket is still being filled: not every box has been read in it.
        values = [value for _number, value in sorted(numbers.items())]
        top = max(values) or 1
        buckets = [_Point(number, value) for number, value in sorted(numbers.items())]
        label = report_series.label(metric, "")
        found.append(
            {
                "label": label,
                "path": svg.line(buckets, 100, top, report_series.gap(buckets)),
                "most": report_series.number("", top),
                "last": report_series.number("", values[-1]),
                "text": "%s, all boxes together, over %s: from %s to %s, last %s"
                % (
                    label,
                    _length(fleet.end - fleet.begin),
                    *(report_series.number("", value) for value in (min(values), top, values[-1])),
                ),
            }
        )
    return found


class _Point:
    def __init__(self, number, value):
        self.number, self.low, self.high = number, value, value


def _lanes(fleet, boxes):
    """The boxes with OOM kills, those with the most first, and their kills in time."""
    killed = [(box, row) for box, row in zip(fleet.boxes, boxes) if box.kills]
    killed.sort(key=lambda pair: (-len(pair[0].kills), pair[1]["number"]))
    lanes = [
        {
            "box": row,
            "count": len(box.kills),
            "path": svg.ticks([_place(kill.killed, fleet) for kill in box.kills if kill.killed], 10),
            "text": f"{len(box.kills)} OOM {'kill' if len(box.kills) == 1 else 'kills'} on {row['name']}{_last(box.kills)}",
        }
        for box, row in killed
    ]
    return {
        "shown": lanes[:_MOST_LANES],
        "more": lanes[_MOST_LANES:],
        "kills": sum(lane["count"] for lane in lanes),
        "boxes": len(lanes),
    }


def _last(kills):
    times = [kill.killed for kill in kills if kill.killed]
    return f", the last at {_moment(times[-1])['text']}" if times else ""


def _lasting(box, fleet):
    if box.since is None or fleet.history is None:
        return None
    length = format_duration(max(0, fleet.made - box.since))
    return {"text": f"for {length}" if box.before else f"for {length} or more", "before": box.before}


def _strip_text(box, fleet):
    known = [verdict for verdict in box.verdicts if verdict]
    if not known:
        return ""
    shares = ", ".join(
        f"{verdict} {100 * known.count(verdict) / len(known):.0f} %" for verdict in _table.VERDICTS if verdict in known
    )
    return f"verdicts over {_length(fleet.end - fleet.begin)}: {shares} of the time that was read"


def _moment(seconds):
    text = timestamp(seconds) or "?"
    try:
        day = datetime.fromtimestamp(seconds, timezone.utc)
        short = f"{svg.DAYS[day.weekday()]} {int(day.hour):02}:{int(day.minute):02}"
    except (OverflowError, OSError, ValueError):
        short = "?"
    return {"iso": text, "text": text.replace("T", " ")[:16] + " UTC" if len(text) > 1 else "?", "short": short}


def _length(seconds):
    return format_duration(max(0, seconds))


def _short(text):
    text = str(text)
    return text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "..."


def _printable(value):
    if isinstance(value, Markup):
        return value
    return _UNPRINTABLE.sub("\ufffd", value) if isinstance(value, str) else value


def _policy(style, script):
    """Nothing is loaded, sent or framed, and nothing runs but this very script."""
    sources = [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in (style, script)
    ]
    return (
        "default-src 'none'; style-src %s; script-src %s; img-src data:; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'" % tuple(sources)
    )


def _asset(suffix):
    return Path(__file__).with_name("page." + suffix).read_text(encoding="utf-8")
