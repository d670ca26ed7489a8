# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test real Sidekiqs of four Debian releases, in the lab's images, each with its own database of one real Redis."""

from __future__ import annotations

import os
import pathlib
import subprocess
import time

import images
import pytest
import sets

APP = pathlib.Path(__file__).resolve().parents[2] / "extensions" / "molecule" / "sidekiq_watchdog" / "app"
# The keys that each release reports about its processes: Sidekiq 6.0, 6.4, 7.3 and 8.1.
TELLS = {
    "bullseye": {"version": None, "rss": False},
    "bookworm": {"version": None, "rss": True},
    "trixie": {"version": "7.", "rss": True},
    "forky": {"version": "8.", "rss": True},
}
SUITES = os.environ.get("LAB_SUITES", "bookworm,trixie").split(",")
THREADS = 3


class Sidekiq:
    """A Sidekiq in a container that shares this machine's loopback."""

    def __init__(self, suite, redis, number):
        self.suite, self.redis, self.number = suite, redis, number
        self.tells = TELLS[suite]
        self.name = f"lifeline-servers-{redis.port}-{suite}"

    def start(self):
        # crun refuses cgroup v1, and runc can't set its default limits, which are higher.
        runtime = ["--runtime", "runc"] if sets.cgroup_version() == 1 else []
        sets.podman(
            *runtime,
            "run",
            "--detach",
            "--name",
            self.name,
            "--hostname",
            "box-" + self.suite,
            "--network",
            "host",
            "--ulimit",
            "nofile=1024:20000",
            "--ulimit",
            "nproc=4096:8192",
            "--volume",
            f"{APP}:/app:ro",
            "--workdir",
            "/app",
            "--env",
            f"REDIS_URL=redis://127.0.0.1:{self.redis.port}/{self.number}",
            images.image_of(self.suite),
            "nice",
            "sidekiq",
            "-r",
            "/app/app.rb",
            "-c",
            str(THREADS),
            "-q",
            "crawl",
        )

    def feed(self, jobs, milliseconds):
        sets.podman("exec", self.name, "ruby", "feed.rb", "crawl", str(jobs), "0", str(milliseconds))

    def feed_what_fails(self):
        sets.podman(
            "exec",
            self.name,
            "ruby",
            "-r",
            "./app",
            "-e",
            "Sidekiq::Client.push('class' => LeakJob, 'queue' => 'crawl', 'args' => ['many', 1])",
        )

    def signal(self, name):
        sets.podman("kill", "--signal", name, self.name)

    def remove(self):
        sets.podman("rm", "--force", "--time", "0", "--ignore", self.name)

    def cli(self, *words):
        return self.redis.cli(*words, database=self.number)


@pytest.fixture(scope="session")
def sidekiqs(redis):
    found = [Sidekiq(suite, redis, number) for number, suite in enumerate(SUITES)]
    for sidekiq in found:
        images.build(sidekiq.suite)
    try:
        for sidekiq in found:
            sidekiq.start()
        yield found
    finally:
        for sidekiq in found:
            sidekiq.remove()


@pytest.fixture(params=range(len(SUITES)), ids=SUITES)
def sidekiq(request, sidekiqs):
    return sidekiqs[request.param]


@pytest.fixture
def wait(module):
    """Return a function that waits for a result of the module that meets a condition. A heartbeat takes 5 or 10 s."""

    def until(sidekiq, wanted, patience=300, **options):
        deadline = time.monotonic() + patience
        while True:
            result = module("sidekiq_info", port=sidekiq.redis.port, database=sidekiq.number, **options)
            if not result.get("failed") and wanted(result["sidekiq"]):
                return result
            assert time.monotonic() < deadline, result
            time.sleep(1)

    return until


def test_the_work_of_a_worker(sidekiq, wait, module):
    wait(sidekiq, lambda state: state["processes"])
    # Two heartbeats report a job that takes this long.
    sidekiq.feed(THREADS, 20000)
    sidekiq.feed(1, 1)
    result = wait(sidekiq, lambda state: state["busy"] == THREADS)
    state = result["sidekiq"]
    (process,) = state["processes"]
    assert (process["hostname"], process["concurrency"], process["busy"], process["quiet"], process["queues"]) == (
        "box-" + sidekiq.suite,
        THREADS,
        THREADS,
        False,
        ["crawl"],
    )
    assert process["identity"].startswith(f"box-{sidekiq.suite}:{process['pid']}:")
    assert (process["version"] or "").startswith(sidekiq.tells["version"] or "") and (process["version"] is None) == (
        sidekiq.tells["version"] is None
    )
    assert (process["rss_bytes"] is not None) == sidekiq.tells["rss"]
    assert process["rss_bytes"] is None or 10 << 20 < process["rss_bytes"] < 500 << 20
    assert 0 <= process["heartbeat_seconds"] < 60
    assert [(job["class"], job["queue"]) for job in process["jobs"]] == [("LeakJob", "crawl")] * THREADS
    assert all(0 <= job["seconds"] < 300 for job in process["jobs"])
    assert (state["busy_percent"], state["concurrency"], state["processes_total"]) == (100.0, THREADS, 1)
    assert state["enqueued"] == 1
    (queue,) = (queue for queue in state["queues"] if queue["name"] == "crawl")
    # Releases write times in different units.
    assert 0 < queue["latency_seconds"] < 300
    assert f"{THREADS} of {THREADS} busy" in result["msg"]
    state = wait(sidekiq, lambda state: state["processed"] == THREADS + 1 and state["busy"] == 0)["sidekiq"]
    assert (state["enqueued"], state["latency_seconds"], state["failed"]) == (0, 0, 0)


def test_the_rate_since_a_reading(sidekiq, wait, module):
    before = wait(sidekiq, lambda state: state["processed"] == THREADS + 1)["reading"]
    sidekiq.feed(30, 1)
    result = wait(sidekiq, lambda state: state["processed"] == THREADS + 31, since=before)
    # The last heartbeat may be too recent for a rate.
    result = result if result["rate"] else wait(sidekiq, lambda state: time.time() - before["time"] > 11, since=before)
    assert result["rate"]["processed"] == 30
    assert result["rate"]["processed_per_hour"] == pytest.approx(30 * 3600 / result["rate"]["seconds"], rel=0.01)


def test_failing_jobs(sidekiq, wait):
    sidekiq.feed_what_fails()
    # Sidekiq retries the job three times, with growing delays. It reports failures only with the next heartbeat.
    state = wait(sidekiq, lambda state: state["retries"] == 1 and state["failed"])["sidekiq"]
    assert 1 <= state["failed"] <= 4
    assert state["dead"] == 0


def test_the_same_with_a_prefix(sidekiq, wait, module):
    """Add prefixes as redis-namespace does: to every key, but not to the members of sets."""
    plain = wait(sidekiq, lambda state: state["failed"] >= 1)["sidekiq"]
    for key in sidekiq.cli("KEYS", "*").splitlines():
        if not key.startswith("banks:"):
            sidekiq.cli("COPY", key, "banks:" + key)
    result = module("sidekiq_info", port=sidekiq.redis.port, database=sidekiq.number, prefix="banks:")
    there = result["sidekiq"]
    assert result["asked"].endswith(f"/{sidekiq.number} banks:")
    assert there["processed"] == int(sidekiq.cli("GET", "banks:stat:processed")) >= plain["processed"]
    assert there["retries"] + there["dead"] == int(sidekiq.cli("ZCARD", "banks:retry")) + int(
        sidekiq.cli("ZCARD", "banks:dead")
    )
    assert [queue["name"] for queue in there["queues"]] == [queue["name"] for queue in plain["queues"]]
    assert [process["identity"] for process in there["processes"]] == [
        process["identity"] for process in plain["processes"]
    ]


def test_a_quiet_worker_and_a_killed_one(sidekiq, wait):
    sidekiq.signal("TSTP")
    result = wait(sidekiq, lambda state: state["processes"] and state["processes"][0]["quiet"])
    assert "1 of 1 processes quiet" in result["msg"]
    identity = result["sidekiq"]["processes"][0]["identity"]
    sidekiq.signal("KILL")
    # Redis drops the process a minute after its last heartbeat, but not its name.
    sidekiq.cli("PEXPIRE", identity, 1)
    state = wait(sidekiq, lambda state: not state["processes"])["sidekiq"]
    assert (state["vanished"], state["busy"], state["heartbeat_seconds"]) == ([identity], None, None)


def test_two_readings_in_one_task(redis, module):
    redis.cli("SET", "stat:processed", "5", database=15)
    with subprocess.Popen(
        ["redis-cli", "-p", str(redis.port), "-n", "15", "-r", "-1", "-i", "1", "INCRBY", "stat:processed", "10"],
        stdout=subprocess.DEVNULL,
    ) as counting:
        try:
            result = module("sidekiq_info", port=redis.port, database=15, interval=10)
        finally:
            counting.terminate()
    assert result["rate"]["seconds"] >= 10
    assert result["rate"]["processed"] > 0 and result["rate"]["processed"] % 10 == 0
    assert result["rate_missing"] is None
