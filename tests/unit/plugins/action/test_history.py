# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run health and the fact modules through Ansible on this machine, with a history that can or can't be written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Reading, Sample
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History
from paths import ROOT

pytestmark = pytest.mark.plays
ANSIBLE = Path(sys.executable).with_name("ansible")


@pytest.fixture
def ansible(tmp_path):
    """Return a function that runs a module on this machine, and returns its exit code, its output and its result."""

    def run(module="health", history=None, options=(), callback="minimal", arguments="", boxes="here", command=None):
        extra = ["-e", "ansible_python_interpreter=" + sys.executable]
        if history is not None:
            extra += ["-e", json.dumps({"lifeline_history": str(history)})]
        argv = command or [
            ANSIBLE,
            "all",
            "-i",
            boxes + ",",
            "-c",
            "local",
            "-m",
            "lifeline.fleet." + module,
            "-a",
            arguments,
        ]
        done = subprocess.run(
            [*argv, *extra, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=tmp_path,
            env=dict(
                os.environ,
                ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
                ANSIBLE_STDOUT_CALLBACK=callback,
                ANSIBLE_NOCOLOR="1",
                COLUMNS="10000",
                ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".cache" / "collections"),
            ),
        )
        output = done.stdout + done.stderr
        answer = done.stdout.partition(" => ")[2] if callback == "minimal" else None
        return done.returncode, output, json.JSONDecoder().raw_decode(answer)[0] if answer else None

    return run


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.db"


@pytest.fixture
def leaking(path):
    """Start a worker, write a history of it that reaches its limit in 20 minutes, and return the options for health."""
    worker = subprocess.Popen([f"lifeline-leaker-{os.getpid()}", "3600"], executable=shutil.which("sleep"))
    try:
        # Wait until it is loaded, because it grows until then.
        stat = ["R"]
        while stat[0] != "S":
            stat = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(") ")[2].split()
        rss = int(stat[21]) * os.sysconf("SC_PAGE_SIZE")
        limit = int(1.6 * rss) + (1 << 20)
        rate, now = (limit - rss) / 1200, time.time()
        with History(path, create=True) as history:
            for number in range(40, 0, -1):
                back = number / 40 * 0.9 * rss / rate
                for box in ("here", "there"):
                    history.record(
                        Reading(
                            box,
                            "health",
                            now - back,
                            "ok",
                            None,
                            [Sample("worker_rss_bytes", "leaker", rss - rate * back, limit)],
                        )
                    )
        # The pattern is anchored because Ansible's own command line contains the name as well.
        yield [
            "-e",
            json.dumps(
                {"lifeline_workers": [{"name": "leaker", "pattern": "^" + worker.args[0], "max_memory": f"{limit} B"}]}
            ),
        ]
    finally:
        worker.kill()
        worker.wait()


def test_what_health_reads_is_kept(ansible, path):
    before = time.time()
    code, _output, result = ansible(history=path)
    assert code == 0
    assert result["forecasts"] == []
    with History(path) as history:
        reading = history.latest()["here"]
        assert before - 1 < reading.taken < time.time()
        assert reading.verdict == result["verdict"]
        samples = {(sample.metric, sample.subject): sample for sample in history.samples(reading.reading)}
        memory, disks = (result["ansible_facts"]["lifeline_" + name] for name in ("memory", "disks"))
        assert samples["memory_used_bytes", ""].value == memory["limit_bytes"] - memory["limit_available_bytes"]
        assert samples["memory_used_bytes", ""].capacity == memory["limit_bytes"]
        assert samples["fds_allocated", ""].value == result["ansible_facts"]["lifeline_fds"]["allocated"]
        for disk in disks["filesystems"]:
            if not disk["always_full"] and not disk["read_only"]:
                sample = samples["disk_used_bytes", disk["mount"]]
                assert (sample.value, sample.capacity) == (
                    disk["used_bytes"],
                    disk["used_bytes"] + disk["available_bytes"],
                )
        assert [{key: finding[key] for key in result["findings"][0]} for finding in history.findings("here")] == result[
            "findings"
        ]
        assert history.state("here")["cpus"] == os.cpu_count()
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        assert reading.booted is not None and reading.booted >= time.time() - uptime - 60


def test_without_the_variable_no_history_is_made(ansible, path, tmp_path):
    for options in ((), ("-e", "lifeline_history=")):
        code, output, result = ansible(options=options)
        assert code == 0
        assert "forecasts" not in result
        assert "Nothing is recorded" not in output
    assert os.listdir(tmp_path) == []


def test_a_leak_is_a_finding_and_in_the_table(ansible, path, leaking):
    code, output, _result = ansible(
        history=path, callback="lifeline.fleet.table", arguments="fail_on=critical", options=leaking, boxes="there"
    )
    line = output.splitlines()[1]
    assert code == 2
    assert line.split()[:2] == ["there", "critical"]
    assert re.search(r"leaker at the \S+M that it may use in about \d+ minutes", line)
    _code, _output, result = ansible(history=path, options=leaking)
    finding = next(finding for finding in result["findings"] if finding["check"] == "forecast_minutes")
    assert (finding["severity"], finding["unit"], finding["threshold"], finding["subject"]) == (
        "critical",
        "minutes",
        30,
        "leaker",
    )
    assert result["forecasts"][0]["message"] == finding["message"]
    assert 10 < finding["value"] <= 30


def test_check_mode_reads_a_history_and_writes_none(ansible, path, leaking):
    _code, _output, result = ansible(history=path, options=["--check", *leaking])
    assert result["forecasts"]
    with History(path) as history:
        assert len(history.readings("here")) == 40


def test_check_mode_makes_no_history(ansible, path, tmp_path):
    _code, output, result = ansible(history=path, options=["--check"])
    assert result["verdict"]
    assert "Nothing is recorded" not in output
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("module", "metric"),
    [
        ("memory_facts", "memory_used_bytes"),
        ("disk_facts", "disk_used_bytes"),
        ("fd_facts", "fds_allocated"),
        ("oom_facts", None),
        ("process_facts", "process_rss_bytes"),
        ("pressure_facts", "load_per_cpu"),
    ],
)
def test_what_the_fact_modules_read_is_kept(ansible, path, module, metric):
    code, _output, result = ansible(module, path)
    assert code == 0
    assert result["changed"] is False
    assert len(result["ansible_facts"]) == 1
    with History(path) as history:
        (reading,) = history.readings("here")
        assert (reading.source, reading.verdict) == (module, None)
        assert metric is None or metric in {sample.metric for sample in history.samples(reading.reading)}
        if module == "oom_facts":
            oom = result["ansible_facts"]["lifeline_oom"]
            assert bool(history.kills("here")) == bool(oom["events"] or oom["other_kills"])


def test_without_a_history_the_fact_modules_return_what_the_modules_return(ansible):
    code, output, result = ansible("memory_facts", options=["--check"])
    assert code == 0
    assert set(result) == {"ansible_facts", "changed"}
    code, output, result = ansible("fd_facts", arguments="top=nine")
    assert code == 2
    assert "'nine'" in output
    assert "invocation" not in result or result["failed"]


def test_playbooks_of_all_kinds(ansible, path, tmp_path):
    """Short names by C(collections), module_defaults by the action group, loops, async, delegation."""
    (tmp_path / "play.yml").write_text("""
- hosts: all
  gather_facts: false
  collections: [lifeline.fleet]
  vars:
    place: "{{ playbook_dir }}"
    lifeline_history: "{{ place }}/history.db"
    # Where HOME is not what the password file says, Ansible looks for its jobs in another folder than it keeps them in.
    ansible_async_dir: "{{ place }}/async"
  module_defaults:
    group/lifeline.fleet.facts: {top: 1}
  tasks:
    - process_facts:
      register: one
    - lifeline.fleet.process_facts:
      loop: [1, 2]
      register: two
    - memory_facts:
      module_defaults: {group/lifeline.fleet.facts: {}}
      async: 60
      poll: 1
      register: waited
    - pressure_facts:
      module_defaults: {group/lifeline.fleet.facts: {}}
      delegate_to: there
    - ansible.builtin.assert:
        that:
          - one.ansible_facts.lifeline_processes.processes | length == 1
          - two.results | length == 2
          - two.results[1].ansible_facts.lifeline_processes.processes | length == 1
          - waited.ansible_facts.lifeline_memory.total_bytes > 0
          - ansible_facts['lifeline_memory']['total_bytes'] > 0
""")
    playbook = [ANSIBLE.with_name("ansible-playbook"), "-i", "here,there,", "-c", "local", "-l", "here", "play.yml"]
    code, output, _result = ansible(command=playbook, callback="ansible.builtin.default")
    assert code == 0, output
    with History(path) as history:
        assert [(reading.box, reading.source) for reading in history.readings()] == [("here", "process_facts")] * 3 + [
            ("there", "pressure_facts")
        ]


def test_a_box_that_is_down_is_kept_as_well(ansible, path):
    code, _output, _result = ansible(history=path, options=["-c", "ssh", "-e", "ansible_host=127.0.0.1 ansible_port=1"])
    assert code == 4
    code, _output, _result = ansible(history=path, options=["-e", "ansible_shell_executable=/bin/true"])
    assert code == 2
    with History(path) as history:
        assert [reading.verdict for reading in history.readings("here")] == ["down", "unknown"]


def test_many_forks_keep_all_boxes(ansible, path):
    boxes = [f"box{number}" for number in range(12)]
    code, output, _result = ansible(
        history=path, boxes=",".join(boxes), options=["-f", "12"], callback="lifeline.fleet.table"
    )
    assert code == 0, output
    with History(path) as history:
        assert sorted(history.boxes()) == sorted(boxes)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"lifeline_history": True}, ["lifeline_history: not a path (True)", "give a file on the controller"]),
        ({"lifeline_history": "{{ nowhere }}/history.db"}, ["'nowhere' is undefined"]),
        ({"lifeline_history": "/dev/null"}, ["/dev/null is not a regular file"]),
        ({"lifeline_history": "/proc/history.db"}, ["/proc/history.db cannot be opened", "name a file"]),
        (
            {"lifeline_history": "h.db", "lifeline_history_days": "many"},
            ["lifeline_history_days: not a number of days ('many')"],
        ),
        (
            {"lifeline_history": "h.db", "lifeline_history_size": "5 horses"},
            ["lifeline_history_size", "'5 horses'", "13 GB"],
        ),
        ({"lifeline_history": "h.db", "lifeline_history_size": 5}, ["lifeline_history_size: less than 1 MB (5)"]),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_a_history_that_cannot_be_had_is_a_warning_and_no_more(ansible, variables, words):
    code, output, _result = ansible(
        options=["-e", json.dumps(variables)], callback="lifeline.fleet.table", boxes="one,two"
    )
    assert code == 0
    warning = " ".join(output.split()).partition("[WARNING]: ")[2]
    assert all(word in warning for word in [*words, "Nothing is recorded."])
    assert output.count("[WARNING]") == 1, "once, however many boxes"
    assert "2 boxes: " in output


def test_a_damaged_history_is_set_aside_and_said_so_once(ansible, path, tmp_path):
    path.write_text("no database " * 1000)
    code, output, _result = ansible(history=path, callback="lifeline.fleet.table", boxes="one,two,three")
    assert code == 0
    assert output.count("was damaged") == 1
    assert any(".damaged-" in entry for entry in os.listdir(tmp_path))
    with History(path) as history:
        assert sorted(history.boxes()) == ["one", "three", "two"]
