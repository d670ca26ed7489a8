# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Play one leak on one box, from boot to the last probe, and collect what the observers and the box recorded."""

from __future__ import annotations

import json
import re
import threading
import time

from lab.machine import LabError, say

from . import probes, virtual

IDLE_SECONDS = 45
QUEUE, HELD = "queue:crawl", "queue:held"
# Leaks outside the worker run in the background of a session, as the worker's user.
BESIDE = {
    "stray": "held.append(b'x' * ({amount} << 10))",
    "strangers": "held.append(socket.create_connection(('127.0.0.1', 22)))",
}
BACKGROUND = (
    'runuser -u crawler -- setsid -f /usr/bin/python3 -S -c "import socket, time; held = []\n'
    'while True: {leak}; time.sleep({milliseconds} / 1000)" > /dev/null 2>&1 < /dev/null'
)

# Remove the queue, and wait until the worker reports that no job is in progress. A worker that has just started, or was
# killed, may have left an older report, which Redis drops after a minute.
NO_MORE_JOBS = """
since=$(date +%s)
redis-cli rename {queue} {held} > /dev/null
for try in $(seq 80); do
    alive= busy=
    for process in $(redis-cli smembers processes); do
        set -- $(redis-cli hmget "$process" beat busy)
        test "${{1%.*}}" -gt "$since" 2> /dev/null || continue
        alive=yes
        test "$2" = 0 || busy=yes
    done
    test "$alive" && test -z "$busy" && exit
    sleep 2
done
echo "the worker has not come to rest"
exit 1
"""


class Episode:
    """The result of an episode.

    "records": see probes. "jobs": the numbers "pushed", "done", "waiting" and "lost", or null if the box no longer
    answers. "kills": each with its "killer" (kernel, earlyoom), the "name" of the victim, and "worker" if it belongs to
    the worker.
    "restarts": how often monit restarted the worker. "starts": how often the worker started in all. "agrees": whether
    oom_facts and the box's kernel log have the same kills.
    """

    def __init__(self, box, leak, swap, image, folder, settings):
        self.box, self.leak, self.swap = box, leak, swap
        self.plan = settings["leaks"][leak]
        self.machine = virtual.Machine(box, image, folder, settings["box"], swap=swap)
        self.records = []
        self.jobs = {"pushed": 0, "done": None, "waiting": None, "lost": None}
        self.kills = self.restarts = self.starts = self.agrees = None
        self.settings = settings
        self.abandoned = threading.Event()

    def abandon(self):
        """End the episode at once, from another thread."""
        self.abandoned.set()
        self.machine.kill()

    def pause(self, seconds):
        if self.abandoned.wait(seconds):
            raise LabError(f"{self.leak}, {self.box}: given up")

    def say(self, text):
        say(f"{self.leak}{' with swap' if self.swap else ''}, {self.box}: {text}", "drill")

    def play(self):
        self.say("booting")
        with self.machine as machine:
            self.prepare()
            with probes.Observer(machine, self.records) as observer:
                self.say(f"idle for {IDLE_SECONDS} s")
                self.pause(IDLE_SECONDS)
                observer.mark()
                machine.run(self.leak_beside() or f"redis-cli rename {HELD} {QUEUE}")
                self.say(f"leaking for {self.plan['seconds']} s")
                self.follow(observer)
            self.say("over; looking what is left")
            self.look_back()
        return self

    def prepare(self):
        """Switch off parts of the collection if the leak says so, and push the jobs to a queue that is not read yet."""
        plan = self.plan
        if "off" in plan and self.box == "after":
            self.machine.run(plan["off"])
        if self.leak_beside():
            return
        batches = [(self.settings["worker"]["jobs"], plan["amount"])]
        if "at_once" in plan:
            batches.insert(0, (1, plan["at_once"]))
        for jobs, amount in batches:
            self.machine.run(f"ruby /opt/crawler/feed.rb {jobs} {plan['what']} {amount} {plan['milliseconds']}")
        self.machine.run(f"redis-cli rename {QUEUE} {HELD}")
        self.jobs["pushed"] = sum(jobs for jobs, _amount in batches)

    def leak_beside(self):
        """Return the command that starts a leak outside the worker, or None."""
        leak = BESIDE.get(self.plan["what"])
        return leak and BACKGROUND.format(leak=leak.format(**self.plan), milliseconds=self.plan["milliseconds"])

    def follow(self, observer):
        """Wait while the box leaks, and print the state every half minute."""
        told = 0
        while True:
            remaining = self.plan["seconds"] - (time.monotonic() - observer.began)
            if remaining <= 0:
                return
            self.pause(min(30, remaining))
            fresh, told = self.records[told:], len(self.records)
            knocks = [record for record in fresh if record["kind"] == "knock"]
            answered = [record for record in knocks if record["answered"]]
            verdicts = [record["verdict"] for record in fresh if record["kind"] == "health"]
            memory = f", {answered[-1]['available_bytes'] >> 20}M available" if answered else ""
            self.say(f"{len(answered)} of {len(knocks)} probes answered{memory}; health: {', '.join(verdicts) or '-'}")

    def look_back(self):
        """Return what only a box that still answers can report."""
        if self.machine.attempt("true", 20).returncode:
            return
        try:
            self.count_jobs()
            self.count_kills()
        except LabError as error:
            self.say(f"it doesn't tell any more: {error}")

    def count_jobs(self):
        self.machine.run(NO_MORE_JOBS.format(queue=QUEUE, held=HELD), 180)
        questions = ("incrby jobs_done 0", f"llen {HELD}", f"llen {QUEUE}", "zcard retry", "zcard schedule")
        done, *waiting = (int(self.machine.run(f"redis-cli {question}")) for question in questions)
        self.jobs.update(done=done, waiting=sum(waiting), lost=self.jobs["pushed"] - done - sum(waiting))

    def count_kills(self):
        facts = probes.ansible(self.machine, "oom_facts")
        if "ansible_facts" not in facts:
            raise LabError(facts.get("msg", "oom_facts failed"))
        oom = facts["ansible_facts"]["lifeline_oom"]
        log = self.machine.run("journalctl -k -o cat --no-pager")
        # If the kernel kills a whole control group, it logs the chosen victim a second time.
        told = {(int(pid), name) for pid, name in re.findall(r"Killed process (\d+) \((.*?)\)[, ]", log)}
        self.agrees = told == {(event["pid"], event["name"]) for event in oom["events"]}
        # The worker's user runs only the worker, its children, and the stray.
        crawler = int(self.machine.run("id -u crawler"))
        self.kills = [
            {**{key: kill.get(key) for key in ("killer", "name", "constraint")}, "worker": kill["uid"] == crawler}
            for kill in oom["events"] + oom["other_kills"]
        ]
        self.starts = int(self.machine.run("wc -l < /var/lib/crawler/starts"))
        self.restarts = int(
            self.machine.run("grep -cs \"'sidekiq' trying to restart\" /var/log/monit.log || true") or 0
        )

    @property
    def head(self):
        """Return the head: what the episode was, and its result."""
        return {
            "kind": "episode",
            "box": self.box,
            "leak": self.leak,
            "swap": self.swap,
            "seconds": self.plan["seconds"],
            "accelerator": virtual.accelerator(self.machine.image.kernel),
            "memory_mib": self.settings["box"]["memory_mib"],
            "jobs": self.jobs,
            "kills": self.kills,
            "restarts": self.restarts,
            "starts": self.starts,
            "agrees": self.agrees,
        }

    def write(self, path):
        """Write JSON lines: the head, then each record."""
        path.write_text("".join(json.dumps(line) + "\n" for line in [self.head, *self.records]))
