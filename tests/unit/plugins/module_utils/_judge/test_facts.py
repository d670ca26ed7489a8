# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at a host becomes facts, the watchdog's notes and a table of processes."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import facts, thresholds, verdict
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.unread import unread

NAMES = ("lifeline_memory", "lifeline_disks", "lifeline_fds", "lifeline_oom", "lifeline_pressure", "lifeline_kernel")
KILL = "<6>[{}.000001] Out of memory: Killed process 77 (ruby) total-vm:1kB, anon-rss:1kB, file-rss:0kB\n"


def test_what_listens_is_parsed_only_if_something_says_what_may(box):
    sources = box("listeners-debian-13")
    assert tuple(facts.parse(sources, 60)) == NAMES
    found = facts.parse(sources, 60, expected=["ssh.service"])
    assert tuple(found) == (*NAMES, "lifeline_listeners")
    assert found["lifeline_listeners"]["unexpected"]


@pytest.mark.parametrize(("window", "kills"), [(86400, 2), (400, 1), (10, 0)])
def test_kills_before_the_window_are_left_out(window, kills):
    sources = {
        "/proc/stat": "btime 1750000000\n",
        "/proc/uptime": "10000.00 5.00\n",
        "/proc/vmstat": "oom_kill 2\n",
        "kmsg": KILL.format(1000) + KILL.format(9700).replace("77", "78"),
    }
    assert facts.parse(sources, window)["lifeline_oom"]["kills_in_log"] == kills


def test_without_a_clock_no_kill_is_left_out():
    sources = {"/proc/vmstat": "oom_kill 1\n", "kmsg": KILL.format(1000)}
    assert facts.parse(sources, 10)["lifeline_oom"]["kills_in_log"] == 1


def test_the_boot_the_processes_and_the_notes(box):
    sources = box("debian-12")
    assert facts.boot_time(sources) > 1_700_000_000
    assert facts.process_table(sources)[1]["ppid"] == 0
    sources["/run/lifeline/watchdog/sidekiq"] = "restarts 4\npaused 1\n"
    assert facts.watchdog(sources)["noted"] == {"sidekiq": {"restarts": 4, "given_up": False, "paused": True}}


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_text_in_place_of_a_source_makes_it_raise(box, data):
    sources = box("debian-13")
    for path in data.draw(st.lists(st.sampled_from(sorted(sources)), max_size=5)):
        sources[path] = data.draw(st.text())
    facts.parse(sources, 60, expected=())
    facts.process_table(sources)
    facts.watchdog(sources)


@pytest.mark.parametrize(
    ("module", "function", "name", "says"),
    [
        (facts.memory, "parse", "lifeline_memory", ["memory"]),
        (facts.disk_facts, "parse", "lifeline_disks", ["file systems"]),
        (facts.fds, "parse", "lifeline_fds", ["descriptors"]),
        (facts.oom_facts, "parse", "lifeline_oom", ["OOM kills"]),
        (facts.pressure, "parse", "lifeline_pressure", ["load"]),
        (facts.kernel_tables, "parse", "lifeline_kernel", ["kernel tables"]),
        (facts.processes, "parse_table", "lifeline_fds", ["processes", "descriptors"]),
    ],
)
def test_a_parser_that_raises_costs_its_part_only(box, monkeypatch, module, function, name, says):
    sources = box("debian-13")
    sources["/proc/vmstat"] = "oom_kill 0\n"
    sources["kmsg"] = ""
    whole, parse = facts.parse(sources, 60), getattr(module, function)

    def fragile(sources, **options):
        if sources:
            raise ValueError("an unexpected text")
        return parse(sources, **options)

    monkeypatch.setattr(module, function, fragile)
    found, table = facts.parse(sources, 60), facts.process_table(sources)
    assert [one for one in whole if found[one] != whole[one]] == [name]
    kills = 0 if name != "lifeline_oom" else None
    assert unread(found, table, kills) == says


@pytest.mark.parametrize("error", [TimeoutError, KeyboardInterrupt, ConnectionError])
def test_a_deadline_ends_the_whole_look(box, monkeypatch, error):
    def late(sources):
        raise error

    monkeypatch.setattr(facts.memory, "parse", late)
    with pytest.raises(error):
        facts.parse(box("debian-13"), 60)


def test_a_cache_of_400_digits_and_a_pidfile_with_a_separator_are_no_reason_to_raise(box):
    sources = box("listeners-debian-13")
    varnish = next(path for path, text in sources.items() if path.endswith("/cmdline") and "varnishd" in text)
    sources[varnish] = "varnishd\0-s\0malloc," + "9" * 400 + "\0"
    sources["/run/sidekiq/sidekiq.pid"] = "1\x1c"
    found = facts.parse(sources, 60, expected=())
    assert found["lifeline_listeners"]["unexpected"]
    facts.watchdog(sources)


def test_nothing_that_a_host_says_reaches_a_fact_raw(box):
    """All texts of facts and findings can be printed, for any content of the sources."""
    hostile = "\x1b[2J\x9b2J\x7f\r\u2028\u202e"
    sources = box("listeners-debian-13")
    sources["/proc/self/mountinfo"] = (
        f"1 0 8:1 / / rw,{hostile} - ext4{hostile} /dev/{hostile} rw\n"
        f"2 1 8:2 / /srv/{hostile} rw - nfs4 nas:/{hostile} rw\n"
        f"3 1 0:9 / /sys/fs/cgroup/{hostile} rw - cgroup2 cgroup2 rw\n"
    )
    sources["statfs"] = f"4096 4096 100 1 1 10 1 /\nhung /srv/{hostile}\n"
    sources["/proc/self/cgroup"] = "0::/\n"
    sources[f"/sys/fs/cgroup/{hostile}/memory.max"] = "4096\n"
    sources[f"/sys/fs/cgroup/{hostile}/memory.current"] = "4095\n"
    for path in [path for path in sources if path.endswith("/stat") and path != "/proc/stat"]:
        sources[path] = sources[path].replace("(", f"({hostile}\n", 1)
        sources[path.replace("/stat", "/cgroup")] = f"0::/user.slice/{hostile}.service\n"
        sources[path.replace("/stat", "/limits")] = "Max open files            9                    9 files\n"
    sources["fds"] = "".join(f"8 {path[: -len('/stat')]}/fd\n" for path in sources if re.match(r"/proc/\d+/stat", path))
    found, table = facts.parse(sources, 86400, expected=()), facts.process_table(sources)
    judged = verdict.judge(found, table, facts.watchdog(sources), thresholds.defaults(), [], 86400)
    checks = {finding["check"] for finding in judged["findings"]}
    assert {"memory_available_percent", "disks_hung", "process_fds_used_percent", "services_unexpected"} <= checks
    texts = [text for part in (found, table, judged) for text in _texts(part)]
    assert [text for text in texts if "\\x1b" in text]
    assert [text for text in texts if escape(text) != text] == []


def _texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _texts(key)
            yield from _texts(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)


@pytest.mark.parametrize(("read_at", "skew"), [(1000, 0), (1004, 0), (999, 0), (1100, 96), (900, -99), (None, None)])
def test_a_clock_is_wrong_if_it_cannot_be_right(read_at, skew):
    sources = {} if read_at is None else {"/proc/stat": f"btime {read_at - 500}\n", "/proc/uptime": "500.00 1.00\n"}
    assert facts.clock_skew(sources, 1000, 1003) == skew


def test_the_clock_of_a_container_under_lxcfs_is_not_known():
    sources = {"/proc/stat": "btime 500\n", "/proc/uptime": "5.00 1.00\n", "/run/systemd/container": "lxc\n"}
    assert facts.clock_skew(sources, 1000, 1003) is None
