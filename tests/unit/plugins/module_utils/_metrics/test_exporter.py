# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that exports metrics, on every Python that a box may have, and on this machine: it runs there without Ansible."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import facts as probe_facts, thresholds
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import workers
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics import (
    box_reader,
    prometheus,
    settings as exporter_settings,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics.prometheus import Family
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _program
from paths import ROOT

PROGRAM = ROOT / "roles" / "metrics" / "files" / "lifeline-metrics.py"


# --- text ---------------------------------------------------------------------------------------------------------------------------


def test_values_labels_and_help_are_written_as_prometheus_reads_them():
    families = [
        Family("a_bytes", "gauge", "One \\ and\ntwo.", [({}, 1 << 40)]),
        Family(
            "b_ratio",
            "gauge",
            "Shares.",
            [({"mountpoint": '/a "b"\\c\nd'}, 0.1), ({"mountpoint": "/\u00e9"}, 0.0), ({"mountpoint": "/x"}, None)],
        ),
        Family("c_total", "counter", "Yes or no.", [({}, True)]),
        Family("d", "gauge", "Unknown.", [({}, None)]),
    ]
    assert prometheus.text(families) == (
        "# HELP a_bytes One \\\\ and\\ntwo.\n# TYPE a_bytes gauge\na_bytes 1099511627776\n"
        '# HELP b_ratio Shares.\n# TYPE b_ratio gauge\nb_ratio{mountpoint="/a \\"b\\"\\\\c\\nd"} 0.1\nb_ratio{mountpoint="/\u00e9"} 0.0\n'
        "# HELP c_total Yes or no.\n# TYPE c_total counter\nc_total 1\n"
    )


def test_two_samples_of_one_series_are_an_error():
    with pytest.raises(ValueError, match=r'two of the sample a\{b="c"\}'):
        prometheus.text([Family("a", "gauge", "A.", [({"b": "c"}, 1), ({"b": "c"}, 2)])])


# --- the box -------------------------------------------------------------------------------------------------------------------------


def test_this_machine_is_read_as_init_sees_it():
    sources = box_reader.read(timeout=2)
    facts = probe_facts.parse(sources, 86400)
    kilobytes = int(re.search(r"^MemTotal: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE).group(1))
    assert facts["lifeline_memory"]["total_bytes"] == kilobytes * 1024
    root = next(disk for disk in facts["lifeline_disks"]["filesystems"] if disk["mount"] == "/")
    assert root["size_bytes"] == os.statvfs("/").f_frsize * os.statvfs("/").f_blocks
    table = probe_facts.process_table(sources)
    assert table[os.getpid()]["command_line"] == Path("/proc/self/cmdline").read_text().replace("\0", " ").strip()
    assert facts["lifeline_fds"]["maximum"] == int(Path("/proc/sys/fs/file-nr").read_text().split()[2])
    if os.geteuid() == 0:
        assert sources["/proc/self/cgroup"] == Path("/proc/1/cgroup").read_text()
        assert sources["/proc/self/mountinfo"] == Path("/proc/1/mountinfo").read_text()


# --- the program ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def program(tmp_path):
    """The program as the role installs it, and settings of its own."""
    texts = {
        "__main__.py": PROGRAM.read_text(encoding="utf-8"),
        **_program.modules(PROGRAM.read_text(encoding="utf-8")),
    }
    for name, text in texts.items():
        path = tmp_path / "program" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    told = workers([{"name": "tests", "pattern": "pytest", "max_memory": "50%"}], None)
    (tmp_path / "settings.json").write_text(exporter_settings.text(thresholds.defaults(), told, 60, "24h", 2))
    return tmp_path


def run(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-I", "-S", "-B", str(folder / "program"), *map(str, arguments)],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )


def test_it_runs_with_nothing_but_the_standard_library(program):
    done = run(program, program / "settings.json", program / "out.prom")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    text = (program / "out.prom").read_text(encoding="utf-8")
    assert re.search(r"^lifeline_memory_limit_available_bytes [1-9]\d+$", text, re.MULTILINE)
    assert re.search(r'^lifeline_worker_processes\{worker="tests"\} [1-9]\d*$', text, re.MULTILINE)
    assert re.search(
        r'^lifeline_filesystem_size_bytes\{mountpoint="/",device="[^"]+",fstype="[^"]+"\} [1-9]\d+$', text, re.MULTILINE
    )
    assert re.search(
        r'^lifeline_threshold_ratio\{check="disk_used_percent",severity="critical"\} 0.95$', text, re.MULTILINE
    )


def test_without_a_file_it_shows_what_it_would_write(program):
    done = run(program, program / "settings.json")
    assert done.returncode == 0 and done.stdout.startswith("# HELP lifeline_collector_timestamp_seconds ")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "usage: lifeline-metrics SETTINGS [FILE]"),
        (["missing.json"], 1, "missing.json: No such file or directory"),
        (["program/__main__.py"], 1, "program/__main__.py: Expecting value"),
        (["settings.json", "missing/out.prom"], 1, "missing/out.prom: No such file or directory"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(program, arguments, code, said):
    done = run(program, *(program / argument for argument in arguments))
    assert done.returncode == code
    assert said in done.stderr and len(done.stderr.splitlines()) == 1


def test_only_what_it_imports_comes_along(program):
    names = set(_program.modules(PROGRAM.read_text(encoding="utf-8")))
    prefix = "ansible_collections/lifeline/fleet/plugins/"
    assert {
        prefix + "module_utils/_judge/verdict.py",
        prefix + "module_utils/_oom/logs.py",
        prefix + "module_utils/_proc/memory.py",
    } <= names
    assert not [
        name
        for name in names
        if "ssh_door" in name
        or "fail2ban" in name
        or "/modules/" in name
        or "_settings.py" in name
        and "_exporter" not in name
    ]
