# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on recorded boxes, healthy as they were and with one thing changed for the worse."""

from __future__ import annotations

import re

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import facts as probe_facts, thresholds, verdict
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import workers

DAY = 86400
KB = 1024


def judge(sources, layer=None, declared=None, memory=None, window=DAY, expected=None):
    facts = probe_facts.parse(sources, window, expected)
    return verdict.judge(
        facts,
        probe_facts.process_table(sources),
        probe_facts.watchdog(sources),
        thresholds.merge([("test", layer)]),
        workers(declared, memory),
        window,
    )


def changed(sources, path, pattern, replacement):
    """Return the sources with one text changed, and assert that the pattern is in it."""
    text, count = re.subn(pattern, replacement, sources[path], flags=re.MULTILINE)
    assert count
    return dict(sources, **{path: text})


def found(judged):
    return {finding["check"]: finding for finding in judged["findings"]}


@pytest.fixture
def healthy(box):
    """Debian 13 with 12 GB of memory of its own, whose sshd spares itself from the OOM killer."""
    sources = {path: text for path, text in box("debian-13").items() if not path.startswith(("/sys/", "/run/"))}
    sources["/proc/meminfo"] = (
        "MemTotal: 15666140 kB\nMemFree: 12000000 kB\nMemAvailable: 12532912 kB\nSUnreclaim: 40000 kB\n"
        "SwapTotal: 0 kB\nSwapFree: 0 kB\n"
    )
    sources["/proc/vmstat"] = "oom_kill 0\n"
    sources["/proc/2/stat"] = "2 (kthreadd) S" + " 0" * 49 + "\n"
    sources["/proc/loadavg"] = "0.10 0.20 0.10 1/140 900\n"
    for path, text in sources.items():
        if path.endswith("/stat") and "(sshd)" in text:
            sources[path.replace("/stat", "/oom_score_adj")] = "-1000\n"
    return sources


def with_process(sources, pid, command_line, rss_kb, ppid=1, name="ruby"):
    fields = ["S", str(ppid)] + ["0"] * 15 + ["5", "0", "100", str(rss_kb * 2048), str(rss_kb // 4)] + ["0"] * 28
    return dict(
        sources,
        **{
            f"/proc/{pid}/stat": f"{pid} ({name}) {' '.join(fields)}",
            f"/proc/{pid}/cmdline": command_line,
            f"/proc/{pid}/oom_score_adj": "0\n",
        },
    )


def test_a_healthy_box_is_ok_and_says_how_much_is_left(healthy):
    judged = judge(healthy)
    assert judged["findings"] == []
    assert judged["verdict"] == "ok"
    assert (
        verdict.summary({**judged, "unread": []}, probe_facts.parse(healthy, DAY)) == "ok: 12G of 15G memory available"
    )


@pytest.mark.parametrize(
    ("available_kb", "severity"),
    [(3920000, None), (3913000, "warning"), (1570000, "warning"), (1565000, "critical"), (0, "critical")],
)
def test_memory_running_out(healthy, available_kb, severity):
    judged = judge(changed(healthy, "/proc/meminfo", r"^MemAvailable: \d+", f"MemAvailable: {available_kb}"))
    assert found(judged).get("memory_available_percent", {"severity": None})["severity"] == severity
    assert judged["verdict"] == (severity or "ok")


def test_a_finding_is_complete_and_names_the_process_that_holds_the_memory(healthy):
    hungry = with_process(
        changed(healthy, "/proc/meminfo", r"^MemAvailable: \d+", "MemAvailable: 313323"), 25910, "ruby crawl", 15310180
    )
    (finding,) = judge(hungry)["findings"]
    assert finding == {
        "check": "memory_available_percent",
        "severity": "critical",
        "subject": None,
        "value": 2.0,
        "threshold": 10,
        "unit": "%",
        "message": "only 306M of 15G memory available, ruby (pid 25910) holds 15G",
    }


def test_a_control_groups_limit_is_the_ceiling_that_counts(box):
    sources = box("debian-13")
    limits = [path for path in sources if path.endswith("memory.limit_in_bytes")]
    assert limits
    usages = {path.replace("limit", "usage"): "419430000\n" for path in limits}
    finding = found(judge(dict(sources, **usages)))["memory_available_percent"]
    assert finding["severity"] == "critical"
    assert "of 400M memory available (control group limit)" in finding["message"]


def test_swap_pressure_and_slab(healthy):
    worse = changed(healthy, "/proc/meminfo", r"^SwapTotal: 0 kB\nSwapFree: 0", "SwapTotal: 1000 kB\nSwapFree: 190")
    worse = changed(worse, "/proc/meminfo", r"^SUnreclaim: \d+", "SUnreclaim: 12532912")
    worse["/proc/pressure/memory"] = (
        "some avg10=0.00 avg60=9.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=5.00 avg300=0.00 total=1\n"
    )
    findings = found(judge(worse))
    assert findings["swap_used_percent"]["severity"] == "critical"
    assert findings["slab_unreclaimable_percent"]["value"] == 80.0
    assert findings["memory_pressure_percent"]["severity"] == "warning"


@pytest.mark.parametrize(("used", "severity"), [(89, None), (90, "warning"), (95, "critical"), (100, "critical")])
def test_a_disk_that_fills(healthy, used, severity):
    healthy["/proc/self/mountinfo"] = "1 0 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
    healthy["statfs"] = f"4096 4096 100000 {100000 - used * 1000} {100000 - used * 1000} 1000 900 /\n"
    findings = found(judge(healthy))
    assert findings.get("disk_used_percent", {"severity": None})["severity"] == severity
    if severity:
        assert findings["disk_used_percent"]["subject"] == "/"


def test_inodes_run_out_while_there_is_space(healthy):
    healthy["/proc/self/mountinfo"] = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /var rw - ext4 /dev/sda2 rw\n"
    healthy["statfs"] = "4096 4096 1000 900 900 1000 900 /\n4096 4096 1000 900 900 1000 1 /var\n"
    (finding,) = judge(healthy)["findings"]
    assert (finding["check"], finding["severity"], finding["subject"]) == ("inodes_used_percent", "critical", "/var")


def test_a_read_only_root_is_critical_and_a_full_image_is_nothing(healthy):
    healthy["/proc/self/mountinfo"] = (
        "1 0 8:1 / / rw - ext4 /dev/sda1 ro\n2 1 7:0 / /snap/core/1 ro - squashfs /dev/loop0 ro\n"
    )
    healthy["statfs"] = "4096 4096 1000 900 900 1000 900 /\n4096 4096 1000 0 0 1000 0 /snap/core/1\n"
    (finding,) = judge(healthy)["findings"]
    assert (finding["check"], finding["severity"]) == ("root_read_only", "critical")


def test_a_mount_that_hangs(healthy):
    healthy["/proc/self/mountinfo"] = (
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:50 / /mnt/nfs rw - nfs4 server:/export rw\n"
    )
    healthy["statfs"] = "4096 4096 1000 900 900 1000 900 /\nhung /mnt/nfs\n"
    (finding,) = judge(healthy)["findings"]
    assert (finding["check"], finding["severity"], finding["message"]) == (
        "disks_hung",
        "warning",
        "/mnt/nfs doesn't answer (nfs4)",
    )


def test_a_killed_worker_is_missing_on_an_idle_box(healthy):
    judged = judge(healthy, memory="13 GB")
    (finding,) = judged["findings"]
    assert (finding["check"], finding["severity"], finding["subject"]) == ("workers_missing", "critical", "sidekiq")
    assert finding["message"] == "worker sidekiq is not running (20 % of the memory is in use)"


def test_a_box_without_an_allowance_is_not_there_for_a_worker(healthy):
    judged = judge(healthy)
    assert judged["verdict"] == "ok"
    assert judged["workers"][0]["required"] is False


@pytest.mark.parametrize(("rss_kb", "severity"), [(8730588, None), (10905191, "warning"), (13631488, "critical")])
def test_a_worker_near_its_allowance(healthy, rss_kb, severity):
    judged = judge(with_process(healthy, 25910, "sidekiq 7.3.2 crawler [5 of 25 busy]", rss_kb), memory="13 GB")
    assert found(judged).get("worker_memory_percent", {"severity": None})["severity"] == severity
    assert judged["workers"][0]["pids"] == [25910]
    assert judged["workers"][0]["max_memory_bytes"] == 13 << 30


def test_a_workers_children_count_with_it(healthy):
    forked = with_process(healthy, 25910, "sidekiq 7.3.2 crawler [5 of 25 busy]", 7000000)
    forked = with_process(forked, 25911, "phantomjs", 4000000, ppid=25910)
    forked = with_process(forked, 25912, "somebody else's", 4000000)
    (reading,) = judge(forked, memory="13 GB")["workers"]
    assert (reading["processes"], reading["rss_bytes"]) == (2, 11000000 * KB)


def test_an_allowance_that_the_box_does_not_have(healthy):
    judged = judge(with_process(healthy, 25910, "sidekiq 7.3.2 crawler [5 of 25 busy]", 1000), memory="50 GB")
    (finding,) = judged["findings"]
    assert (finding["check"], finding["severity"]) == ("worker_allowance_percent", "warning")
    assert finding["message"] == "sidekiq may use 50G, and the box has 15G: that limit never takes effect"


def test_sshd_open_to_the_oom_killer(healthy):
    exposed = with_process(healthy, 700, "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", 9000, name="sshd")
    (finding,) = judge(exposed)["findings"]
    assert (finding["check"], finding["severity"]) == ("sshd_killable", "warning")
    session = with_process(healthy, 701, "sshd: root@notty", 9000, ppid=700, name="sshd")
    assert judge(session)["findings"] == []


def test_an_unexpected_listener_is_a_finding(box):
    sources = box("listeners-debian-13")
    judged = judge(sources, expected=["ssh.service", "redis*", "exim4", "apache2.service"])
    named = {finding["subject"]: finding for finding in judged["findings"] if finding["check"] == "services_unexpected"}
    assert set(named) == {"varnish.service", "memcached.service"}
    assert {finding["severity"] for finding in named.values()} == {"warning"}
    assert "varnishd (varnish.service" in named["varnish.service"]["message"]
    assert "has a cache of up to 256M, and is not expected here" in named["varnish.service"]["message"]


@pytest.mark.parametrize("sockets", ["", "%d 1\n"])
def test_whose_process_is_not_there_or_may_not_be_seen_is_not_judged(box, sockets):
    sources = box("listeners-debian-13")
    inodes = [line.split()[0] for line in sources["sockets"].splitlines()]
    sources = dict(sources, sockets="".join(sockets % int(inode) if sockets else "" for inode in inodes))
    assert "services_unexpected" not in found(judge(sources, expected=[]))


def test_a_process_that_lowered_its_limit_below_its_open_descriptors_is_not_near_it(healthy):
    """The sshd process that serves a client before its login lowers its limit like this."""
    limits = "Max open files            %d                 %d               files     \n"
    wanting = with_process(healthy, 426, "sshd: root [net]", 5000, name="sshd")
    wanting["fds"] = wanting.get("fds", "") + "7 /proc/426/fd\n"
    wanting["/proc/426/limits"] = limits % (1, 1)
    assert "process_fds_used_percent" not in found(judge(wanting))
    wanting["/proc/426/limits"] = limits % (7, 7)
    assert found(judge(wanting))["process_fds_used_percent"]["severity"] == "critical"


@pytest.mark.parametrize(("check", "severity"), [("fork_fails", "critical"), ("probe_incomplete", "warning")])
def test_a_look_that_failed_is_judged_without_any_source(check, severity):
    judged = verdict.judge(
        probe_facts.parse({}, DAY),
        {},
        probe_facts.watchdog({}),
        thresholds.merge([]),
        workers(None, None),
        DAY,
        failed=check,
    )
    assert judged["verdict"] == severity
    assert [finding["check"] for finding in judged["findings"]] == [check]
    assert verdict.summary(judged, probe_facts.parse({}, DAY)).startswith(severity)


def test_without_expected_listeners_none_is_unexpected(box):
    assert "services_unexpected" not in found(judge(box("listeners-debian-13")))


KILL = (
    "<3>[ %s.948805] Out of memory: Killed process 25910 (ruby) total-vm:16287724kB, anon-rss:15310180kB, "
    "file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:30000kB oom_score_adj:0\n"
)


def booted_ago(sources, seconds):
    """Return sources of a host that was booted that long ago."""
    table = {
        path: re.sub(r"(?<=\) )(\S+( \S+){18}) \d+", r"\1 0", text)
        for path, text in sources.items()
        if path == "/proc/1/stat"
    }
    assert table
    return dict(sources, **{"/proc/uptime": f"{seconds}.00 1.0\n"}, **table)


def test_oom_kills_in_the_window_only(healthy):
    killed = booted_ago(healthy, 200000)
    killed["/proc/vmstat"] = "oom_kill 2\n"
    killed["dmesg"] = KILL % 100 + KILL.replace("25910", "25911") % 190000
    (finding,) = judge(killed)["findings"]
    assert (finding["check"], finding["severity"], finding["value"]) == ("oom_kills", "warning", 1)
    assert finding["message"] == "1 OOM kill in 24 h, last of ruby (pid 25911)"
    assert judge(killed, window=300000)["oom_kills"] == 2


def test_the_kernels_counter_speaks_where_its_log_is_closed(healthy):
    healthy.pop("dmesg", None)
    healthy["/proc/vmstat"] = "oom_kill 6\n"
    assert found(judge(booted_ago(healthy, 5000)))["oom_kills"]["severity"] == "critical"
    judged = judge(booted_ago(healthy, 500000))
    assert judged["oom_kills"] is None
    assert judged["verdict"] == "ok"


def test_a_log_that_has_forgotten_kills_does_not_hide_them(healthy):
    killed = booted_ago(healthy, 5000)
    killed["/proc/vmstat"] = "oom_kill 3\n"
    killed["dmesg"] = KILL % 100
    assert judge(killed)["oom_kills"] == 3


def test_a_victim_that_the_kernel_counts_twice_is_one_kill(healthy):
    """The log is from kernel 6.1, about a worker with OOMPolicy=kill."""
    killed = booted_ago(healthy, 5000)
    killed["/proc/vmstat"] = "oom_kill 2\n"
    kill = (
        "<3>[   47.124698] Memory cgroup out of memory: Killed process 292 (sidekiq) total-vm:461304kB, "
        "anon-rss:304716kB, file-rss:5240kB, shmem-rss:0kB, UID:999 pgtables:800kB oom_score_adj:500\n"
    )
    killed["dmesg"] = (
        "<6>[   47.123787] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
        "oom_memcg=/system.slice/sidekiq.service,task_memcg=/system.slice/sidekiq.service,task=sidekiq,pid=292,uid=999\n"
        + kill
        + "<6>[   47.125532] Tasks in /system.slice/sidekiq.service are going to be killed "
        "due to memory.oom.group set\n" + kill.replace("47.124698", "47.125606")
    )
    assert judge(killed)["oom_kills"] == 1
    killed["/proc/vmstat"] = "oom_kill 4\n"
    assert judge(killed)["oom_kills"] == 3, "what the log has forgotten"


def test_a_container_answers_for_its_own_kills(healthy):
    container = booted_ago(
        dict(
            {path: text for path, text in healthy.items() if path != "/proc/2/stat"},
            **{
                "/run/.containerenv": "",
                "/proc/vmstat": "oom_kill 9\n",
                "dmesg": KILL % 100 + KILL.replace("25910", "25911") % 200,
                "/proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
                "/proc/self/cgroup": "0::/\n",
                "/sys/fs/cgroup/memory.events": "low 0\noom 2\noom_kill 1\n",
            },
        ),
        5000,
    )
    assert judge(container)["oom_kills"] == 1
    container["/sys/fs/cgroup/memory.events"] = "low 0\noom 0\noom_kill 0\n"
    assert judge(container)["oom_kills"] == 0


def test_worst_first_and_a_level_switched_off_is_silent(healthy):
    worse = changed(healthy, "/proc/meminfo", r"^MemAvailable: \d+", "MemAvailable: 3000000")
    judged = judge(worse, memory="13 GB")
    assert [finding["severity"] for finding in judged["findings"]] == ["critical", "warning"]
    assert judged["verdict"] == "critical"
    quiet = judge(
        worse,
        memory="13 GB",
        layer={"workers_missing": {"critical": None}, "memory_available_percent": {"warning": None}},
    )
    assert quiet["verdict"] == "ok"


@pytest.mark.parametrize("name", ["debian-11", "debian-12", "debian-13", "debian-14", "seed-crawler"])
def test_recorded_boxes_are_judged_without_complaint(box, name):
    judged = judge(box(name))
    assert judged["verdict"] in verdict.SEVERITIES
    assert all(finding["message"] for finding in judged["findings"])


def test_a_box_that_tells_nothing_has_no_findings():
    assert judge({})["findings"] == []


def test_any_number_of_unexpected_services_fills_no_report():
    listener = "   {0}: 00000000:{0:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 {0} 1\n"
    sources = {"/proc/net/tcp": "".join(listener.format(number) for number in range(2, 60))}
    sources["sockets"] = "".join(f"{number} {number}\n" for number in range(2, 60))
    for number in range(2, 60):
        sources[f"/proc/{number}/stat"] = f"{number} (many) S 1 1 1 0 -1 4194560 1 1 0 0 1 1 0 0 20 0 1 0 1 1 1 1\n"
    named = [one for one in judge(sources, expected=[])["findings"] if one["check"] == "services_unexpected"]
    assert len(named) == 21
    assert named[-1]["message"] == "38 more services listen and are not expected here"
    assert (named[-1]["subject"], named[-1]["value"]) == (None, 38)
