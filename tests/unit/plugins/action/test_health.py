# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run health through Ansible on this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from paths import ROOT

pytestmark = pytest.mark.plays
ANSIBLE = Path(sys.executable).with_name("ansible")

# A threshold that any machine has reached, and the same one switched off.
STRUCK, OFF = "{warning: 0, critical: null}", "{warning: null, critical: null}"


@pytest.fixture
def health(tmp_path):
    """Return a function that runs health on this machine with an inventory and returns exit code, output, result."""

    def run(files=None, arguments="", options=(), callback="minimal", inventory=None):
        (tmp_path / "hosts.yml").write_text(
            "web: {hosts: {here: {ansible_connection: local, ansible_python_interpreter: /nowhere/python}}}\n"
        )
        for name, text in (files or {}).items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        done = subprocess.run(
            [
                ANSIBLE,
                "all",
                "-i",
                inventory or tmp_path / "hosts.yml",
                "-m",
                "lifeline.fleet.health",
                "-a",
                arguments,
                *options,
            ],
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
                ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".cache" / "collections"),
            ),
        )
        result = json.loads(done.stdout.partition(" => ")[2]) if callback == "minimal" else None
        return done.returncode, done.stdout + done.stderr, result

    return run


def checks(result):
    return {finding["check"]: finding["severity"] for finding in result["findings"]}


def test_it_needs_no_python_on_the_box_and_changes_nothing(health):
    code, _output, result = health()
    assert code == 0
    assert result["changed"] is False
    assert result["verdict"] in ("ok", "warning", "critical")
    assert result["msg"].startswith(result["verdict"] + ": ")
    meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    assert result["ansible_facts"]["lifeline_memory"]["total_bytes"] == int(meminfo["MemTotal"].split()[0]) * 1024


def test_check_mode_reads_as_well(health):
    _code, _output, result = health(options=["--check"])
    assert result["verdict"]
    assert result["ansible_facts"]["lifeline_disks"]["filesystems"]


def test_parts_that_the_probe_could_not_read_are_returned(health, tmp_path, monkeypatch):
    stat = tmp_path / "bin" / "stat"
    stat.parent.mkdir()
    # More answers than file systems.
    stat.write_text("#!/bin/sh\nyes error | head -n 99\n")
    stat.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stat.parent}:{os.environ['PATH']}")
    _code, _output, result = health()
    assert "local file systems" in result["unread"]
    assert "not read: local file systems" in result["msg"]


def test_each_layer_of_the_inventory_names_only_what_differs(health):
    _code, _output, result = health(
        {
            "group_vars/all.yml": "lifeline_thresholds:"
            f" {{pids_used_percent: {STRUCK}, fds_used_percent: {STRUCK}, ptys_used_percent: {STRUCK}}}",
            "group_vars/web.yml": "lifeline_thresholds:"
            f" {{fds_used_percent: {OFF}, memory_available_percent: {{warning: 100}}}}",
            "host_vars/here.yml": f"lifeline_thresholds: {{ptys_used_percent: {OFF}}}",
        }
    )
    found = checks(result)
    assert found["pids_used_percent"] == "warning"
    assert found["memory_available_percent"] == "warning"
    assert "fds_used_percent" not in found
    assert "ptys_used_percent" not in found


@pytest.mark.parametrize(
    ("box", "thresholds", "allowance"),
    [
        (
            "ficrawlerbig",
            {
                "worker_memory_percent": {"warning": 70, "critical": 100},
                "disk_used_percent": {"warning": 85, "critical": 95},
                "memory_available_percent": {"warning": 25, "critical": 10},
            },
            50 << 30,
        ),
        (
            "ficrawler3",
            {
                "worker_memory_percent": {"warning": 80, "critical": 100},
                "disk_used_percent": {"warning": 85, "critical": 95},
            },
            13 << 30,
        ),
        (
            "fiweb1",
            {
                "memory_available_percent": {"warning": 15, "critical": 5},
                "disk_used_percent": {"warning": 85, "critical": 92},
            },
            None,
        ),
    ],
)
def test_the_worked_example_gives_each_box_its_own(health, box, thresholds, allowance):
    _code, _output, result = health(
        inventory=ROOT / "inventories" / "production", options=["--limit", box, "-e", "ansible_connection=local"]
    )
    assert {name: result["thresholds"][name] for name in thresholds} == thresholds
    assert result["workers"][0]["max_memory_bytes"] == allowance


def test_templates_and_extra_variables_are_layers_as_well(health):
    _code, _output, result = health(
        {
            "group_vars/all.yml": "limit: 0\n"
            "lifeline_thresholds: {pids_used_percent: {warning: '{{ limit }}', critical: null}}"
        },
        options=["-e", "{lifeline_thresholds: {ptys_used_percent: %s}}" % STRUCK],
    )
    assert {"pids_used_percent", "ptys_used_percent"} <= set(checks(result))


def test_the_option_is_the_last_layer(health):
    _code, _output, result = health(
        {"host_vars/here.yml": "lifeline_thresholds: {pids_used_percent: %s}" % STRUCK},
        json.dumps({"thresholds": {"pids_used_percent": {"warning": None}}}),
    )
    assert "pids_used_percent" not in checks(result)


def test_a_missing_worker(health):
    code, _output, result = health(
        {
            "host_vars/here.yml": "max_sidekiq_memory: 100 MB\nlifeline_workers:\n"
            "  - {name: no-such-worker, max_memory: '{{ max_sidekiq_memory }}'}\n"
        }
    )
    assert code == 0
    assert checks(result)["workers_missing"] == "critical"
    assert result["workers"][0]["max_memory_bytes"] == 100 << 20


def test_what_may_listen_is_asked_only_where_the_inventory_tells_it(health):
    for files in ({}, {"group_vars/all.yml": "service_lockdown_expected: []"}):
        assert "lifeline_listeners" not in health(files)[2]["ansible_facts"]


def test_what_may_listen_is_merged_over_all_layers(health):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        files = {
            "group_vars/all.yml": "service_lockdown_expected: [{name: tcp/1}]",
            "host_vars/here.yml": "service_lockdown_expected: [{name: tcp/%d}]" % port,
        }

        def expected(result):
            return {
                one["expected"]
                for one in result["ansible_facts"]["lifeline_listeners"]["listeners"]
                if one["port"] == port
            }

        assert expected(health(files)[2]) == {True}
        files["host_vars/here.yml"] = "service_lockdown_expected: [{name: tcp/%d, state: absent}]" % port
        assert expected(health(files)[2]) == {False}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ("service_lockdown_expected: [{name: tcp/99999}]", ["service_lockdown_expected", "'tcp/99999'"]),
        ("service_lockdown_expected: [nginx]", ["service_lockdown_expected", "'nginx'"]),
        (
            "{service_lockdown_expected: [{name: tcp/1}], service_lockdown_protected: nginx}",
            ["service_lockdown_protected", "'nginx'"],
        ),
    ],
)
def test_what_cannot_be_expected_is_an_error_that_names_it(health, variables, words):
    code, output, _result = health({"group_vars/all.yml": variables}, callback="ansible.builtin.default")
    assert code == 2
    for word in words:
        assert word in output


@pytest.mark.parametrize(("fail_on", "code"), [("never", 0), ("warning", 2), ("critical", 0)])
def test_the_exit_code_is_for_cron_and_ci(health, fail_on, code):
    silent = {name: {"warning": None, "critical": None} for name in _check_names()}
    silent["pids_used_percent"] = {"warning": 0, "critical": None}
    arguments = json.dumps({"fail_on": fail_on, "thresholds": silent})
    exit_code, _output, result = health(arguments=arguments)
    assert result["verdict"] == "warning"
    assert exit_code == code


def _check_names():
    from ansible_collections.lifeline.fleet.plugins.module_utils._judge.thresholds import CHECKS

    return CHECKS


@pytest.mark.parametrize(
    ("files", "arguments", "words"),
    [
        (
            {"group_vars/web.yml": "lifeline_thresholds: {disk_full: {warning: 1}}"},
            "",
            ["lifeline_thresholds of web", "unknown check ('disk_full')", "disk_used_percent"],
        ),
        (
            {"host_vars/here.yml": "lifeline_thresholds: {disk_used_percent: {warning: much}}"},
            "",
            ["lifeline_thresholds of here", "disk_used_percent.warning: wrong value ('much')", "a number of percent"],
        ),
        (
            {"host_vars/here.yml": "max_sidekiq_memory: 13"},
            "",
            ["max_sidekiq_memory: less than 1 MB (13)", "write a unit"],
        ),
        ({}, "fail_on=sometimes", ["fail_on", "sometimes", "never, warning, critical"]),
        ({}, "oom_window=yesterday", ["oom_window", "'yesterday'", "24h"]),
        ({}, "timeout=0", ["timeout: out of range (0); use more than 0 and at most 60 seconds"]),
        ({}, "threshold=5", ["threshold"]),
    ],
)
def test_settings_that_cannot_be_followed_are_named(health, files, arguments, words):
    code, output, result = health(files, arguments)
    assert code == 2
    assert "verdict" not in result
    for word in words:
        assert word in output


def test_a_box_that_cannot_run_the_probe_is_no_healthy_box(health):
    code, output, result = health(options=["-e", "ansible_shell_executable=/bin/true"])
    assert code == 2
    assert "verdict" not in result
    assert "did not run the probe" in output


def test_the_table_shows_boxes_that_are_down_and_counts(health):
    code, output, _result = health(
        {
            "host_vars/gone.yml": "ansible_connection: ssh\nansible_host: 127.0.0.1\nansible_port: 1\n",
            "more.yml": "all: {hosts: {gone: {}}}",
        },
        options=["-i", "more.yml"],
        callback="lifeline.fleet.table",
    )
    lines = output.splitlines()
    assert code == 4
    assert lines[0].split()[:3] == ["BOX", "VERDICT", "MEMORY"]
    assert lines[1].split()[:2] == ["gone", "down"]
    assert "Connection refused" in lines[1]
    assert lines[2].startswith("here ")
    assert lines[3].startswith("2 boxes: 1 down, 1 ")


def test_settings_errors_stand_in_the_table_too(health):
    _code, output, _result = health({"host_vars/here.yml": "lifeline_thresholds: 5"}, callback="lifeline.fleet.table")
    assert output.splitlines()[1].split()[:2] == ["here", "unknown"]
    assert "not a dictionary" in output.splitlines()[1]


def test_verbose_output_has_the_full_result(health):
    _code, output, _result = health(options=["-v"], callback="lifeline.fleet.table")
    assert "here | SUCCESS => {" in output
    assert "1 box: 1 " in output


def test_other_modules_print_as_ansible_prints_them(tmp_path):
    def ansible(callback):
        return subprocess.run(
            [
                ANSIBLE,
                "localhost",
                "-i",
                "localhost,",
                "-c",
                "local",
                "-m",
                "ansible.builtin.command",
                "-a",
                "echo hello",
                "-e",
                "ansible_python_interpreter=" + sys.executable,
            ],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            cwd=tmp_path,
            env=dict(
                os.environ,
                ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
                ANSIBLE_STDOUT_CALLBACK=callback,
                ANSIBLE_NOCOLOR="1",
                ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".cache" / "collections"),
            ),
        ).stdout

    assert ansible("lifeline.fleet.table") == ansible("minimal") == "localhost | CHANGED | rc=0 >>\nhello\n"


def test_playbooks_print_as_ansible_prints_them_with_the_table_below_its_task(tmp_path):
    (tmp_path / "play.yml").write_text(
        "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n"
        "    - name: Look\n      lifeline.fleet.health:\n"
        "    - name: Say\n      ansible.builtin.debug: {msg: hello}\n"
    )
    done = subprocess.run(
        [ANSIBLE.with_name("ansible-playbook"), "-i", "localhost,", "play.yml"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=tmp_path,
        env=dict(
            os.environ,
            ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
            ANSIBLE_NOCOLOR="1",
            ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".cache" / "collections"),
        ),
    ).stdout
    order = [
        done.index(words)
        for words in ("TASK [Look]", "BOX ", "1 box: 1 ", "TASK [Say]", '"msg": "hello"', "PLAY RECAP")
    ]
    assert order == sorted(order)
