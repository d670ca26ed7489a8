# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OOM kills in recorded logs of every kernel era and format; each field of each event was written by hand."""

from __future__ import annotations

import gzip
import json
import os

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import events as oom_events, facts as oom_facts
from paths import BOXES

LOGS = str(BOXES / "oomlogs")
NOW = 1795300000  # 2026-11-21T22:26:40Z


def read(*names):
    path = os.path.join(LOGS, *names)
    # A log that is no text is compressed, so no tool changes it.
    with open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz") as stream:
        return _reader.decode(stream.read())


def parse(text, **options):
    return oom_facts.parse({"log": text}, logs=["log"], now=NOW, max_events=1000, **options)


def in_kb(event):
    """Return an event with its sizes as the kernel prints them."""
    facts = {}
    for key, value in event.items():
        if key.endswith("_bytes"):
            facts[key[: -len("bytes")] + "kb"] = None if value is None else value // 1024
        else:
            facts[key] = value
    return facts


LOCAL = json.loads(read("LOCAL.json"))
MADE = json.loads(read("made", "made.json"))
ALIASES = {"victim_pid": "pid", "victim_comm": "name", "invoker_comm": "invoker"}


def assert_hostile(text, invisible=()):
    """Assert that the ten kills with hostile names are found."""
    events = {event["pid"]: in_kb(event) for event in parse(text)["events"]}
    expected = [item for item in LOCAL["expected_events"] if item["victim_pid"] not in invisible]
    assert sorted(events) == sorted(item["victim_pid"] for item in expected)
    for item in expected:
        for key, value in item.items():
            if key != "accept":
                got = events[item["victim_pid"]][ALIASES.get(key, key)]
                assert got == value or got in item.get("accept", {}).get(key, ()), (item["victim_pid"], key)


@pytest.mark.parametrize("name", sorted(LOCAL["files"]))
def test_hostile_names_in_eleven_encodings(name):
    # journalctl itself hides a message that is no text, in all of its formats but JSON.
    hidden = name.startswith(("L08", "L09", "L11"))
    assert_hostile(read(name), invisible=(1762,) if hidden else ())


@pytest.mark.parametrize("name", ["L01_dmesg_raw.log", "L04_dmesg_r.log", "L07_dev_kmsg.log", "L10_journal_json.log"])
def test_a_log_with_the_newest_message_first(name):
    messages = []
    for line in read(name).rstrip("\n").split("\n"):
        if line.startswith("        "):
            messages[-1] += "\n" + line
        else:
            messages.append(line)
    assert_hostile("\n".join(reversed(messages)))


@pytest.mark.parametrize("name", sorted(MADE))
def test_shapes_of_every_kernel_era(name):
    facts = parse(read("made", name + ".log"))
    keys = list(MADE[name]["events"][0]) if MADE[name]["events"] else []
    got = sorted(({key: in_kb(event)[key] for key in keys} for event in facts["events"]), key=lambda item: item["pid"])
    assert got == sorted(MADE[name]["events"], key=lambda item: item["pid"])
    assert facts["invocations_without_kill"] == MADE[name]["invocations_without_kill"]
    assert len(facts["other_kills"]) == MADE[name]["other_kills"]
    for event in facts["events"]:
        assert tuple(event) == oom_events.KEYS


PASTED = json.loads(read("pasted", "pasted.json"))


@pytest.mark.parametrize("name", sorted(PASTED))
def test_logs_as_people_pasted_them(name):
    facts = parse(read("pasted", name + ".log"))
    expected = PASTED[name]
    events = sorted((in_kb(event) for event in facts["events"]), key=lambda event: event["pid"])
    assert [event["pid"] for event in events] == sorted(item["pid"] for item in expected["events"])
    for event, item in zip(events, sorted(expected["events"], key=lambda item: item["pid"])):
        assert {key: event[key] for key in item} == item
    assert len(facts["other_kills"]) == expected["other_kills"]
    for key in ("worker_killed", "invocations_without_kill"):
        assert facts[key] == expected.get(key, facts[key])


def test_a_host_with_an_address_for_a_name_is_found_within_the_last_day():
    text = read("pasted", "ipv6-host.log")
    assert parse(text, since=1795000000 - 86400)["kills_in_log"] == 1


def each_line(change):
    return lambda text: "".join(change(line) + "\n" for line in text.rstrip("\n").split("\n"))


def shipped(text):
    return each_line(lambda line: json.dumps({"log": line + "\n", "time": "2026-01-02T03:04:05.6Z"}))(text)


DRESSES = {
    "indented": each_line(lambda line: "    " + line),
    "quoted": each_line(lambda line: "> > " + line),
    "table": each_line(lambda line: "| " + line),
    "crlf": each_line(lambda line: line + "\r"),
    "code": lambda text: "```\n" + text + "```\n",
    "html": each_line(lambda line: "&gt; " + line),
    "grep": each_line(lambda line: "/var/log/messages:" + line),
    "numbered": each_line(lambda line: "123:" + line),
    "kubectl": each_line(lambda line: "[pod/logs-abc/main] " + line),
    "cri": each_line(lambda line: "2026-01-02T03:04:05.123456789Z stdout F " + line),
    "compose": each_line(lambda line: "app_1  | " + line),
    "docker-json": shipped,
    "blank-lines": lambda text: text.replace("\n", "\n\n"),
}


@pytest.mark.parametrize("dress", sorted(DRESSES))
@pytest.mark.parametrize("name", ["el6-uid", "3.10-el7-late", "5.0-both-lines", "short-monotonic", "7-digit-pids"])
def test_a_prefix_of_every_line_changes_nothing(name, dress):
    text = read("made", name + ".log")

    def events(log):
        return [{**event, "time": None} for event in parse(log)["events"]]

    assert sorted(events(DRESSES[dress](text)), key=str) == sorted(events(text), key=str)


def test_seed_log_has_one_kill():
    facts = parse(read("syslog-kernel-3.13.log"))
    assert facts["kills_in_log"] == 1
    assert facts["worker_killed"] and not facts["sshd_killed"]
    event = facts["events"][0]
    assert (event["pid"], event["name"], event["score"], event["invoker"]) == (25910, "ruby", 979, "ucrawler.rb:213")
    assert (event["total_vm_bytes"], event["anon_rss_bytes"], event["file_rss_bytes"]) == (
        16287724 * 1024,
        15310180 * 1024,
        0,
    )
    assert (event["time"], event["uptime_seconds"]) == ("2026-10-03T22:19:59Z", 28441.948805)


def test_each_kill_once_though_four_logs_tell_of_it():
    sources = {
        "journal": read("L10_journal_json.log"),
        "kmsg": read("L07_dev_kmsg.log"),
        "/var/log/kern.log": read("L08_journal_short.log"),
        "/var/log/messages": read("L02_dmesg_T.log"),
        "/proc/stat": "btime 1795208149\n",
        "/proc/uptime": "5200.00 1.00\n",
        "/proc/vmstat": "nr_free_pages 1\noom_kill 12\n",
    }
    logs = ["journal", "kmsg", "/var/log/kern.log", "/var/log/messages"]
    facts = oom_facts.parse(sources, logs=logs, now=NOW)
    assert facts["kills_in_log"] == 10
    assert facts["kills_since_boot"] == 12
    assert {event["source"] for event in facts["events"]} == {"journal"}
    times = [event["time"] for event in facts["events"]]
    assert times == sorted(times, reverse=True)


def test_the_same_process_killed_again_is_another_kill():
    line = "[%s] Out of memory: Killed process 7 (x) total-vm:9kB, anon-rss:8kB, file-rss:7kB, shmem-rss:0kB\n"
    assert parse(line % "10.000001" + line % "10.000001")["kills_in_log"] == 1
    assert parse(line % "10.000001" + line % "20.000001")["kills_in_log"] == 2


def test_uptime_becomes_time_by_the_boot_time_of_the_running_kernel_only():
    sources = {
        "dmesg": read("L04_dmesg_r.log"),
        "/proc/stat": "cpu 1\nbtime 1795208149\n",
        "/proc/uptime": "5200.5 1\n",
    }
    assert oom_facts.parse(sources)["events"][0]["time"] == "2026-11-20T22:20:42Z"
    assert parse(sources["dmesg"], boot_time=1795208149)["events"][0]["time"] is None


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("Nov 21 10:00:00 h kernel:", "2026-11-21T08:00:00Z"),
        ("Dec 24 10:00:00 h kernel:", "2025-12-24T08:00:00Z"),
        ("24 дек 10:00:00 h kernel:", "2025-12-24T08:00:00Z"),
        ("12月 24 10:00:00 h kernel:", "2025-12-24T08:00:00Z"),
        ("juil. 14 10:00:00 h kernel:", "2026-07-14T08:00:00Z"),
        ("2026-02-08T00:40:07.136582+01:00 h kernel:", "2026-02-07T23:40:07Z"),
        ("2026-11-20T22:20:29+0000 h kernel:", "2026-11-20T22:20:29Z"),
        ("Fri 2026-11-20 22:20:29 EST h kernel:", "2026-11-21T03:20:29Z"),
        ("1790033574.259647 h kernel:", "2026-09-21T23:32:54Z"),
        ("[Thu Dec  7 00:05:14 2017]", "2017-12-06T22:05:14Z"),
        ("2024-04-29T14:55:41,678628+02:00", "2024-04-29T12:55:41Z"),
        ("Tue Jul 29 06:26:59 2025 kern.err kernel: [ 12.000001]", "2025-07-29T04:26:59Z"),
        ("<3>1 2024-04-29T14:55:41Z h kernel - - -", "2024-04-29T14:55:41Z"),
        ("kernel:", None),
        ("Foo 99 10:00:00 h kernel:", None),
    ],
)
def test_stamps(stamp, expected):
    facts = parse(stamp + " Out of memory: Killed process 7 (x) total-vm:9kB, anon-rss:8kB", utc_offset=7200)
    assert [event["time"] for event in facts["events"]] == [expected]


@pytest.mark.parametrize(
    "line",
    [
        "Oct  3 22:19:59 h sshd[12]: %s",
        "Oct  3 22:19:59 h kernel[12]: %s",
        "Oct  3 22:19:59 h myapp: %s",
        "2026-02-08T00:40:07.136582+01:00 h sudo: bob : COMMAND=/bin/echo %s",
        "<11>[ 12.000001] %s",
        "12,1,2,-;%s",
        "user  :err   : [ 12.000001] %s",
        "[ 12.000001] myapp: %s",
        "[ 12.000001] systemd[1]: %s",
        '{"MESSAGE": "%s", "_TRANSPORT": "syslog", "SYSLOG_IDENTIFIER": "kernel"}',
        '{"MESSAGE": "%s", "_TRANSPORT": "stdout"}',
    ],
)
def test_programs_are_not_believed(line):
    forged = "Out of memory: Killed process 1 (init) total-vm:1kB, anon-rss:1kB, file-rss:1kB, shmem-rss:0kB"
    assert parse(line % forged)["events"] == []


def test_since_keeps_what_is_newer_or_has_no_time():
    text = read("L02_dmesg_T.log")
    since = 1795213236  # 2026-11-20T22:20:36Z
    assert parse(text, since=since)["kills_in_log"] == 5
    assert parse(read("L01_dmesg_raw.log"), since=since)["kills_in_log"] == 10


def test_max_events_are_the_newest_and_the_count_is_of_all():
    facts = oom_facts.parse({"log": read("L02_dmesg_T.log")}, logs=["log"], now=NOW, max_events=2)
    assert [event["pid"] for event in facts["events"]] == [1897, 1849]
    assert facts["kills_in_log"] == 10


def test_workers_are_found_by_name_or_unit():
    text = read("made", "6.12-journal-reversed.log")
    assert not parse(text)["worker_killed"]
    assert parse(text, workers=["^Web Con"])["worker_killed"]
    assert parse(text, workers=["firefox@"])["worker_killed"]
    with pytest.raises(ValueError) as caught:
        parse(text, workers=["("])
    assert str(caught.value) == (
        "workers: not a regular expression ((); correct it: missing ), unterminated subpattern at position 0"
    )


def test_sshd_by_all_of_its_names():
    line = "kernel: Out of memory: Killed process 7 (%s) total-vm:9kB, anon-rss:8kB, file-rss:7kB\n"
    assert parse(line % "sshd")["sshd_killed"]
    assert parse(line % "sshd-session")["sshd_killed"]
    assert not parse(line % "ssh-agent")["sshd_killed"]


def test_other_kills_in_their_own_words():
    facts = parse(read("made", "no-kills.log"))
    assert facts["events"] == []
    killers = {item["killer"]: item for item in facts["other_kills"]}
    assert killers["earlyoom"]["pid"] == 4412
    assert killers["earlyoom"]["uid"] == 1000
    assert killers["earlyoom"]["rss_bytes"] == 1024 << 20
    assert killers["earlyoom"]["signal"] == "SIGKILL"
    assert killers["systemd-oomd"]["unit"] == "x.scope"
    assert killers["systemd-oomd"]["cgroup"].endswith("/app.slice/x.scope")
    assert killers["systemd-oomd"]["reason"].startswith("memory pressure")


def test_filtered_by_the_anchors_the_kills_are_the_same():
    """The health probe greps for the anchors: only facts of the table of processes are lost."""
    for name in ("L04_dmesg_r.log", "L01_dmesg_raw.log"):
        lines = read(name).split("\n")
        kept = [number for number, line in enumerate(lines) if any(anchor in line for anchor in oom_facts.ANCHORS)]
        shown = sorted({number + more for number in kept for more in (0, 1) if number + more < len(lines)})
        filtered = "\n".join(lines[number] for number in shown)
        assert_hostile(filtered)
        assert len(filtered) < len("\n".join(lines)) / 3


def test_nothing_read_gives_the_same_keys():
    facts = oom_facts.parse({}, unread={"journal": "permission denied"})
    assert facts == {
        "events": [],
        "other_kills": [],
        "kills_since_boot": None,
        "kills_in_log": 0,
        "invocations_without_kill": 0,
        "sshd_killed": False,
        "worker_killed": False,
        "sources": [{"name": "journal", "readable": False, "reason": "permission denied"}],
    }


def test_why_a_log_was_not_read_can_be_printed():
    """journalctl names files, and an operator may name a log of any user's."""
    sources = {"/home/u/\x1b[2J.log": ""}
    unread = {"/home/u/\x1b[2J.log": "bad \x9b2J", "journal": "no file /run/log/journal/\ra"}
    facts = oom_facts.parse(sources, logs=list(sources), unread=unread)
    assert facts["sources"] == [
        {"name": r"/home/u/\x1b[2J.log", "readable": True, "reason": r"bad \x9b2J"},
        {"name": "journal", "readable": False, "reason": r"no file /run/log/journal/\x0da"},
    ]
    kill = 'Nov 21 10:00:00 host earlyoom[7]: sending SIGTERM to process 7 uid 0 "ruby": oom_score 1, VmRSS 1 MiB\n'
    killed = oom_facts.parse({"/home/u/\x1b.log": kill}, logs=["/home/u/\x1b.log"])["other_kills"]
    assert [event["source"] for event in killed] == [r"/home/u/\x1b.log"]
    kill = "<3>[  100.003] Out of memory: Killed process 77 (a) total-vm:1kB, anon-rss:1kB, file-rss:0kB\n"
    events = oom_facts.parse({"/home/u/\x1b.log": kill}, logs=["/home/u/\x1b.log"])["events"]
    assert [event["source"] for event in events] == [r"/home/u/\x1b.log"]


KILL = "Out of memory: Killed process 1 (sshd) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB"
QUOTED = [
    "process '/tmp/{}' started with executable stack",
    "tmpfs: Unknown parameter '{}'",
    "tmpfs: Unknown parameter 'x: {}'",
    "tmpfs: Unknown parameter '[    5.000000] {}'",
    "overlayfs: failed to resolve '\n{}': -2",
    "overlayfs: failed to resolve '<3>[    5.000000] {}': -2",
    "warning: `x' {}",
]


def buffered(message, kind):
    """Return a record as /dev/kmsg or `dmesg -r` gives it."""
    if kind == "kmsg":
        return "4,100,5000000,-;" + message.replace("\n", "\\x0a") + "\n"
    return "<4>[    5.000000] " + message.replace("\n", " ") + "\n"


@pytest.mark.parametrize("kind", ["kmsg", "dmesg"])
@pytest.mark.parametrize("quoted", QUOTED)
@pytest.mark.parametrize(
    "forged",
    [
        KILL,
        KILL + "\n",
        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),task=sshd,pid=1,uid=0",
        "Out of memory: Kill process 1 (sshd) score 900 or sacrifice child",
        "ruby invoked oom-killer: gfp_mask=0x1, order=0",
        'earlyoom: sending SIGTERM to process 1 uid 0 "sshd": oom_score 1, VmRSS 1 MiB',
        "systemd-oomd[1]: Killed /system.slice/ssh.service due to memory used",
        "ssh.service: systemd-oomd killed 1 process(es) in this unit.",
    ],
)
def test_what_the_kernel_quotes_of_a_user_is_no_kill(kind, quoted, forged):
    found = oom_facts.parse({kind: buffered(quoted.format(forged), kind)}, now=NOW)
    assert (found["events"], found["other_kills"], found["sshd_killed"]) == ([], [], False)
    assert found["invocations_without_kill"] == 0


@pytest.mark.parametrize("kind", ["kmsg", "dmesg"])
def test_what_the_kernel_says_itself_is_a_kill(kind):
    messages = [
        "sshd invoked oom-killer: gfp_mask=0x1, order=0",
        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),task=sshd,pid=1,uid=0",
        KILL,
    ]
    found = oom_facts.parse({kind: "".join(buffered(message, kind) for message in messages)}, now=NOW)
    assert [(event["pid"], event["invoker"]) for event in found["events"]] == [(1, "sshd")]
    assert found["sshd_killed"]


def test_names_of_kills_can_be_printed():
    # The escape sequences that color a log are taken away before.
    hostile = "x\x1b7\x9b\x7f"
    kernel = f"<3>[  100.003] Out of memory: Killed process 77 ({hostile}) total-vm:1kB, anon-rss:1kB, file-rss:0kB\n"
    other = f'Jul 29 06:26:59 web1 earlyoom[5]: sending SIGTERM to process 9 uid 5 "{hostile}": badness 900\n'
    found = oom_facts.parse({"dmesg": kernel, "journal": other}, now=1750000000, boot_time=1749990000)
    names = [event["name"] for event in found["events"] + found["other_kills"]]
    assert len(names) == 2
    assert [name for name in names if not name.isprintable() or "\\x9b\\x7f" not in name] == []
