# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Sidekiq keeps in Redis: which keys to ask for, and what the answers mean. Sidekiq 6.0 to 8.1.

What differs between them: rss and rtt_us of a process came with 6.1, its jobs lie under C(:workers) before 6.5 and under C(:work) since,
its concurrency moved from the info to a field of its own in 8.1, and times of jobs are seconds with a fraction before 8.0, whole
milliseconds since.
"""

from __future__ import annotations

import json

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_duration, percent, timestamp
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.resp import Refusal

# Nobody has as many; it bounds the work where a key is something else than it seems.
MOST = 1000
# Counts reach Redis with a process's beat, every 5 s (Sidekiq 6) or 10 s: a rate over less tells of the beat.
SHORTEST = 10

_FIELDS = ("info", "concurrency", "busy", "beat", "quiet", "rss", "rtt_us")
_TOTALS = (
    ("processed", "GET", "stat:processed"),
    ("failed", "GET", "stat:failed"),
    ("scheduled", "ZCARD", "schedule"),
    ("retries", "ZCARD", "retry"),
    ("dead", "ZCARD", "dead"),
    ("processes", "SCARD", "processes"),
    ("queues", "SCARD", "queues"),
)


def read(connection, prefix=""):
    """The answers of Redis, raw. V(prefix) is what every key begins with. Raises Refusal and ServerFailure."""
    totals = dict(
        zip(
            (name for name, _command, _key in _TOTALS),
            ask_all(connection, [(command, prefix + key) for _name, command, key in _TOTALS]),
        )
    )
    raw = {"totals": totals, "queues": {}, "processes": {}}
    queues, processes = _members(connection, prefix + "queues"), _members(connection, prefix + "processes")
    asked = [
        (
            ("LLEN", f"{prefix}queue:{name}"),
            ("LINDEX", f"{prefix}queue:{name}", -1),
            ("SISMEMBER", prefix + "paused", name),
        )
        for name in queues
    ]
    for name, answers in zip(
        queues, _by(3, ask_all(connection, [command for commands in asked for command in commands]))
    ):
        raw["queues"][name] = answers
    asked = [
        (
            ("HMGET", prefix + name, *_FIELDS),
            ("HGETALL", f"{prefix}{name}:work"),
            ("HGETALL", f"{prefix}{name}:workers"),
        )
        for name in processes
    ]
    for name, answers in zip(
        processes, _by(3, ask_all(connection, [command for commands in asked for command in commands]))
    ):
        raw["processes"][name] = answers
    return raw


def ask_all(connection, commands):
    replies = connection.ask_all(commands)
    for reply in replies:
        if isinstance(reply, Refusal):
            raise reply
    return replies


def _by(size, replies):
    return [replies[start : start + size] for start in range(0, len(replies), size)]


def _members(connection, key):
    """The members of a set, sorted, at most V(MOST)."""
    found, cursor = set(), "0"
    while True:
        cursor, members = connection.ask("SSCAN", key, cursor, "COUNT", MOST)
        found.update(members)
        if cursor == "0" or len(found) > MOST:
            return sorted(found)[:MOST]


def is_there(raw):
    """Whether any Sidekiq has ever been at these keys."""
    totals = raw["totals"]
    return totals["processed"] is not None or totals["processes"] > 0 or totals["queues"] > 0


def nothing(connection, prefix):
    """A ServerFailure for keys at which nothing of Sidekiq is, with the databases that have any keys."""
    try:
        lines = str(connection.ask("INFO", "keyspace")).splitlines()
        used = [line.partition(":")[0] for line in lines if line.startswith("db")]
        there = f"it has keys in {', '.join(used)}" if used else "it has no keys at all"
    except Refusal:
        there = "which databases have keys, it does not say"
    return ServerFailure(
        "nothing",
        "%s has nothing of Sidekiq in this database%s (%s): are database and prefix right, and has a worker ever "
        "run here?" % (connection.name, " under the prefix %r" % prefix if prefix else "", there),
    )


def parse(raw, now):
    """The state of a Sidekiq at the time V(now), which is what ages are counted to."""
    totals = raw["totals"]
    queues = [_queue(name, answers, now) for name, answers in sorted(raw["queues"].items())]
    alive = {name: answers for name, answers in raw["processes"].items() if answers[0][0] is not None}
    processes = [_process(name, answers, now) for name, answers in sorted(alive.items())]
    busy, concurrency = (_sum(process[key] for process in processes) for key in ("busy", "concurrency"))
    return {
        "processed": _int(totals["processed"]) or 0,
        "failed": _int(totals["failed"]) or 0,
        "retries": totals["retries"],
        "scheduled": totals["scheduled"],
        "dead": totals["dead"],
        "enqueued": sum(queue["size"] for queue in queues),
        "latency_seconds": max((queue["latency_seconds"] for queue in queues), default=0.0),
        "queues": queues,
        "queues_total": totals["queues"],
        "processes": processes,
        "processes_total": len(processes),
        # Their record lasts for a minute after the last beat. What signs off takes its name along, so that these were killed.
        "vanished": sorted(set(raw["processes"]) - set(alive)),
        "busy": busy,
        "concurrency": concurrency,
        "busy_percent": percent(busy, concurrency),
        "heartbeat_seconds": min(
            (process["heartbeat_seconds"] for process in processes if process["heartbeat_seconds"] is not None),
            default=None,
        ),
        "rss_bytes": _sum(process["rss_bytes"] for process in processes if process["rss_bytes"] is not None),
    }


def _queue(name, answers, now):
    size, last, paused = answers
    return {"name": name, "size": size, "latency_seconds": _latency(_json(last), now), "paused": bool(paused)}


def _latency(job, now):
    """How long the oldest job of a queue has waited."""
    since = job.get("enqueued_at") or job.get("created_at")
    return 0.0 if _seconds(since) is None else round(max(now - _seconds(since), 0.0), 3)


def _seconds(value):
    """A job's time. Sidekiq 8 writes whole milliseconds, those before it seconds with a fraction."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # Seconds will not reach this number for 30,000 years.
    return value / 1000.0 if value >= 1e12 else float(value)


def _process(name, answers, now):
    fields = dict(zip(_FIELDS, answers[0]))
    info = _json(fields["info"])
    beat, rss = _float(fields["beat"]), _int(fields["rss"])
    works = {**_pairs(answers[2]), **_pairs(answers[1])}
    jobs = sorted((_job(_json(text), now) for text in works.values()), key=lambda job: -(job["seconds"] or 0))
    return {
        "identity": name,
        "hostname": info.get("hostname"),
        "pid": _int(info.get("pid")),
        "tag": info.get("tag") or None,
        "version": info.get("version"),
        "labels": _list(info.get("labels")),
        "queues": _list(info.get("queues")) or _capsule_queues(info.get("capsules")),
        "started": timestamp(_float(info.get("started_at"))),
        "heartbeat_seconds": None if beat is None else round(max(now - beat, 0.0), 3),
        "concurrency": _int(fields["concurrency"]) or _int(info.get("concurrency")),
        "busy": _int(fields["busy"]) or 0,
        "quiet": fields["quiet"] == "true",
        # The kernel's kB, which are 1024 bytes; 0 is what Sidekiq says where it can't tell.
        "rss_bytes": rss * 1024 if rss else None,
        "redis_rtt_us": _int(fields["rtt_us"]),
        "jobs": jobs,
    }


def _capsule_queues(capsules):
    """Where Sidekiq 9 will have the queues, and only there."""
    weights = [capsule.get("weights") for capsule in capsules.values()] if isinstance(capsules, dict) else []
    return sorted({name for each in weights if isinstance(each, dict) for name in each})


def _job(work, now):
    """A job in progress. Its arguments are left out: they are the application's own matter."""
    payload = work.get("payload")
    job = payload if isinstance(payload, dict) else _json(payload)
    since = _float(work.get("run_at"))
    return {
        "class": str(job.get("wrapped") or job.get("class") or "") or None,
        "jid": job.get("jid"),
        "queue": work.get("queue"),
        "seconds": None if since is None else round(max(now - since, 0.0), 3),
    }


def rate(before, after):
    """Jobs per hour between two readings, and None; or None, and why there is no rate."""
    if before is None:
        return None, "there is no earlier reading"
    seconds = after["time"] - before["time"]
    if seconds < SHORTEST:
        return None, f"the earlier reading is {seconds:.1f} s older: a rate wants {SHORTEST} s or more"
    found = {"seconds": round(seconds, 3)}
    for key in ("processed", "failed"):
        if after[key] < before[key]:
            return (
                None,
                f"the count {key} fell from {int(before[key])} to {after[key]}: somebody reset it, or Redis lost it",
            )
        found[key] = after[key] - before[key]
        found[key + "_per_hour"] = round(found[key] * 3600 / seconds, 2)
    return found, None


def summary(state, rate_found):
    """The state in a line."""
    words = [
        "%d processed%s"
        % (state["processed"], "" if rate_found is None else " (%g an hour)" % rate_found["processed_per_hour"]),
        f"{state['failed']} failed",
        f"{state['retries']} to retry",
        f"{state['dead']} dead",
        "%d enqueued%s"
        % (
            state["enqueued"],
            ", the oldest for %s" % format_duration(state["latency_seconds"]) if state["enqueued"] else "",
        ),
    ]
    if state["processes"]:
        words += [
            f"{state['busy']} of {state['concurrency']} busy",
            f"last beat {format_duration(state['heartbeat_seconds'] or 0)} ago",
        ]
        quiet = sum(process["quiet"] for process in state["processes"])
        words += [f"{int(quiet)} of {len(state['processes'])} processes quiet"] if quiet else []
    else:
        words.append("no process")
    words += [f"{len(state['vanished'])} vanished"] if state["vanished"] else []
    return ", ".join(words)


def _sum(values):
    values = [value for value in values if value is not None]
    return sum(values) if values else None


def _pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


def _json(text):
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _list(value):
    return [str(item) for item in value] if isinstance(value, list) else []


def _int(value):
    number = _float(value)
    return None if number is None else int(number)


def _float(value):
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < 1e300 else None
