# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same kills in every format, behind every host's name, and broken, quoted or searched as people do it."""

from __future__ import annotations

import json
import re
import struct
import textwrap
import time

import pytest
from hypothesis import assume, given, settings, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._oom import facts as oom_facts

BOOT, UPTIME = 1795000000, 5000.5001
NOW = BOOT + 100000
NAMES = (
    "ruby",
    "Web Content",
    "tmux: server",
    "kworker/0:2",
    "(sd-pam)",
    "a) b:(c, d",
    "runc:[1:CHILD]",
    "Killed",
    "1234",
)
HEAD = "invoked oom-killer: gfp_mask=0x201da, order=0, "
ROWS = (
    "[  900]     0   900    34000     2600 {0} sshd",
    "[ {pid}]  {uid} {pid}   500000    40000 {0} {name}",
    "[  901]    33   901    34000     2600 {0} apache2",
)
SELECTED = "{why}: Kill process {pid} ({name}) score 392 or sacrifice child"
SIZES = "total-vm:2000000kB, anon-rss:1600000kB, file-rss:100kB"
MEMCG = (
    "Task in /a/b.service killed as a result of limit of /a",
    "memory: usage 524288kB, limit 524288kB, failcnt 7",
    "Memory cgroup stats for /a: cache:0KB rss:1KB",
)
SUMMARY = (
    "oom-kill:constraint=CONSTRAINT_{constraint},nodemask=(null),cpuset=/,mems_allowed=0,{limit},"
    "task_memcg=/a/b.service,task={name},pid={pid},uid={uid}"
)
KILLED = (
    "{why}: Killed process {pid} ({name}) " + SIZES + ", shmem-rss:0kB, UID:{uid} pgtables:3900kB oom_score_adj:100"
)


def table(head, numbers):
    return (f"[ pid ]   uid  tgid total_vm      rss {head} name", *(row.replace("{0}", numbers) for row in ROWS))


# The messages of a kill, by the kernel that writes them.
ERAS = {
    "2.6.18": ("{invoker} " + HEAD + "oomkilladj=0", "Out of memory: kill process {pid} ({name}) score 392 or a child",
               "Killed process {pid} ({name})"),
    "2.6.32-el6": ("{invoker} " + HEAD + "oom_adj=0, oom_score_adj=0", "{invoker} cpuset=/ mems_allowed=0",
                   "Pid: 77, comm: {invoker} Not tainted 2.6.32-754.el6.x86_64 #1", "Call Trace:", "Mem-Info:",
                   *table("cpu oom_adj oom_score_adj", "0   0   100"), SELECTED,
                   "Killed process {pid}, UID {uid}, ({name}) " + SIZES),
    "3.10-el7": ("{invoker} " + HEAD + "oom_score_adj=0", "{invoker} cpuset=/ mems_allowed=0",
                 "CPU: 3 PID: 77 Comm: {invoker} Not tainted 3.10.0-1160.el7.x86_64 #1", "Call Trace:",
                 " [<ffffffff81170f01>] out_of_memory+0x4b1/0x4f0", "Mem-Info:",
                 *table("nr_ptes swapents oom_score_adj", "20   0   100"), SELECTED,
                 "Killed process {pid} ({name}), UID {uid}, " + SIZES + ", shmem-rss:0kB"),
    "4.4-memcg": ("{invoker} " + HEAD + "oom_score_adj=0", "{invoker} cpuset=/ mems_allowed=0", *MEMCG,
                  *table("nr_ptes nr_pmds swapents oom_score_adj", "20 3  0   100"), SELECTED,
                  "Killed process {pid} ({name}) " + SIZES),
    "4.19": ("{invoker} " + HEAD + "oom_score_adj=0", "{invoker} cpuset=/ mems_allowed=0", "Mem-Info:",
             "Tasks state (memory values in pages):",
             *table("pgtables_bytes swapents oom_score_adj", "20480   0   100"), SELECTED,
             "Killed process {pid} ({name}) " + SIZES + ", shmem-rss:0kB"),
    "5.4": ("{invoker} " + HEAD + "oom_score_adj=0",
            "CPU: 3 PID: 77 Comm: {invoker} Not tainted 5.4.0-42-generic #46-Ubuntu", "Mem-Info:",
            "Tasks state (memory values in pages):",
            *table("pgtables_bytes swapents oom_score_adj", "20480   0   100"), SUMMARY, KILLED,
            "oom_reaper: reaped process {pid} ({name}), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB"),
    "6.8-memcg": ("{invoker} " + HEAD + "oom_score_adj=0",
                  "CPU: 3 UID: 0 PID: 77 Comm: {invoker} Not tainted 6.12.5 #1",
                  MEMCG[1], "Memory cgroup stats for /a:",
                  *table("rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj", "100 100 0 20480 0 100"),
                  SUMMARY, KILLED),
}  # fmt: skip


def kill(era, name, pid=4242):
    """Return the messages of a kill, and what must be found in them."""
    memcg = era.endswith("memcg")
    values = {
        "name": name,
        "invoker": "sidekiq 6.5",
        "pid": pid,
        "uid": 1001,
        "why": "Memory cgroup out of memory" if memcg else "Out of memory",
        "constraint": "MEMCG" if memcg else "NONE",
        "limit": "oom_memcg=/a" if memcg else "global_oom",
    }
    texts = [re.sub(r"\{(\w+)\}", lambda match: str(values[match.group(1)]), text) for text in ERAS[era]]
    expected = {"pid": pid, "name": name, "constraint": "memcg" if memcg else "system", "invoker": "sidekiq 6.5"}
    if era != "2.6.18":
        expected.update(total_vm_bytes=2000000 * 1024, uid=1001, oom_score_adj=100)
    if "Kill process" in "".join(texts):
        expected["score"] = 392
    return [(UPTIME + number / 1000, text) for number, text in enumerate(texts)], expected


def local(uptime, form):
    return time.strftime(form, time.gmtime(BOOT + uptime))


def syslog(host, uptime, text):
    return f"{local(uptime, '%b %e %H:%M:%S')} {host} kernel: [{uptime:12.6f}] {text}"


def journal_fields(uptime, text):
    return {
        "_TRANSPORT": "kernel",
        "PRIORITY": "3",
        "SYSLOG_FACILITY": "0",
        "SYSLOG_IDENTIFIER": "kernel",
        "MESSAGE": text,
        "__REALTIME_TIMESTAMP": str(int((BOOT + uptime) * 1e6)),
        "_SOURCE_MONOTONIC_TIMESTAMP": str(round(uptime * 1e6)),
    }


def pretty(uptime, text):
    fields = journal_fields(uptime, text)
    return "{\n" + ",\n".join(f"\t{json.dumps(key)} : {json.dumps(value)}" for key, value in fields.items()) + "\n}"


def verbose(uptime, text):
    stamp = local(uptime, "%a %Y-%m-%d %H:%M:%S") + f".{int(uptime % 1 * 1e6):06d} UTC"
    cursor = f"s=4f2e;i=2a;b=9c1d;m={int(uptime * 1e6):x};t={int((BOOT + uptime) * 1e6):x};x=77"
    fields = "".join(f"    {key}={value}\n" for key, value in journal_fields(uptime, text).items() if key[:2] != "__")
    return f"{stamp} [{cursor}]\n{fields}".rstrip("\n")


def export(uptime, text):
    return "".join(f"{key}={value}\n" for key, value in journal_fields(uptime, text).items())


def export_binary(uptime, text):
    length = struct.pack("<Q", len(text.encode())).decode("utf-8", "backslashreplace")
    fields = journal_fields(uptime, "@").items()
    return "".join(f"{key}\n{length}{text}\n" if value == "@" else f"{key}={value}\n" for key, value in fields)


# Formats that have a host's name.
WITH_HOST = {
    "syslog": syslog,
    "syslog-without-uptime": lambda host, uptime, text: f"{local(uptime, '%b %e %H:%M:%S')} {host} kernel: {text}",
    "syslog-without-tag": lambda host, uptime, text: f"{local(uptime, '%b %e %H:%M:%S')} {host} {text}",
    "syslog-rfc3339": lambda host, uptime, text: (
        f"{local(uptime, '%Y-%m-%dT%H:%M:%S')}.{int(uptime % 1 * 1e6):06d}+00:00 {host} kernel: [{uptime:12.6f}] {text}"
    ),
    "syslog-rfc5424": lambda host, uptime, text: (
        f"<3>1 {local(uptime, '%Y-%m-%dT%H:%M:%SZ')} {host} kernel - - - {text}"
    ),
    "short-precise": lambda host, uptime, text: f"{local(uptime, '%b %d %H:%M:%S')}.500100 {host} kernel: {text}",
    "short-iso": lambda host, uptime, text: f"{local(uptime, '%Y-%m-%dT%H:%M:%S')}+0000 {host} kernel: {text}",
    "short-full": lambda host, uptime, text: f"{local(uptime, '%a %Y-%m-%d %H:%M:%S UTC')} {host} kernel: {text}",
    "short-monotonic": lambda host, uptime, text: f"[{uptime:12.6f}] {host} kernel: {text}",
    "short-unix": lambda host, uptime, text: f"{BOOT + uptime:.6f} {host} kernel: {text}",
}
# Formats without one.
WITHOUT_HOST = {
    "dmesg": lambda uptime, text: f"[{uptime:12.6f}] {text}",
    "dmesg-T": lambda uptime, text: f"[{local(uptime, '%a %b %e %H:%M:%S %Y')}] {text}",
    "dmesg-r": lambda uptime, text: f"<3>[{uptime:12.6f}] {text}",
    "dmesg-x": lambda uptime, text: f"kern  :err   : [{uptime:12.6f}] {text}",
    "dmesg-iso": lambda uptime, text: f"{local(uptime, '%Y-%m-%dT%H:%M:%S')},{int(uptime % 1 * 1e6):06d}+00:00 {text}",
    "dmesg-iso-el7": lambda uptime, text: (
        f"{local(uptime, '%Y-%m-%dT%H:%M:%S')},{int(uptime % 1 * 1e6):06d}+0000 {text}"
    ),
    "kmsg": lambda uptime, text: f"3,77,{round(uptime * 1e6)},-;{text}",
    "cat": lambda uptime, text: text,
    "kernel-tag": lambda uptime, text: f"kernel: {text}",
    "json": lambda uptime, text: json.dumps(journal_fields(uptime, text)),
    "json-sse": lambda uptime, text: f"data: {json.dumps(journal_fields(uptime, text))}\n",
    "json-seq": lambda uptime, text: f"\x1e{json.dumps(journal_fields(uptime, text))}",
    "json-pretty": pretty,
    "verbose": verbose,
    "export": export,
    "export-binary": export_binary,
}
HOSTS = (
    "web1", "2001:db8:0:215::133", "1999::1", "fe80::1%eth0", "192.0.2.17", "2019-web1", "2024.example.com", "1984",
    "WEB",
    "kernel", "Out", "ip-10-0-0-1", "PM-1", "Z-1", "UTC-web", "oom", "jan", "_gateway", "a" * 200,
)  # fmt: skip


def parse(text, **options):
    return oom_facts.parse({"log": text}, logs=["log"], now=NOW, **options)


def check(text, expected, count=1, **more):
    facts = parse(text)
    assert [event["pid"] for event in facts["events"]] == [expected["pid"]] * count, text
    expected = {**expected, **more}
    for event in facts["events"]:
        assert {key: event[key] for key in expected} == expected, text


def lines(kill_lines, form):
    return "\n".join(form(uptime, text) for uptime, text in kill_lines) + "\n"


ALL = {
    **WITHOUT_HOST,
    **{name: (lambda uptime, text, form=form: form("web1", uptime, text)) for name, form in WITH_HOST.items()},
}


@pytest.mark.parametrize("form", sorted(ALL))
@pytest.mark.parametrize("era", sorted(ERAS))
def test_every_format(era, form):
    messages, expected = kill(era, "ruby")
    if form.startswith("syslog-without-tag"):
        messages = [message for message in messages if "oom_reaper" not in message[1]]
    check(lines(messages, ALL[form]), expected)


@pytest.mark.parametrize("form", ["dmesg-T", "json-pretty", "verbose", "export", "short-full", "syslog", "dmesg-iso"])
def test_the_time_is_that_of_the_kill(form):
    messages, _expected = kill("5.4", "ruby")
    (event,) = parse(lines(messages, ALL[form]))["events"]
    assert event["time"] == "2026-11-18T12:30:00Z"


@given(st.sampled_from(sorted(ERAS)), st.sampled_from(sorted(WITH_HOST)), st.sampled_from(HOSTS))
@settings(max_examples=200)
def test_every_host(era, form, host):
    messages, expected = kill(era, "ruby")
    text = lines(messages, lambda uptime, text: WITH_HOST[form](host, uptime, text))
    check(text, expected)
    for event in parse(text)["events"]:
        assert event["time"] in (None, "2026-11-18T12:30:00Z")


@given(st.sampled_from(sorted(ERAS)), st.sampled_from(sorted(ALL)), st.sampled_from(NAMES))
@settings(max_examples=300)
def test_every_name(era, form, name):
    messages, expected = kill(era, name)
    check(lines(messages, ALL[form]), expected)


def wrapped(text, width):
    """Return a text as a mail program sends it."""
    return "\n".join(
        part
        for line in text.split("\n")
        for part in (textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) or [""])
    )


def cut(text, width):
    """Return a text as a terminal shows it that breaks lines anywhere."""
    return "\n".join(
        line[start : start + width] for line in text.split("\n") for start in range(0, len(line) or 1, width)
    )


PREFIXED = sorted(
    set(ALL) - {"cat", "json", "json-sse", "json-seq", "json-pretty", "verbose", "export", "export-binary"}
)


@given(st.sampled_from(sorted(ERAS)), st.sampled_from(PREFIXED), st.integers(60, 120), st.sampled_from(NAMES[:3]))
@settings(max_examples=200)
def test_lines_that_a_mail_program_broke(era, form, width, name):
    messages, expected = kill(era, name)
    check(wrapped(lines(messages, ALL[form]), width), expected)


@given(st.sampled_from(sorted(ERAS)), st.sampled_from(PREFIXED), st.integers(80, 200))
@settings(max_examples=200)
def test_lines_that_a_terminal_broke(era, form, width):
    messages, expected = kill(era, "ruby")
    text = lines(messages, ALL[form])
    # A single line of that length does not show that it was broken.
    assume(sum(len(line) > width for line in text.split("\n")) > 1)
    check(cut(text, width), expected)


@given(st.sampled_from(sorted(ERAS)), st.sampled_from(sorted(ALL)))
@settings(max_examples=100)
def test_newest_first(era, form):
    messages, expected = kill(era, "ruby")
    check(lines(messages[::-1], ALL[form]), expected)


@pytest.mark.parametrize("era", sorted(ERAS))
@pytest.mark.parametrize("form", sorted(ALL))
@pytest.mark.parametrize("count", [1, 3])
def test_only_the_kills(era, form, count):
    """A log that was searched for "Killed process"."""
    messages = [message for message in kill(era, "ruby")[0] if "Killed process" in message[1]]
    text = "".join(lines([(when + 10 * number, text) for when, text in messages], ALL[form]) for number in range(count))
    events = parse(text)["events"]
    constraint = (
        "unknown" if "Kill process" in "".join(ERAS[era]) or era == "2.6.18" else kill(era, "")[1]["constraint"]
    )
    assert {(event["pid"], event["name"], event["constraint"]) for event in events} == {(4242, "ruby", constraint)}
    timed = form not in ("cat", "kernel-tag")
    assert len(events) == (count if timed else 1)


@pytest.mark.parametrize("era", [era for era in sorted(ERAS) if era != "2.6.18"])
@pytest.mark.parametrize("form", ["dmesg", "dmesg-T", "syslog", "kmsg", "json-pretty", "cat"])
def test_a_log_that_begins_inside_the_table(era, form):
    messages, expected = kill(era, "ruby")
    head = next(number for number, (_when, text) in enumerate(messages) if text.startswith("[ pid ]"))
    expected["invoker"] = None
    check(lines(messages[head + 1 :], ALL[form]), expected)


@pytest.mark.parametrize("form", sorted(ALL))
def test_kills_of_one_second(form):
    """The log begins with a kill and ends with the header of the next one."""
    stamp = 5000.5
    header = "{} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"
    killed = "Memory cgroup out of memory: Killed process {} ({}) total-vm:{}kB, anon-rss:10kB, file-rss:1kB"
    texts = [killed.format(401, "a", 1), header.format("beta"), killed.format(402, "b", 2), header.format("gamma")]
    facts = parse(lines([(stamp, text) for text in texts], ALL[form]))
    assert sorted((event["pid"], event["invoker"]) for event in facts["events"]) == [(401, None), (402, "beta")]
    assert facts["invocations_without_kill"] == 1


@pytest.mark.parametrize("form", ["json", "json-pretty", "verbose", "export", "export-binary"])
@pytest.mark.parametrize("transport", ["stdout", "syslog", "journal"])
def test_a_kill_that_a_program_quotes(form, transport):
    messages, _expected = kill("5.4", "ruby")
    text = lines(messages, ALL[form]).replace("_TRANSPORT=kernel", f"_TRANSPORT={transport}")
    text = text.replace('"_TRANSPORT" : "kernel"', f'"_TRANSPORT" : "{transport}"')
    text = text.replace('"_TRANSPORT": "kernel"', f'"_TRANSPORT": "{transport}"')
    assert parse(text)["events"] == []


def test_a_program_cannot_forge_fields_in_a_value_of_several_lines():
    forged = "x\n_TRANSPORT=kernel\nMESSAGE=" + KILLED.format(why="Out of memory", pid=7, name="init", uid=0)
    text = export_binary(UPTIME, forged).replace("_TRANSPORT=kernel\n", "_TRANSPORT=stdout\n", 1)
    assert parse(text)["events"] == []
    text = verbose(UPTIME, "@").replace("_TRANSPORT=kernel\n", "_TRANSPORT=stdout\n", 1)
    indent = "\n" + " " * len("    MESSAGE=")
    assert parse(text.replace("@", forged.replace("\n", indent)))["events"] == []
