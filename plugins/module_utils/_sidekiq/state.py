# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read Sidekiq's keys in Redis and parse them. Sidekiq 6.0 to 8.1.

The releases differ: a process has `rss` and `rtt_us` since 6.1; its jobs are in `:workers` before 6.5 and in `:work`
since; its concurrency moved from the info to a field of its own in 8.1; times of jobs are seconds with a fraction
before 8.0 and whole milliseconds since.

Any client of that Redis can write these keys, so every value is parsed as if an attacker had written it.
"""

from __future__ import annotations

import json
import math
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import percent, timestamp
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.resp import (
    Connection,
    Refusal,
    Reply,
    Word,
    as_int,
    as_text,
    as_texts,
)

# More queues or processes than any installation has: bounds the work if a key is not what it seems.
MOST = 1000

_FIELDS = ("info", "concurrency", "busy", "beat", "quiet", "rss", "rtt_us")
# Greater than any count of Sidekiq's; the sum of 1000 of them still fits into the 63 bits that SQLite has.
_LARGEST = 1 << 50


class RawQueue(NamedTuple):
    """The replies about one queue: its length, its oldest job as JSON, whether it is paused."""

    size: int
    last: Optional[str]
    paused: bool


class RawProcess(NamedTuple):
    """The replies about one process: `_FIELDS`, and its jobs as JSON by thread."""

    fields: List[Optional[str]]
    works: Dict[str, Optional[str]]


class Raw(NamedTuple):
    """The replies of Redis, before they are parsed. Counts are None where the key does not exist."""

    processed: Optional[str]
    failed: Optional[str]
    scheduled: int
    retries: int
    dead: int
    processes_total: int
    queues_total: int
    queues: Dict[str, RawQueue]
    processes: Dict[str, RawProcess]


class Queue(TypedDict):
    """A queue, as the module returns it."""

    name: str
    size: int
    latency_seconds: float
    paused: bool


# "class" is a keyword, so this one cannot be written as a class.
Job = TypedDict(
    "Job", {"class": Optional[str], "jid": Optional[str], "queue": Optional[str], "seconds": Optional[float]}
)


class Process(TypedDict):
    """A process of Sidekiq, as the module returns it."""

    identity: str
    hostname: Optional[str]
    pid: Optional[int]
    tag: Optional[str]
    version: Optional[str]
    labels: List[str]
    queues: List[str]
    started: Optional[str]
    heartbeat_seconds: Optional[float]
    concurrency: Optional[int]
    busy: int
    quiet: bool
    rss_bytes: Optional[int]
    redis_rtt_us: Optional[int]
    jobs: List[Job]


class State(TypedDict):
    """The state of Sidekiq, as the module returns it."""

    processed: int
    failed: int
    retries: int
    scheduled: int
    dead: int
    enqueued: int
    latency_seconds: float
    queues: List[Queue]
    queues_total: int
    processes: List[Process]
    processes_total: int
    vanished: List[str]
    busy: Optional[int]
    concurrency: Optional[int]
    busy_percent: Optional[float]
    heartbeat_seconds: Optional[float]
    rss_bytes: Optional[int]


def read(connection: Connection, prefix: str = "") -> Raw:
    """Read all keys of Sidekiq, whose names start with `prefix`. Raises Refusal and ServerFailure."""
    processed, failed, scheduled, retries, dead, processes_total, queues_total = _ask_all(
        connection,
        [
            ("GET", prefix + "stat:processed"),
            ("GET", prefix + "stat:failed"),
            ("ZCARD", prefix + "schedule"),
            ("ZCARD", prefix + "retry"),
            ("ZCARD", prefix + "dead"),
            ("SCARD", prefix + "processes"),
            ("SCARD", prefix + "queues"),
        ],
    )
    return Raw(
        processed=as_text(connection, processed),
        failed=as_text(connection, failed),
        scheduled=as_int(connection, scheduled),
        retries=as_int(connection, retries),
        dead=as_int(connection, dead),
        processes_total=as_int(connection, processes_total),
        queues_total=as_int(connection, queues_total),
        queues=_read_queues(connection, prefix),
        processes=_read_processes(connection, prefix),
    )


def _read_queues(connection, prefix):
    names = _members(connection, prefix + "queues")
    replies = _ask_all(
        connection,
        [
            command
            for name in names
            for command in (
                ("LLEN", f"{prefix}queue:{name}"),
                ("LINDEX", f"{prefix}queue:{name}", -1),
                ("SISMEMBER", prefix + "paused", name),
            )
        ],
    )
    return {
        name: RawQueue(as_int(connection, size), as_text(connection, last), bool(as_int(connection, paused)))
        for name, size, last, paused in zip(names, replies[::3], replies[1::3], replies[2::3])
    }


def _read_processes(connection: Connection, prefix: str) -> Dict[str, RawProcess]:
    names = _members(connection, prefix + "processes")
    replies = _ask_all(
        connection,
        [
            command
            for name in names
            for command in (
                ("HMGET", prefix + name, *_FIELDS),
                ("HGETALL", f"{prefix}{name}:work"),
                ("HGETALL", f"{prefix}{name}:workers"),
            )
        ],
    )
    found = {}
    for name, fields, work, workers in zip(names, replies[::3], replies[1::3], replies[2::3]):
        flat = as_texts(connection, workers) + as_texts(connection, work)
        works = {thread or "": job for thread, job in zip(flat[::2], flat[1::2])}
        found[name] = RawProcess(as_texts(connection, fields), works)
    return found


def _ask_all(connection: Connection, commands: Sequence[Sequence[Word]]) -> List[Reply]:
    replies = connection.ask_all(commands)
    for reply in replies:
        if isinstance(reply, Refusal):
            raise reply
    return replies


def _members(connection: Connection, key: str) -> List[str]:
    """Return the members of a set, sorted, at most MOST."""
    found: Set[str] = set()
    cursor = "0"
    while True:
        reply = connection.ask("SSCAN", key, cursor, "COUNT", MOST)
        if not isinstance(reply, list) or len(reply) != 2 or not isinstance(reply[0], str):
            raise connection.unexpected(reply)
        cursor = reply[0]
        found.update(name for name in as_texts(connection, reply[1]) if name is not None)
        if cursor == "0" or len(found) > MOST:
            return sorted(found)[:MOST]


def is_there(raw: Raw) -> bool:
    """Return whether a Sidekiq has ever used these keys."""
    return raw.processed is not None or raw.processes_total > 0 or raw.queues_total > 0


def nothing(connection: Connection, prefix: str) -> ServerFailure:
    """Return the ServerFailure for a database without Sidekiq's keys: it names the databases that do have keys."""
    try:
        lines = str(connection.ask("INFO", "keyspace")).splitlines()
        used = [escape(line.partition(":")[0]) for line in lines if line.startswith("db")]
        there = f"it has keys in {', '.join(used)}" if used else "it has no keys at all"
    except Refusal:
        there = "it does not say which databases have keys"
    under = f" under the prefix {prefix!r}" if prefix else ""
    return ServerFailure(
        "nothing",
        f"{connection.name}: no data of Sidekiq in this database{under} ({there}); check database and prefix, and "
        "that a worker has run",
    )


def parse(raw: Raw, now: float) -> State:
    """Parse the replies. Ages are those at the time `now`."""
    queues = [_queue(name, replies, now) for name, replies in sorted(raw.queues.items())]
    alive = {name: replies for name, replies in raw.processes.items() if replies.fields[:1] not in ([], [None])}
    processes = [_process(name, replies, now) for name, replies in sorted(alive.items())]
    busy = _sum(process["busy"] for process in processes)
    concurrency = _sum(process["concurrency"] for process in processes)
    beats = [process["heartbeat_seconds"] for process in processes]
    return {
        "processed": _int(raw.processed) or 0,
        "failed": _int(raw.failed) or 0,
        "retries": raw.retries,
        "scheduled": raw.scheduled,
        "dead": raw.dead,
        "enqueued": sum(queue["size"] for queue in queues),
        "latency_seconds": max((queue["latency_seconds"] for queue in queues), default=0.0),
        "queues": queues,
        "queues_total": raw.queues_total,
        "processes": processes,
        "processes_total": len(processes),
        # A process's record expires a minute after its last beat. One that stops removes its name as well, so these
        # were killed.
        "vanished": sorted(escape(name) for name in set(raw.processes) - set(alive)),
        "busy": busy,
        "concurrency": concurrency,
        "busy_percent": percent(busy, concurrency),
        "heartbeat_seconds": min((beat for beat in beats if beat is not None), default=None),
        "rss_bytes": _sum(process["rss_bytes"] for process in processes),
    }


def _queue(name, replies, now):
    latency = _latency(_json(replies.last), now)
    return {
        "name": escape(name),
        "size": min(replies.size, _LARGEST),
        "latency_seconds": latency,
        "paused": replies.paused,
    }


def _latency(job, now):
    """Return the seconds that the oldest job of a queue has waited."""
    since = _seconds(job.get("enqueued_at") or job.get("created_at"))
    return 0.0 if since is None else _age(now, since)


def _age(now, since):
    return round(max(now - since, 0.0), 3)


def _seconds(value):
    """Return a job's time in seconds. Sidekiq 8 writes whole milliseconds, earlier releases seconds with a fraction."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    number = _float(value)
    # As seconds, this would be 30,000 years from now.
    return number / 1000.0 if number is not None and number >= 1e12 else number


def _process(name: str, replies: RawProcess, now: float) -> Process:
    fields = dict(zip(_FIELDS, replies.fields))
    info = _json(fields.get("info"))
    beat, rss = _float(fields.get("beat")), _int(fields.get("rss"), _LARGEST >> 10)
    jobs = sorted((_job(_json(text), now) for text in replies.works.values()), key=lambda job: -(job["seconds"] or 0))
    return {
        "identity": escape(name),
        "hostname": _text(info.get("hostname")),
        "pid": _int(info.get("pid")),
        "tag": _text(info.get("tag")) or None,
        "version": _text(info.get("version")),
        "labels": _list(info.get("labels")),
        "queues": _list(info.get("queues")) or _capsule_queues(info.get("capsules")),
        "started": timestamp(_float(info.get("started_at"))),
        "heartbeat_seconds": None if beat is None else _age(now, beat),
        "concurrency": _int(fields.get("concurrency")) or _int(info.get("concurrency")),
        "busy": _int(fields.get("busy")) or 0,
        "quiet": fields.get("quiet") == "true",
        # In the kernel's kB of 1024 bytes; Sidekiq writes 0 if it cannot tell.
        "rss_bytes": rss * 1024 if rss else None,
        "redis_rtt_us": _int(fields.get("rtt_us")),
        "jobs": jobs,
    }


def _capsule_queues(capsules):
    """Return the queues of all capsules, where Sidekiq 9 will have them."""
    weights = [
        capsule.get("weights")
        for capsule in (capsules.values() if isinstance(capsules, dict) else ())
        if isinstance(capsule, dict)
    ]
    return sorted({escape(name) for each in weights if isinstance(each, dict) for name in each})


def _job(work, now):
    """Return a job in progress, without its arguments: these are the application's private data."""
    payload = work.get("payload")
    job = payload if isinstance(payload, dict) else _json(payload)
    since = _float(work.get("run_at"))
    return {
        "class": _text(job.get("wrapped")) or _text(job.get("class")) or None,
        "jid": _text(job.get("jid")),
        "queue": _text(work.get("queue")),
        "seconds": None if since is None else _age(now, since),
    }


def _sum(values: Iterable[Optional[int]]) -> Optional[int]:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _json(text):
    """Return a JSON object, or an empty one for everything else. RecursionError: 1,000 brackets suffice for one."""
    try:
        value = json.loads(text) if isinstance(text, str) and text else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(value):
    """Return a string, or a number as one, safe to print."""
    return escape(str(value)) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None


def _list(value):
    return [text for text in map(_text, value) if text is not None] if isinstance(value, list) else []


def _int(value, largest=_LARGEST):
    number = _float(value)
    return None if number is None or abs(number) >= largest else int(number)


def _float(value):
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) < 1e300 else None
