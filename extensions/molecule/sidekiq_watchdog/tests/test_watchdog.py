# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker is restarted and the host never is, with a real Sidekiq, Redis and monit, and real memory."""

from __future__ import annotations

import re

import pytest
from boxes import Boxes

MB = 1 << 20
THREADS = 5


@pytest.fixture(autouse=True)
def quiet(boxes):
    """Start each test with running, monitored workers, empty queues, and no records."""
    boxes.each(settle)


def settle(box):
    # A worker that stops puts its unfinished jobs back.
    box.run("systemctl stop sidekiq; redis-cli flushall > /dev/null; rm -rf /run/lifeline/watchdog")
    box.run("sidekiq-watchdog resume sidekiq")
    box.watched()


def limit(box):
    """Return the memory limit of the worker `sidekiq` in the inventory."""
    return 512 * MB * 30 // 100 if box.several else 150 * MB


def drained(box, queue="crawl"):
    """Wait until no job is waiting or in progress."""
    box.wait(
        f"test $(redis-cli llen queue:{queue}) = 0 && test $(redis-cli get jobs_done) -ge $(redis-cli get jobs_pushed)",
    )


def push(box, jobs, kilobytes, milliseconds, queue="crawl"):
    box.feed(queue, jobs, kilobytes, milliseconds)
    box.redis(f"incrby jobs_pushed {jobs}")


def test_the_unit_has_the_inventory_s_settings(boxes):
    def look(box):
        assert box.show("ActiveState") == "active"
        assert box.run("cat /run/sidekiq/sidekiq.pid") == str(box.pid())
        assert box.run(f"stat -c %U /proc/{box.pid()}") == "app"
        assert box.run(f"cat /proc/{box.pid()}/oom_score_adj") == "500"
        assert "MALLOC_ARENA_MAX=2" in box.show("Environment")
        assert re.search(r"^Max open files +16384 +16384", box.run(f"cat /proc/{box.pid()}/limits"), re.MULTILINE)
        assert int(box.show("MemoryMax")) == limit(box) * 6 // 5
        assert f"if totalmem > {limit(box)} B for 3 cycles then restart" in box.run(
            "cat /etc/monit/lifeline.d/sidekiq_watchdog-sidekiq"
        )
        assert box.run("stat -c %a /etc/default/sidekiq") == "600"

    boxes.each(look)


def test_only_the_number_of_threads_changes_in_the_application_s_file(boxes):
    def look(box):
        lines = box.run("cat /srv/app/current/config/sidekiq.yml").splitlines()
        assert [line for line in lines if "concurrency" in line] == [":concurrency: 5"]
        assert lines[-3:] == [":queues:", "  - [crawl, 2]", "  - [default, 1]"]

    boxes.each(look)


def test_root_does_not_write_through_a_link_of_the_worker_s_user(boxes, converge):
    box = boxes[0]
    folder = "/srv/app/current/config"
    box.run(f"mv {folder}/sidekiq.yml /root/ && runuser -u app -- ln -s /etc/nologin {folder}/sidekiq.yml")
    try:
        done, output = converge(box)
        refusal = f"path: cannot write {folder}/sidekiq.yml (Permission denied)"
        assert not done and refusal in " ".join(output.split()), output
        assert box.attempt("ls /etc/nologin").returncode != 0
    finally:
        box.run(f"rm {folder}/sidekiq.yml && mv /root/sidekiq.yml {folder}/")
    done, output = converge(box)
    assert done and "changed=0" in output, output


def test_each_timeout_is_longer_than_the_one_that_it_waits_for(boxes):
    def look(box):
        rules = box.run("cat /etc/monit/lifeline.d/sidekiq_watchdog-sidekiq")
        start, stop, restart = (
            int(re.search(rf"{verb} program = .* with timeout (\d+) seconds", rules).group(1))
            for verb in ("start", "stop", "restart")
        )
        job = int(re.search(r" -t (\d+)", box.show("ExecStart")).group(1))
        unit_stop = int(box.show("TimeoutStopUSec").rstrip("s"))
        assert job < unit_stop < stop < restart
        assert start + stop <= restart

    boxes.each(look)


def test_a_leaking_worker_is_restarted_at_its_limit_and_no_job_is_lost(boxes):
    others = boxes.each(lambda box: box.pid("sidekiq-mail") if box.several else None)

    def leak(box):
        first = box.pid()
        push(box, 1200, 256, 100)
        box.wait("sidekiq-watchdog status sidekiq | grep -q '^restarts [1-9]'")
        drained(box)
        assert box.redis("get jobs_done") == "1200"
        assert box.redis("get stat:failed") in ("", "0")
        assert box.pid() != first
        assert box.show("NRestarts") == "0", "systemd restarted the worker as well"
        # As monit measures it: monit 6 counts a page that several processes share once.
        box.wait("monit -B status sidekiq", wanted=lambda output: re.search(r"^  status +OK$", output, re.MULTILINE))

    boxes.each(leak)
    assert boxes.each(lambda box: box.pid("sidekiq-mail") if box.several else None) == others, (
        "the other worker was restarted"
    )


def test_twenty_restarts_under_load_lose_no_job(boxes):
    def work(box):
        push(box, 3000, 0, 40, queue="mail")
        # Monit does one action at a time and may drop commands that arrive meanwhile.
        done = "grep -c \"'sidekiq-mail' restart action done\" /var/log/monit.log"
        before = int(box.attempt(done).stdout)
        for number in range(1, 21):
            box.run("monit restart sidekiq-mail")
            box.wait(f"test $({done}) = {before + number}")
        assert box.restarts("sidekiq-mail") == 20
        drained(box, queue="mail")
        assert box.redis("get jobs_done") == "3000"
        assert box.redis("get stat:failed") in ("", "0")

    # The second worker is not given up after three restarts.
    Boxes(box for box in boxes if box.several).each(work)


def test_a_long_job_can_end_before_the_restart(boxes):
    def work(box):
        push(box, 1, 0, 12000)
        box.wait("test $(redis-cli llen queue:crawl) = 0")
        box.run("monit restart sidekiq")
        drained(box)
        assert box.redis("get jobs_done") == "1"
        assert box.restarts() == 1

    boxes.each(work)


def test_a_slowly_loading_worker_is_not_killed(boxes, drop_in):
    def load(box):
        drop_in(box, "Environment=BOOT_SECONDS=25")
        before = box.pid()
        box.run("monit restart sidekiq")
        loading = int(
            box.wait("cat /run/sidekiq/sidekiq.pid", wanted=lambda pid: pid.isdecimal() and int(pid) != before)
        )
        box.wait("systemctl is-active sidekiq")
        push(box, 1, 0, 0)
        drained(box)
        assert box.restarts() == 1
        assert box.show("NRestarts") == "0"
        return loading == box.pid()

    assert all(boxes.each(load))


def test_a_worker_that_leaks_at_once_is_given_up_until_it_is_resumed(boxes, drop_in, converge):
    def leak(box):
        drop_in(box, "Environment=BOOT_KILOBYTES=190000")
        box.run("systemctl restart sidekiq")
        box.wait("sidekiq-watchdog status sidekiq | grep -q '^given_up '")
        assert box.restarts() >= 3
        box.watched(yes=False)
        assert "given up" in box.run("journalctl --no-pager -o cat -t sidekiq-watchdog -p alert")
        assert box.show("ActiveState") == "active", "the worker was stopped"
        answer = box.health()
        assert answer["verdict"] == "critical"
        assert "workers_given_up" in {
            finding["check"] for finding in answer["findings"] if finding["severity"] == "critical"
        }

    def cure(box):
        box.remove_drop_in("sidekiq.service")
        box.run("systemctl restart sidekiq")

    def back(box):
        box.watched()
        assert box.noted("given_up") is None
        assert "workers_given_up" not in {finding["check"] for finding in box.health()["findings"]}

    def resume(box):
        cure(box)
        box.run("sidekiq-watchdog resume sidekiq")

    boxes.each(leak)
    boxes.each(resume)
    boxes.each(back)
    boxes.each(leak)
    boxes.each(cure)
    done, output = converge(*boxes)
    assert done, output
    boxes.each(back)


def test_systemd_and_not_monit_restarts_a_killed_worker(boxes):
    def kill(box):
        # systemd may count restarts of earlier tests.
        before = box.show("NRestarts")
        first = box.pid()
        box.run(f"kill -9 {first}")
        box.wait(
            "systemctl show -p ActiveState -p NRestarts sidekiq",
            wanted=lambda shown: "ActiveState=active" in shown and f"NRestarts={int(before) + 1}" in shown,
        )
        assert box.pid() != first
        assert box.restarts() == 0

    boxes.each(kill)


def test_a_stopped_worker_stays_stopped(boxes):
    def stop(box):
        box.run("systemctl stop sidekiq")
        # Wait until monit has run several cycles and logged it.
        box.wait("monit -B status sidekiq", wanted=lambda status: "Does not exist" in status)
        looked = int(box.run("grep -c . /var/log/monit.log"))
        box.wait(f"test $(grep -c . /var/log/monit.log) -gt {looked}")
        assert box.show("ActiveState") == "inactive"
        assert "workers_missing" in {finding["check"] for finding in box.health()["findings"]}
        box.run("sidekiq-watchdog pause sidekiq")
        assert "workers_missing" not in {finding["check"] for finding in box.health()["findings"]}
        box.watched(yes=False)
        box.run("sidekiq-watchdog resume sidekiq")
        box.wait("systemctl is-active sidekiq")
        box.watched()

    boxes.each(stop)


def test_a_run_of_the_role_leaves_a_paused_worker_stopped(boxes, converge):
    box = boxes[0]
    box.run("sidekiq-watchdog pause sidekiq")
    done, output = converge(box)
    assert done, output
    assert box.show("ActiveState") == "inactive"
    box.watched(yes=False)


def test_a_new_limit_reloads_and_does_not_restart(boxes, converge):
    box = next(box for box in boxes if not box.several)
    pid, config = box.pid(), "/etc/monit/lifeline.d/sidekiq_watchdog-sidekiq"
    done, output = converge(box, max_sidekiq_memory="120 MB")
    assert done, output
    changed = [line for line in output.splitlines() if line.startswith("changed:")]
    # The ready-made check of the worker's memory, the ceiling, the rule, and two reloads.
    assert len(changed) <= 6, changed
    assert f"totalmem > {120 * MB} B" in box.run("cat " + config)
    assert "120 MB" in box.run(f"monit -B -v -t 2>&1; cat {config} | sed 's/{120 * MB} B/120 MB/'")
    assert int(box.show("MemoryMax")) == 144 * MB
    assert box.pid() == pid
    assert converge(box)[0]
    assert box.pid() == pid


def test_a_worker_with_its_own_commands_is_watched_with_them(boxes, converge):
    """It has no systemd unit, only a pidfile and two commands, and is restarted at the age of a minute."""
    box = next(box for box in boxes if not box.several)
    legacy = {
        "name": "legacy",
        "manager": "command",
        "pidfile": "/run/legacy.pid",
        "max_memory": "64 MB",
        "max_age": "1m",
        "start_command": "/usr/local/bin/legacy start",
        "stop_command": "/usr/local/bin/legacy stop",
    }
    done, output = converge(box, sidekiq_watchdog_workers=[legacy])
    assert not done
    complaint = "pidfile: does not hold the ID of a running process ('/run/legacy.pid'); let the worker write"
    assert complaint in " ".join(output.replace("''", "'").split()), output
    box.run("""cat > /usr/local/bin/legacy <<'END'
#!/bin/sh
case $1 in
    start) setsid sh -c 'echo $$ > /run/legacy.pid; exec sleep 3600' < /dev/null > /dev/null 2>&1 & ;;
    stop) kill $(cat /run/legacy.pid) ;;
esac
END
chmod 755 /usr/local/bin/legacy && legacy start""")
    read = "cat /run/legacy.pid && kill -0 $(cat /run/legacy.pid)"
    try:
        done, output = converge(box, sidekiq_watchdog_workers=[legacy])
        assert done, output
        first = box.wait(read)
        box.run("kill -9 " + first)
        second = box.wait(read, wanted=lambda pid: pid != first)
        box.wait(read, wanted=lambda pid: pid != second)
        assert "uptime test failed" in box.run("grep \"'legacy'\" /var/log/monit.log")
    finally:
        assert converge(box)[0]
        box.run("legacy stop; rm /usr/local/bin/legacy /run/legacy.pid")
    assert "legacy" not in box.run("monit -B summary")


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"max_sidekiq_memory": "13 GBs"}, r"max_sidekiq_memory: not a size \('13 GBs'\); write a size such as 512 MB"),
        (
            {"max_sidekiq_memory": "600 MB"},
            r"max_sidekiq_memory: not less than the memory of the box \('600 MB'\); use less than 512M",
        ),
        ({"max_sidekiq_memory": "13"}, r"max_sidekiq_memory: less than 1 MB \('13'\); write a unit"),
        ({"max_sidekiq_threads": "many"}, r"max_sidekiq_threads: not a whole number above 0 \('many'\); use 1 or more"),
        ({"app_path": "/srv/nothing"}, r"app_path: no such directory on the box \('/srv/nothing'\); deploy"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_before_anything_changes(boxes, converge, variables, complaint):
    box = next(box for box in boxes if not box.several)
    state = (
        "cat /etc/systemd/system/sidekiq.service* /etc/monit/lifeline.d/* 2>/dev/null | md5sum; "
        "monit -B summary | tail -n +3 | sort"
    )
    before, pid = box.run(state), box.pid()
    done, output = converge(box, **variables)
    assert not done
    assert re.search(f"{box.name}: {complaint}", " ".join(output.split())), output
    assert (box.run(state), box.pid()) == (before, pid)


def test_a_kernel_kill_loses_at_most_the_jobs_in_progress(boxes, drop_in):
    def lost(box):
        """Return the number of lost jobs, or None if the kernel killed Redis as well."""
        settle(box)
        box.run("monit unmonitor sidekiq")
        box.watched(yes=False)
        redis = box.pid("redis-server")
        push(box, 300, 8192, 50)
        box.wait(
            "systemctl show -p ActiveState -p ExecMainStatus sidekiq",
            wanted=lambda shown: set(shown.split()) == {"ActiveState=failed", "ExecMainStatus=9"},
        )
        box.wait("systemctl is-active redis-server && redis-cli ping")
        # A job that failed is not lost: Sidekiq retries it.
        kept = sum(
            int(box.redis(question) or 0)
            for question in ("get jobs_done", "llen queue:crawl", "zcard retry", "zcard schedule")
        )
        box.redis("flushall")
        return 300 - kept if box.pid("redis-server") == redis else None

    def leak(box):
        # Without restarts, so there is one kill. The journal cannot count kills: the kernel may kill it as well.
        drop_in(box, "Restart=no")
        counted = next((jobs for jobs in (lost(box) for _attempt in range(5)) if jobs is not None), None)
        assert counted in range(THREADS + 1)
        return counted

    print("jobs lost:", boxes.each(leak))


def test_a_killed_monit_is_restarted_with_all_its_rules(boxes):
    def kill(box):
        box.watched()
        # Monit saves its state at the end of a cycle; wait for that before the kill.
        looked = box.run("monit -B status sidekiq | grep collected")
        box.wait("monit -B status sidekiq | grep collected", wanted=lambda line: line != looked)
        before = sorted(re.findall(r"^ (\S+)", box.run("monit -B summary"), re.MULTILINE))
        box.run("kill -9 $(systemctl show --value -p MainPID monit)")
        box.wait("monit -B summary", wanted=lambda text: sorted(re.findall(r"^ (\S+)", text, re.MULTILINE)) == before)
        box.watched()

    boxes.each(kill)


def test_everything_starts_after_a_reboot(boxes):
    def boot(box):
        box.reboot()
        box.wait("systemctl is-active sidekiq monit")
        box.watched()
        push(box, 1, 0, 0)
        drained(box)

    boxes.each(boot)
