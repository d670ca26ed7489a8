# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that exports metrics, run on this machine without Ansible, on every Python that a host may have."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import thresholds
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import workers
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics import settings as exporter_settings
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _program
from paths import ROOT

PROGRAM = ROOT / "roles" / "metrics" / "files" / "lifeline-metrics.py"


@pytest.fixture
def program(tmp_path):
    """Install the program as the role does, with settings."""
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


def test_it_runs_with_only_the_standard_library(program):
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


def test_without_a_file_it_prints_the_metrics(program):
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
def test_an_error_is_one_line(program, arguments, code, said):
    done = run(program, *(program / argument for argument in arguments))
    assert done.returncode == code
    assert said in done.stderr and len(done.stderr.splitlines()) == 1


def test_only_imported_modules_are_installed(program):
    names = set(_program.modules(PROGRAM.read_text(encoding="utf-8")))
    prefix = "ansible_collections/lifeline/fleet/plugins/"
    assert {
        prefix + "module_utils/_judge/verdict.py",
        prefix + "module_utils/_oom/logs.py",
        prefix + "module_utils/_proc/memory.py",
    } <= names
    unwanted = ("plugin_utils", "ssh_door", "fail2ban", "/modules/")
    assert not [name for name in names if any(word in name for word in unwanted)]
