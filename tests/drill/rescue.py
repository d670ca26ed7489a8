# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rescue a box with its own kernel that has less than 8 MB left: `python -m drill.rescue [ROUNDS]`.

The box is as the distribution ships it, without the collection. In each round its worker takes memory until less than
8 MB are available, and then stops. Then the playbook runs over a connection that is still open, and the box must
recover. Prints one line of JSON per round.
"""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

from lab.machine import say

from . import image, probes, virtual

SETTINGS = tomllib.loads((image.HERE / "leaks.toml").read_text())
LITTLE = 8 << 20
# The number of jobs by the KiB that each takes. Small jobs take the last few MB.
HELD = {8192: 80, 1024: 60}
# Take three quarters of the remaining memory at a time, so the kernel can keep up.
LEAK = """
while :; do
  while read -r name kib unit; do case $name in MemAvailable:) break;; esac; done < /proc/meminfo;
  more=$((kib - %d));
  [ $more -ge 0 ] || break;
  if [ $more -gt %d ]; then size=%d; else size=%d; fi;
  count=$((more * 3 / 4 / size));
  while :; do
    redis-cli rpoplpush queue:$size queue:crawl > /dev/null; count=$((count - 1)); [ $count -gt 0 ] || break;
  done;
  sleep 2;
done;
echo left $kib
""" % (LITTLE >> 10, 2 * max(HELD), *HELD)
# Findings that an emulated box has in any case.
VARIABLES = {
    "lifeline_thresholds": {
        name: {"warning": None, "critical": None}
        for name in ("load_per_cpu", "steal_percent", "fd_limits_above_maximum", "sshd_killable")
    },
    "ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=600s",
    "lifeline_rescue_patience": 300,
}


class Round:
    def __init__(self, machine, folder):
        self.machine, self.folder = machine, folder
        self.options = [*probes.connection(machine), "-e", json.dumps(VARIABLES)]

    def ansible(self, *argv):
        return subprocess.run(
            [*argv, *self.options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={**probes.environment(), "ANSIBLE_LOAD_CALLBACK_PLUGINS": "false"},
        )

    def raw(self, command):
        """Run a command over the open connection, without Python on the box."""
        return self.ansible("ansible", self.machine.name, "-m", "ansible.builtin.raw", "-a", command).stdout

    def pid(self):
        found = re.search(r"^(\d+)\s*$", self.raw("systemctl --no-pager show --value -p MainPID sidekiq"), re.MULTILINE)
        return int(found[1]) if found else None

    def health(self):
        said = self.ansible("ansible", self.machine.name, "-m", "lifeline.fleet.health").stdout
        return json.JSONDecoder().raw_decode(said.partition(" => ")[2])[0] if " => " in said else {}

    def hold(self):
        """Put jobs into a queue that the worker doesn't read, while the box has memory to start Ruby."""
        for kibibytes, count in HELD.items():
            self.raw(
                f"cd /opt/crawler && redis-cli del queue:{kibibytes} && ruby feed.rb {count} memory {kibibytes} 1 && "
                f"redis-cli rename queue:crawl queue:{kibibytes}"
            )

    def leak(self):
        """Make the worker take the available memory except for a few MB, and return what is left.

        A script on the box controls this, because a login takes more memory than the last jobs.
        """
        self.raw("redis-cli rename queue:crawl queue:before")
        self.hold()
        found = re.search(r"^left (\d+)\s*$", self.raw(LEAK), re.MULTILINE)
        return int(found[1]) * 1024 if found else None

    def play(self):
        before, began = self.pid(), time.monotonic()
        available = self.leak()
        leaked = time.monotonic()
        evidence = self.folder / (f"evidence-{time.time_ns()}")
        done = self.ansible("ansible-playbook", "lifeline.fleet.rescue", "-e", f"lifeline_rescue_evidence={evidence}")
        rescued = time.monotonic()
        looked = self.health()
        while looked.get("verdict") != "ok" and time.monotonic() - rescued < 300:
            time.sleep(5)
            looked = self.health()
        log = evidence / "rescue.log"
        events = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        result = {
            "available_bytes": available,
            "leak_seconds": round(leaked - began),
            "rescue_seconds": round(rescued - leaked),
            "ok_after_seconds": round(time.monotonic() - leaked),
            "exit": done.returncode,
            "worker": [before, self.pid()],
            "archives": [path.stat().st_size for path in evidence.glob("*.tar.gz")],
            "verdict": looked.get("verdict"),
            "steps": [event["step"] for event in events if event["event"] == "step"],
        }
        result["good"] = (
            done.returncode == 0
            and len(result["archives"]) == 1
            and looked.get("verdict") == "ok"
            and available is not None
            and available < LITTLE
            and None not in result["worker"]
            and result["worker"][0] != result["worker"][1]
        )
        if not result["good"]:
            result["said"] = (done.stdout + looked.get("msg", ""))[-3000:]
        return result


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lifeline-rescue-"))
    good = 0
    try:
        say("booting", "rescue")
        with virtual.Machine(
            "before", image.shipped(SETTINGS["box"]["suite"]), folder / "box", SETTINGS["box"]
        ) as machine:
            one = Round(machine, folder)
            for number in range(rounds):
                result = one.play()
                good += result["good"]
                print(json.dumps({"round": number + 1, **result}), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    say(f"{good} of {rounds} rounds", "rescue")
    return 0 if good == rounds else 1


if __name__ == "__main__":
    sys.exit(main())
