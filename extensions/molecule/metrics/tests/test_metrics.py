# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real timer and a real node_exporter: the metrics of the host, and how failures are handled."""

from __future__ import annotations

import re

from metrics import promtool

STAMP = "lifeline_collector_timestamp_seconds"


def test_the_timer_writes_repeatedly(boxes):
    """The scenario's interval is 10 seconds."""

    def look(box):
        before = box.scraped()[STAMP]
        again = f"sed -n 's/^{STAMP} //p' {box.file}"
        first = float(box.wait(again, wanted=lambda stamp: float(stamp) > before))
        second = float(box.wait(again, wanted=lambda stamp: float(stamp) > first))
        assert second > first > before
        assert "OnUnitActiveUSec=10s" in box.run("systemctl show -p TimersMonotonic lifeline-metrics.timer")
        assert box.run("stat -c '%U %a' " + box.file) == "root 644"
        assert box.run("systemctl is-enabled lifeline-metrics.timer") == "enabled"
        # Successes are not logged.
        assert "Finished" not in box.run("journalctl --no-pager --boot --unit=lifeline-metrics.service")

    boxes.each(look)


def test_promtool_accepts_the_file(boxes):
    for text in boxes.each(lambda box: box.text()):
        assert promtool.run("check", "metrics", text=text + "\n") == (True, "")


def test_node_exporter_serves_the_host_s_values(boxes):
    """df, free and node_exporter itself agree with them; available memory changes all the time."""

    def look(box):
        assert box.write()
        found = box.scraped()
        assert found["node_textfile_scrape_error"] == 0
        failed = {
            series for series, value in found.items() if series.startswith("lifeline_collector_success") and not value
        }
        # A container with cgroup v1 that may not read the kernel log cannot count kills.
        assert failed <= {'lifeline_collector_success{collector="oom"}'}
        assert (
            found["lifeline_memory_total_bytes"]
            == found["node_memory_MemTotal_bytes"]
            == int(box.run("free -b").split()[7])
        )
        memory = found["node_memory_MemTotal_bytes"]
        assert abs(found["lifeline_memory_available_bytes"] - found["node_memory_MemAvailable_bytes"]) < 0.05 * memory
        assert found["lifeline_fds_maximum"] == found["node_filefd_maximum"]
        source, kind, size, percent = box.run(
            "df --block-size=1 --output=source,fstype,size,pcent / | tail -n 1"
        ).split()
        label = '{device="%s",fstype="%s",mountpoint="/"}' % (source, kind)
        assert found["lifeline_filesystem_size_bytes" + label] == int(size)
        assert abs(100 * found["lifeline_filesystem_used_ratio" + label] - int(percent[:-1])) <= 1
        # The service sees it read-only, the host does not.
        assert found["lifeline_filesystem_read_only" + label] == 0
        assert found['lifeline_threshold_ratio{check="disk_used_percent",severity="warning"}'] == 0.7
        assert 'lifeline_threshold_ratio{check="disk_used_percent",severity="critical"}' not in found
        assert found['lifeline_worker_missing{worker="crawler"}'] == 1

    boxes.each(look)


def test_the_verdict_is_that_of_health(boxes):
    """The memory is that of the host, which is its control group's limit, and not that of the service."""

    def look(box):
        assert box.write()
        found, health = (
            box.scraped(),
            box.module(
                "health",
                variables={
                    "lifeline_thresholds": {"disk_used_percent": {"warning": 70, "critical": None}},
                    "lifeline_workers": [
                        {"name": "crawler", "pattern": r"^\S*python3 -c .* crawler$", "max_memory": "64 MB"}
                    ],
                },
            ),
        )
        memory = health["ansible_facts"]["lifeline_memory"]
        assert found["lifeline_memory_limit_bytes"] == memory["limit_bytes"] == 400 << 20
        assert abs(found["lifeline_memory_limit_available_bytes"] - memory["limit_available_bytes"]) < 60 << 20
        assert health["verdict"] == "critical"
        assert found['lifeline_verdict{verdict="critical"}'] == 1
        assert {disk["mount"] for disk in health["ansible_facts"]["lifeline_disks"]["filesystems"]} == {
            re.search(r'mountpoint="([^"]*)"', series).group(1)
            for series in found
            if series.startswith("lifeline_filesystem_hung")
        }

    boxes.each(look)


def test_a_worker_s_memory_is_what_ps_shows(boxes):
    def look(box):
        hold = 'import time; x = b"x" * (40 << 20); open("/run/crawler.holds", "w"); time.sleep(600)'
        box.run(f"rm -f /run/crawler.holds; systemd-run --quiet --unit=crawler python3 -c '{hold}' crawler")
        try:
            box.wait("ls /run/crawler.holds")
            # The kernel counts in batches, but gives ps the exact sum: they differ by some hundred kilobytes.
            rss = 1024 * int(box.run("ps -o rss= -p $(systemctl show --value -p MainPID crawler)"))
            assert rss > 40 << 20
            assert box.write()
            found = box.scraped()
            told = found['lifeline_worker_resident_memory_bytes{worker="crawler"}']
            assert abs(told - rss) < 1 << 20
            assert found['lifeline_worker_memory_limit_bytes{worker="crawler"}'] == 64 << 20
            assert abs(found['lifeline_worker_memory_used_ratio{worker="crawler"}'] - told / (64 << 20)) < 0.0001
            assert found['lifeline_worker_missing{worker="crawler"}'] == 0
        finally:
            box.run("systemctl stop crawler")

    boxes.each(look)


HUGE = """
import subprocess, time
for _number in range(20):
    subprocess.Popen(["sleep", "600", *["0" * 100000] * 40])
open("/run/huge/started", "w")
time.sleep(600)
"""


def test_huge_command_lines_of_a_user_do_not_stop_the_exporter(boxes):
    """20 processes with 4 MB of arguments each once took it above its unit's limit."""

    def look(box):
        box.run(f"cat > /run/huge.py <<'end'{HUGE}end")
        # Arguments may take a quarter of the stack's limit, which a user can raise.
        properties = "-p User=nobody -p RuntimeDirectory=huge -p LimitSTACK=infinity"
        box.run(f"systemd-run --quiet --unit=huge {properties} python3 /run/huge.py")
        try:
            box.wait("ls /run/huge/started")
            assert box.write()
            found = box.scraped()
            assert found['lifeline_collector_success{collector="processes"}'] == 1
            assert found['lifeline_process_resident_memory_bytes{process="python3"}'] > 0
        finally:
            box.run("systemctl stop huge; rm /run/huge.py")

    boxes.each(look)


def test_a_kill_while_writing_leaves_the_old_file(boxes):
    """The program is killed at the system call that renames the file, and at the one that writes it."""

    def look(box):
        box.run("systemctl stop lifeline-metrics.timer lifeline-metrics.service")
        try:
            for call in ("rename,renameat,renameat2", "write"):
                before = box.text()
                cut = f"strace -qq -f -o /dev/null -e trace={call} -e inject={call}:signal=KILL {box.program}; echo $?"
                assert box.run(cut) == "137"
                assert box.text() == before
                assert box.run(f"ls {box.folder}").split() == ["lifeline.prom", "lifeline.prom.new"]
                assert box.scraped()["node_textfile_scrape_error"] == 0
            assert box.write()
            assert box.run(f"ls {box.folder}").split() == ["lifeline.prom"]
        finally:
            box.run("systemctl start lifeline-metrics.timer")

    boxes.each(look)


def test_a_full_disk_leaves_the_old_file_and_is_logged(boxes):
    def look(box):
        box.run("systemctl stop lifeline-metrics.timer lifeline-metrics.service")
        box.run(f"mount -t tmpfs -o size=128k,mode=755 tmpfs {box.folder}")
        try:
            assert box.write()
            before = box.text()
            box.attempt(f"head -c 1m /dev/zero > {box.folder}/filler")
            assert not box.write()
            assert box.text() == before
            assert box.scraped()[STAMP] == float(re.search(rf"^{STAMP} (\S+)$", before, re.MULTILINE).group(1))
            assert box.run(f"ls {box.folder}").split() == ["filler", "lifeline.prom"]
            said = box.run("journalctl --no-pager -o cat -n 8 --unit=lifeline-metrics.service")
            assert f"lifeline-metrics: {box.file}: No space left on device" in said
            box.run(f"rm {box.folder}/filler")
            assert box.write() and box.text() != before
        finally:
            box.run(
                f"umount {box.folder}; systemctl reset-failed lifeline-metrics.service; "
                "systemctl start lifeline-metrics.timer"
            )

    boxes.each(look)


TRIAL = """
import errno, os, socket
def trial(deed, *arguments):
    try:
        return deed(*arguments) and "done"
    except OSError as error:
        return errno.errorcode[error.errno]
paths = ("/etc/x", "/usr/local/lib/lifeline/x", "/root/x", "/home/x", "/tmp/x", "/var/lib/x")
print(*[trial(open, path, "w") for path in paths], trial(socket.socket), file=open("%s/trial", "w"))
"""
UNIT = "/run/systemd/system/trial.service"


def test_the_sandbox_forbids_other_files_and_the_network(boxes):
    """The same unit runs another program that tries."""

    def look(box):
        unit = box.run("cat /etc/systemd/system/lifeline-metrics.service")
        unit = re.sub("(?m)^ExecStart=.*$", "ExecStart=/usr/bin/python3 -I /run/trial.py", unit)
        box.run(f"cat > {UNIT} <<'end'\n{unit}\nend\n")
        box.run(f"cat > /run/trial.py <<'end'{TRIAL % box.folder}end\nsystemctl daemon-reload")
        try:
            box.run("systemctl start trial.service")
            assert box.run(f"cat {box.folder}/trial").split() == ["EROFS"] * 6 + ["EAFNOSUPPORT"]
        finally:
            box.run(f"rm -f /run/trial.py {UNIT} {box.folder}/trial && systemctl daemon-reload")

    boxes.each(look)


def test_the_role_waits_for_a_run_that_the_timer_has_just_started(boxes, converge):
    box = boxes[0]
    box.run("systemctl stop lifeline-metrics.timer lifeline-metrics.service && rm " + box.file)
    box.drop_in("lifeline-metrics.service", "ExecStartPre=/bin/sleep 15")
    try:
        box.run("systemctl start --no-block lifeline-metrics.service")
        done, said = converge(box)
    finally:
        box.remove_drop_in("lifeline-metrics.service")
    assert done, said
    assert STAMP in box.scraped()


def test_a_setting_that_cannot_work_is_refused(boxes, converge):
    box = boxes[0]
    for variables, complaint in (
        ({"metrics_directory": "/srv/nowhere"}, "metrics_directory: no such directory on the box (/srv/nowhere)"),
        ({"metrics_interval_seconds": 5}, "metrics_interval_seconds: out of range (5); use 10 to 3600"),
        (
            {"lifeline_thresholds": {"disk_used_percent": {"warning": "much"}}},
            "disk_used_percent.warning: wrong value ('much')",
        ),
    ):
        before = box.run("cat /etc/lifeline/metrics.json")
        done, said = converge(box, **variables)
        assert not done and complaint in said, said
        assert box.run("cat /etc/lifeline/metrics.json") == before


def test_a_failing_program_fails_the_role_with_its_message(boxes, converge):
    box = boxes[0]
    box.run(f"mkdir -p {box.folder}/lifeline.prom.new")
    try:
        done, said = converge(box)
        assert (
            not done
            and "lifeline-metrics.service fails; its journal says: " in said
            and f"lifeline-metrics: {box.file}: Is a directory" in said
        ), said
    finally:
        box.run(f"rmdir {box.folder}/lifeline.prom.new")


def test_modules_that_the_program_no_longer_has_are_removed(boxes, converge):
    box = boxes[0]
    stray = "/usr/local/lib/lifeline/metrics/ansible_collections/lifeline/fleet/plugins/module_utils/_of_old.py"
    box.run("touch " + stray)
    done, said = converge(box)
    assert done, said
    assert box.attempt("ls " + stray).returncode != 0


def test_disabled_the_role_removes_everything(boxes, converge):
    def names(box):
        return box.run("find /etc /usr/local /var/cache /run/systemd /var/lib -name '*lifeline*' | sort")

    done, said = converge(*boxes, metrics_enabled=False)
    assert done, said
    for box in boxes:
        assert names(box) in ("/etc/lifeline", "/etc/lifeline\n/usr/local/lib/lifeline"), names(box)
        assert box.run("ls -A /etc/lifeline /usr/local/lib/lifeline | grep -v : || :") == ""
        assert box.attempt("systemctl cat lifeline-metrics.timer").returncode != 0
        assert not [series for series in box.scraped() if series.startswith("lifeline_")]
    done, said = converge(*boxes, metrics_enabled=False)
    assert done and not re.search(r"changed=[1-9]", said), said
