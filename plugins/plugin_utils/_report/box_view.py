# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host as the page shows it: texts, numbers to sort by, and paths of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Forecast
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_duration, format_size
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _table
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Bucket, Change, Kill, Sample
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import Key
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import series as report_series, svg, words
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report.fleet import BUCKETS, Box, Fleet

SPARK_HEIGHT, PICTURE_HEIGHT = 22, 44
# Buckets per bucket of the table's small pictures.
_COARSER = 2
# How much of each kind is shown for one host. The rest is counted.
_MOST_PICTURES, _MOST_FINDINGS, _MOST_KILLS, _MOST_CHANGES = 8, 20, 20, 40


class FindingView(TypedDict):
    """A finding."""

    severity: str
    text: str


class Lasting(TypedDict):
    """The age of the present verdict, and the previous one."""

    text: str
    before: str | None


class Share(TypedDict):
    """A number out of its capacity: the texts of a cell, the number to sort by, and the bar's length in percent."""

    share: str
    text: str
    subject: str | None
    sort: float | None
    filled: int | None


class Spark(TypedDict):
    """A small picture, and the same in words."""

    path: str
    text: str


class Throughput(TypedDict):
    """The throughput of a host: the last value, the best, and a word if it is much slower."""

    text: str
    what: str
    sort: float
    best: str
    slower: str
    spark: Spark | None


class Picture(TypedDict):
    """A large picture with its texts."""

    label: str
    path: str
    restarts: str
    kills: str
    limit: str | None
    last: str
    share: str
    range: str
    text: str


class ForecastView(TypedDict):
    """A forecast."""

    what: str
    message: str
    soon: str
    between: str
    at: words.Moment
    seconds: int
    severity: str
    box: BoxView


class KillView(TypedDict):
    """An OOM kill."""

    time: words.Moment | None
    process: str
    pid: int | None
    rss: str
    killer: str
    unit: str


class ChangeView(TypedDict):
    """A change of the host's state."""

    time: words.Moment
    seconds: float
    name: str
    before: str | None
    after: str | None


class BoxView(TypedDict):
    """A host. `number` is its place on the page and `id` its anchor."""

    id: str
    number: int
    name: str
    verdict: str
    rank: int
    missed: bool
    read: words.Moment | None
    lasting: Lasting | None
    findings: list[FindingView]
    more_findings: int
    memory: Share | None
    worker: Share | None
    disk: Share | None
    spark: Spark | None
    throughput: Throughput | None
    forecast: ForecastView | None
    forecasts: list[ForecastView]
    kills: int
    kill_list: list[KillView]
    changes: list[ChangeView]
    more_changes: int
    strip: list[tuple[str, str]]
    strip_text: str
    pictures: list[Picture]
    calm: list[str]


def view(number: int, box: Box, fleet: Fleet) -> BoxView:
    """Return the view of a host, the `number`th on the page."""
    worker, disk = _fullest(box, report_series.WORKER), _fullest(box, report_series.DISK)
    pictures, calm = _pictures(box, fleet)
    found: BoxView = {
        "id": f"b{number}",
        "number": number,
        "name": box.name,
        "verdict": box.verdict,
        "rank": _table.VERDICTS.index(box.verdict),
        "missed": box.missed,
        "read": None if box.read is None else words.moment(box.read),
        "lasting": _lasting(box, fleet),
        "findings": [
            {"severity": finding["severity"], "text": words.short(finding["message"])}
            for finding in box.findings[:_MOST_FINDINGS]
        ],
        "more_findings": max(0, len(box.findings) - _MOST_FINDINGS),
        "memory": _share(box.samples.get(report_series.MEMORY)),
        "worker": _share(worker, worker.subject if worker else None),
        "disk": _share(disk, disk.subject if disk else None),
        "spark": _spark(box.series.get(report_series.MEMORY), "memory"),
        "throughput": _throughput(box),
        "forecast": None,
        "forecasts": [],
        "kills": len(box.kills),
        "kill_list": [_kill(kill) for kill in reversed(box.kills[-_MOST_KILLS:])],
        "changes": [_change(change) for change in reversed(box.changes[-_MOST_CHANGES:])],
        "more_changes": max(0, len(box.changes) - _MOST_CHANGES),
        "strip": [
            (verdict, svg.spans(box.verdicts, 1, verdict)) for verdict in _table.VERDICTS if verdict in box.verdicts
        ],
        "strip_text": _strip_text(box, fleet),
        "pictures": pictures,
        "calm": calm,
    }
    found["forecasts"] = [_forecast(forecast, box, fleet, found) for forecast in box.forecasts]
    found["forecast"] = found["forecasts"][0] if found["forecasts"] else None
    return found


def place(moment: float, fleet: Fleet) -> int:
    """Return the number of the bucket that a time is in."""
    return min(BUCKETS - 1, max(0, int((moment - fleet.begin) / (fleet.end - fleet.begin) * BUCKETS)))


def _share(sample: Sample | None, subject: str | None = None) -> Share | None:
    if sample is None:
        return None
    number = report_series.number(sample.metric, sample.value)
    if not sample.capacity:
        return {"share": "", "text": number, "subject": subject, "sort": None, "filled": None}
    share = 100.0 * sample.value / sample.capacity
    return {
        "share": f"{share:.0f} %",
        "text": f"{number} of {report_series.number(sample.metric, sample.capacity)}",
        "subject": subject,
        "sort": round(share, 1),
        "filled": round(min(100, max(0, share))),
    }


def _fullest(box: Box, metric: str) -> Sample | None:
    found = [sample for (name, _subject), sample in sorted(box.samples.items()) if name == metric]
    return max(found, key=lambda sample: sample.value / sample.capacity if sample.capacity else 0, default=None)


def _spark(buckets: Sequence[Bucket] | None, what: str, limit: float | None = None) -> Spark | None:
    if not buckets:
        return None
    coarse = report_series.merged(buckets, _COARSER)
    limit = limit or report_series.capacity(buckets)
    top = limit or max(bucket.high for bucket in coarse)
    return {
        "path": svg.line(coarse, SPARK_HEIGHT, top, report_series.gap(coarse)),
        "text": f"{what}: {_range(buckets, limit)}",
    }


def _range(buckets: Sequence[Bucket], limit: float | None) -> str:
    """Return a picture in words."""
    low, high, last = min(bucket.low for bucket in buckets), max(bucket.high for bucket in buckets), buckets[-1].high
    if limit:
        return f"from {100 * low / limit:.0f} to {100 * high / limit:.0f} %, last {100 * last / limit:.0f} %"
    lowest, highest, latest = (report_series.number("", value) for value in (low, high, last))
    return f"from {lowest} to {highest}, last {latest}"


def _throughput(box: Box) -> Throughput | None:
    """Return the series of work in which the host has got the most done."""
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


def _slower(now: float, best: float) -> str:
    """Return how many times slower than its best the host is, if it does less than half of it."""
    if best <= 0 or now > best / 2:
        return ""
    return "none now" if now <= 0 else f"1/{best / now:,.0f} of its best"


def _pictures(box: Box, fleet: Fleet) -> tuple[list[Picture], list[str]]:
    """Return the series that have a picture, and the names of those that are calm or too many."""
    keys = sorted(box.series, key=report_series.order)
    shown = [key for key in keys if not report_series.is_calm(key[0], box.series[key])]
    calm = [key for key in keys if key not in shown] + shown[_MOST_PICTURES:]
    return (
        [_picture(key, box, fleet) for key in shown[:_MOST_PICTURES]],
        [report_series.label(*key) for key in calm],
    )


def _picture(key: Key, box: Box, fleet: Fleet) -> Picture:
    metric, subject = key
    buckets = box.series[key]
    limit = report_series.capacity(buckets)
    low, high, last = min(bucket.low for bucket in buckets), max(bucket.high for bucket in buckets), buckets[-1].high
    is_memory = key == report_series.MEMORY
    restarts = report_series.restarts(buckets) if is_memory or metric == report_series.WORKER else []
    kills = [place(kill.killed, fleet) for kill in box.kills if kill.killed] if is_memory else []
    label = report_series.label(metric, subject)
    return {
        "label": label,
        "path": svg.line(buckets, PICTURE_HEIGHT, max(high, limit or 0) or 1, report_series.gap(buckets)),
        "restarts": svg.ticks(restarts, PICTURE_HEIGHT),
        "kills": svg.ticks(kills, PICTURE_HEIGHT),
        "limit": report_series.number(metric, limit) if limit else None,
        "last": report_series.number(metric, last),
        "share": f"{100 * last / limit:.0f} %" if limit else "",
        "range": f"{report_series.number(metric, low)} to {report_series.number(metric, high)}",
        "text": f"{label} over {words.length(fleet.end - fleet.begin)}: {_range(buckets, limit)}",
    }


def _forecast(forecast: Forecast, box: Box, fleet: Fleet, row: BoxView) -> ForecastView:
    seconds = forecast["seconds"]
    return {
        "what": report_series.label(forecast["metric"], forecast["subject"] or ""),
        "message": forecast["message"],
        "soon": f"in {words.length(seconds)}",
        "between": f"{words.length(forecast['seconds_low'])} to {words.length(forecast['seconds_high'])}",
        "at": words.moment((box.read or fleet.made) + seconds),
        "seconds": seconds,
        "severity": "critical" if seconds < 3600 else "warning" if seconds < 86400 else "ok",
        "box": row,
    }


def _kill(kill: Kill) -> KillView:
    return {
        "time": None if kill.killed is None else words.moment(kill.killed),
        "process": kill.name or "?",
        "pid": kill.pid,
        "rss": "?" if kill.rss_bytes is None else format_size(kill.rss_bytes),
        "killer": kill.killer,
        "unit": kill.unit or "-",
    }


def _change(change: Change) -> ChangeView:
    return {
        "time": words.moment(change.taken),
        "seconds": change.taken,
        "name": change.name,
        "before": words.value(change.name, change.before),
        "after": words.value(change.name, change.after),
    }


def _lasting(box: Box, fleet: Fleet) -> Lasting | None:
    if box.since is None or fleet.history is None:
        return None
    length = format_duration(max(0, fleet.made - box.since))
    return {"text": f"for {length}" if box.before else f"for {length} or more", "before": box.before}


def _strip_text(box: Box, fleet: Fleet) -> str:
    known = [verdict for verdict in box.verdicts if verdict]
    if not known:
        return ""
    shares = ", ".join(
        f"{verdict} {100 * known.count(verdict) / len(known):.0f} %" for verdict in _table.VERDICTS if verdict in known
    )
    return f"verdicts over {words.length(fleet.end - fleet.begin)}: {shares} of the time that was read"
