# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run all tests: `make test`.

Unit tests and lint come first: they are quick and find most faults. Nothing else is run if they fail. Then come the
scenarios, three side by side because they mostly wait, and beside them, one at a time, the steps that only use CPU. No
other step begins after a failure, unless KEEP_GOING=yes. Each step's output goes to .cache/test/STEP.log, and to the
terminal if the step fails.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import scenarios

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / ".cache" / "test"
KEEP_GOING = os.environ.get("KEEP_GOING", "no") == "yes"
HEARTBEAT_SECONDS = 60
# As many lines of a failed step's output are printed.
TAIL = 120
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_STAGE = re.compile(r"➜ (\w+): Executing")


@dataclass
class Step:
    """A part of the tests: its command, the target that repeats it, and how long it takes alone on 2 idle cores."""

    name: str
    command: list[str]
    repeat: str
    seconds: int
    began: float = 0.0
    took: float = 0.0
    stage: str = ""
    state: str = "not run"

    @property
    def log(self) -> Path:
        """The file that has the step's output."""
        return LOGS / f"{self.name}.log"


def script(name: str, *arguments: str) -> list[str]:
    """Return the command for a script of tests/."""
    return [sys.executable, str(ROOT / "tests" / name), *arguments]


def pytest(*arguments: str) -> list[str]:
    """Return the command for tests that pytest runs."""
    return [sys.executable, "-m", "pytest", "-q", *arguments]


FIRST = [
    Step("unit", script("unit.py", "--plays"), "make unit-all", 115),
    Step("lint", ["tests/lint.sh"], "make lint", 60),
    Step("images", script("lab/lab.py", "images", "--set", "compare"), "make lab", 100),
]
COMPUTING = [
    Step("sanity", ["nice", *script("sanity.py")], "make sanity", 240),
    Step("servers", pytest("--numprocesses", "2", "--dist", "loadfile", "tests/servers"), "make servers", 120),
    Step("hostile", pytest("tests/hostile"), "make hostile", 300),
    Step("unit-others", ["nice", *script("unit.py", "--others")], "make unit-all", 180),
    Step("report", ["nice", *pytest("tests/report")], "make report", 60),
]
# Seconds that each scenario takes beside two others, for the order and the estimate.
SCENARIO_SECONDS = {
    "sidekiq_watchdog": 1080,
    "ssh_lifeline": 600,
    "fail2ban": 400,
    "monit": 450,
    "facts": 240,
    "rescue": 240,
    "watch": 240,
    "service_lockdown": 200,
    "metrics": 180,
    "crawler": 180,
    "compare": 120,
    "reboot": 120,
    "diagnostic_tools": 100,
    "default": 60,
}
SCENARIOS = [
    Step(
        name,
        ["molecule", "test", "--scenario-name", name],
        f"make molecule SCENARIO={name}",
        SCENARIO_SECONDS.get(name, 300),
    )
    for name in sorted(scenarios.NAMES, key=lambda name: -SCENARIO_SECONDS.get(name, 300))
]
ALL = [*FIRST, *COMPUTING, *SCENARIOS]


class Run:
    """A run of the tests: what runs, what has ended, and whether anything else may begin."""

    def __init__(self):
        self.start = time.monotonic()
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.failed = False

    def say(self, text):
        """Print a line with the minutes since the start."""
        minutes, seconds = divmod(int(time.monotonic() - self.start), 60)
        with self.lock:
            print(f"{minutes:3}:{seconds:02}  {text}", flush=True)

    def play(self, step):
        """Run a step, unless an earlier one has failed."""
        if self.failed and not KEEP_GOING:
            return
        step.began, step.state = time.monotonic(), "running"
        self.say(f"{step.name} begins")
        returned = self._execute(step)
        step.took = time.monotonic() - step.began
        step.state = "failed" if returned else "passed"
        ended = sum(other.state in ("passed", "failed") for other in ALL)
        self.say(f"{step.name} {step.state} after {_clock(step.took)}; {ended} of {len(ALL)} done")
        if returned:
            self.failed = True
            lines = step.log.read_text(errors="replace").splitlines()
            with self.lock:
                print("", *lines[-TAIL:], "", sep=f"\n{step.name:>12} | ", flush=True)

    def _execute(self, step):
        environ = {
            **scenarios.ENVIRONMENT,
            "PYTHONPATH": os.pathsep.join((str(ROOT / "tests"), str(ROOT / ".cache" / "collections"))),
        }
        with (
            step.log.open("w") as log,
            subprocess.Popen(
                step.command,
                cwd=ROOT,
                env=environ,
                text=True,
                errors="replace",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            ) as running,
        ):
            for line in running.stdout:
                plain = _COLOUR.sub("", line)
                log.write(plain)
                log.flush()
                if stage := _STAGE.search(plain):
                    step.stage = stage[1]
        return running.returncode

    def beat(self):
        """Print regularly what runs and how far it is."""
        while not self.over.wait(HEARTBEAT_SECONDS):
            running = [
                f"{step.name} ({step.stage + ', ' if step.stage else ''}{_clock(time.monotonic() - step.began)})"
                for step in ALL
                if step.state == "running"
            ]
            ended = sum(step.state in ("passed", "failed") for step in ALL)
            self.say(f"{ended} of {len(ALL)} done, running: {', '.join(running)}")


def estimate() -> int:
    """Return how many minutes the tests may take on two idle cores, downloads aside."""
    first = max(step.seconds for step in FIRST)
    later = max(sum(step.seconds for step in SCENARIOS) / scenarios.AT_ONCE, sum(step.seconds for step in COMPUTING))
    return round((first + later) / 60)


def main():
    LOGS.mkdir(parents=True, exist_ok=True)
    run = Run()
    print(
        f"==> {len(ALL)} steps, about {estimate()} minutes on two idle cores; each step's output is in "
        f"{LOGS.relative_to(ROOT)}/STEP.log",
        flush=True,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    threading.Thread(target=run.beat, daemon=True).start()
    with ThreadPoolExecutor(len(FIRST)) as pool:
        list(pool.map(run.play, FIRST))
    if not run.failed or KEEP_GOING:
        with ThreadPoolExecutor(scenarios.AT_ONCE) as pool, ThreadPoolExecutor(1) as beside:
            later = [
                *(beside.submit(run.play, step) for step in COMPUTING),
                *(pool.submit(run.play, step) for step in SCENARIOS),
            ]
            for step in later:
                step.result()
    run.over.set()
    summarize(run)


def summarize(run):
    """Print how each step ended and, if any failed, the commands that repeat just those; exit accordingly."""
    print()
    for step in ALL:
        print(f"  {step.state:8} {_clock(step.took) if step.took else '':>6}  {step.name}")
    failed = [step for step in ALL if step.state == "failed"]
    left = [step.name for step in ALL if step.state == "not run"]
    print(f"\nafter {_clock(time.monotonic() - run.start)}: {'failed' if failed else 'all tests passed'}")
    print(f"{len(ALL) - len(failed) - len(left)} passed, {len(failed)} failed", flush=True)
    if failed:
        if left:
            print(f"not run, as a step failed: {', '.join(left)} (KEEP_GOING=yes runs them all the same)")
        for step in failed:
            print(f"{step.name} failed: see {step.log.relative_to(ROOT)}, repeat with: {step.repeat}")
        sys.exit(1)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02}"


if __name__ == "__main__":
    main()
