# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test a real ansible-rulebook with the collection's rulebook and a box whose worker has leaked nearly all memory.

The tests depend on each other, in this order: a rescue, a critical box within its window, the end, and the same with
cron.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import pathlib
import shlex
import signal
import subprocess
import threading
import time

import boxes as lab
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[4]
ANSIBLE_RULEBOOK = ROOT / ".cache" / "eda" / "bin" / "ansible-rulebook"
PATIENCE = 600
BOX = "watch-starved"


class Rulebook:
    """A running ansible-rulebook and its output."""

    def __init__(self, folder):
        self.folder, self.log = folder, folder / "rulebook.log"
        self.inventory = folder / "hosts.yml"
        # ansible-rulebook copies the inventory, so it must be a plain file.
        subprocess.run(
            [
                "ansible-inventory",
                "-i",
                lab.INVENTORY,
                "--list",
                "--limit",
                "watch",
                "--yaml",
                "--output",
                self.inventory,
            ],
            check=True,
        )
        (folder / "settings.yml").write_text(json.dumps({"interval": 3, "evidence": str(folder / "evidence")}))
        with self.log.open("w") as stream:
            self.process = subprocess.Popen(
                [ANSIBLE_RULEBOOK, "-r", "lifeline.fleet.rescue", "-v", "--vars", folder / "settings.yml"],
                cwd=folder,
                start_new_session=True,
                env={
                    **os.environ,
                    **lab.PLAIN,
                    "PYTHONUNBUFFERED": "1",
                    "ANSIBLE_INVENTORY": str(self.inventory),
                    "TMPDIR": str(folder),
                },
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    def said(self, text):
        return self.log.read_text(errors="replace").count(text)

    def wait(self, text, times=1):
        """Wait until a text has appeared in the output this many times."""
        deadline = time.monotonic() + PATIENCE
        while self.said(text) < times:
            assert self.process.poll() is None, self.log.read_text()[-5000:]
            assert time.monotonic() < deadline, f"{text!r} was not said:\n{self.log.read_text()[-5000:]}"
            time.sleep(0.2)

    def rescued(self):
        """Wait for the last entry of the rescue's log and return the log.

        The rescue writes it after the source has seen the box recovered.
        """
        path = self.folder / "evidence" / "rescue.log"
        deadline = time.monotonic() + PATIENCE
        while True:
            log = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
            if log and log[-1]["event"] == "recovered":
                return log
            assert time.monotonic() < deadline, log
            time.sleep(0.2)


class Knocker:
    """A thread that opens a new SSH connection every second and counts the answers."""

    def __init__(self, box):
        self.box, self.over, self.answers = box, threading.Event(), []
        self.pool = concurrent.futures.ThreadPoolExecutor(1)

    def __enter__(self):
        self.loop = self.pool.submit(self.knock)
        return self

    def __exit__(self, *_error):
        self.over.set()
        self.pool.shutdown()
        self.loop.result()

    def knock(self):
        variables = self.box.variables
        argv = [
            "ssh",
            *shlex.split(variables["ansible_ssh_common_args"]),
            "-o",
            "ControlMaster=no",
            "-o",
            "ControlPath=none",
            "-o",
            "ConnectTimeout=60",
            "root@" + variables["ansible_host"],
            "true",
        ]
        while not self.over.wait(1):
            self.answers.append(subprocess.run(argv, stdin=subprocess.DEVNULL, check=False).returncode == 0)


@pytest.fixture(scope="module")
def box():
    (box,) = lab.of_set("watch")
    return box


@pytest.fixture(scope="module")
def rulebook(tmp_path_factory):
    rulebook = Rulebook(tmp_path_factory.mktemp("eda"))
    yield rulebook
    lab.kill(rulebook.process)


def pid(box):
    return box.run("systemctl show --value -p MainPID sidekiq.service")


def kills(box):
    return box.run(
        "cat /sys/fs/cgroup/memory/memory.oom_control /sys/fs/cgroup/memory.events 2> /dev/null | grep '^oom_kill '"
    )


def test_a_box_without_memory_is_rescued_while_its_ssh_answers(rulebook, box):
    before = pid(box), kills(box)
    with Knocker(box) as knocker:
        rulebook.wait(f"rescue begins: {BOX} critical")
        rulebook.wait(f"{BOX} no longer critical")
    log = rulebook.rescued()
    assert [(line["box"], line["event"]) for line in log][:2] == [(BOX, "evidence"), (BOX, "step")]
    assert log[-1]["verdict"] in ("ok", "warning")
    assert pathlib.Path(log[0]["archive"]).stat().st_size > 1000
    assert pid(box) not in ("0", before[0])
    assert kills(box) == before[1]
    assert all(knocker.answers)
    assert len(knocker.answers) > 3


def test_a_box_that_is_critical_again_within_the_window_is_not_rescued(rulebook, box):
    box.run("systemctl stop sidekiq.service")
    rulebook.wait(f"{BOX} critical: worker sidekiq is not running")
    box.run("systemctl start sidekiq.service")
    # It reports changes in order, so it has handled the earlier ones too.
    rulebook.wait(f"{BOX} no longer critical (was: worker sidekiq is not running")
    assert rulebook.said("rescue begins") == 1


def test_it_ends_on_a_signal_and_leaves_nothing_behind(rulebook):
    os.kill(rulebook.process.pid, signal.SIGTERM)
    rulebook.process.wait(PATIENCE)
    # A check in progress ends with it, or by itself.
    deadline = time.monotonic() + PATIENCE
    while any(str(rulebook.folder).encode() in line for line in commands()):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def commands():
    """Return the command lines of all processes, as bytes."""
    lines = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes())
    return lines


def test_cron_does_the_same_without_eda(box, tmp_path):
    box.run("systemctl stop sidekiq.service")
    variables = {
        "lifeline_watch_state": str(tmp_path / "watch.json"),
        "lifeline_watch_rescue": True,
        "lifeline_watch_command": f"tee -a {tmp_path / 'told'}",
        "lifeline_rescue_evidence": str(tmp_path / "evidence"),
    }
    done, output = lab.play("lifeline.fleet.watch", ["watch"], variables)
    assert done, output
    assert (tmp_path / "told").read_text().startswith(f"{BOX} critical: worker sidekiq is not running")
    assert pid(box) != "0"
    # The box becomes critical again within the window.
    box.run("systemctl stop sidekiq.service")
    done, output = lab.play("lifeline.fleet.watch", ["watch"], variables)
    assert done, output
    assert "at most one rescue per 15 min" in output
    assert pid(box) == "0"
