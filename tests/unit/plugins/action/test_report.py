# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook lifeline.fleet.report through Ansible itself, on this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from paths import ROOT

pytestmark = pytest.mark.plays
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
# One box answers, one can't be reached, and one can't be judged.
BOXES = """
web:
  hosts:
    here: {ansible_connection: local}
    gone: {ansible_host: 127.0.0.1, ansible_port: 1}
    odd: {ansible_connection: local, lifeline_thresholds: {nonsense: 1}}
"""


@pytest.fixture
def report(tmp_path):
    """Return a function that plays the playbook, and returns its exit code, its output and its page, if any."""
    (tmp_path / "hosts.yml").write_text(BOXES)

    def play(*options, **variables):
        path = Path(variables.pop("path", tmp_path / "out" / "fleet.html"))
        given = dict(variables, lifeline_report_path=path)
        done = subprocess.run(
            [
                PLAYBOOK,
                "-i",
                tmp_path / "hosts.yml",
                "lifeline.fleet.report",
                *options,
                *(word for name, value in given.items() for word in ("-e", f"{name}={value}")),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=tmp_path,
            env=dict(
                os.environ,
                ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
                ANSIBLE_STDOUT_CALLBACK="default",
                ANSIBLE_NOCOLOR="1",
                ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".cache" / "collections"),
            ),
        )
        return done.returncode, " ".join(done.stdout.split()), path.read_text() if path.is_file() else None

    return play


def verdicts(page):
    return dict(re.findall(r'<tr role="row" class="\w+" data-verdict="(\w+)".*?<bdi>(.*?)</bdi>', page, re.DOTALL))


def test_it_reports_boxes_that_answer_and_boxes_that_do_not(report, tmp_path):
    code, output, page = report()
    assert code == 0, output
    found = {box: verdict for verdict, box in verdicts(page).items()}
    assert found.pop("here") in ("ok", "warning", "critical")
    assert found == {"gone": "down", "odd": "unknown"}
    assert "Connection refused" in page and "nonsense" in page and "There is no history" in page
    assert (tmp_path / "out" / "fleet.html").stat().st_mode & 0o777 == 0o644


def test_check_mode_writes_nothing(report, tmp_path):
    code, _output, page = report("--check", lifeline_history=tmp_path / "history.db")
    assert (code, page) == (0, None)
    assert not (tmp_path / "history.db").exists()


def test_the_history_alone_asks_no_box(report, tmp_path):
    history = tmp_path / "history.db"
    assert report(lifeline_history=history)[0] == 0
    before = history.stat().st_mtime_ns
    code, output, page = report(lifeline_history=history, lifeline_report_fresh="false", lifeline_report_mode="0600")
    assert code == 0, output
    assert "the boxes were not asked" in page
    assert {box: verdict for verdict, box in verdicts(page).items()}["gone"] == "down"
    assert history.stat().st_mtime_ns == before
    assert (tmp_path / "out" / "fleet.html").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"lifeline_report_days": 0}, "days: out of range (0); use a number above 0 and at most 366"),
        (
            {"lifeline_report_mode": "420"},
            "mode: not a file mode ('420'); give four octal digits in quotes, such as '0644'",
        ),
        ({"path": "/proc"}, "path: a folder (/proc); name a file in it, such as /proc/report.html"),
        (
            {"path": "/proc/nowhere/page.html"},
            "path: cannot write /proc/nowhere/page.html (No such file or directory); name another file",
        ),
        (
            {"lifeline_report_fresh": "false"},
            "nothing to report: no host was asked; set lifeline_history to report the past",
        ),
        (
            {"lifeline_report_fresh": "false", "lifeline_history": "/nowhere/h.db"},
            "nothing has been recorded there yet",
        ),
    ],
)
def test_what_can_not_work_is_one_clear_error(report, variables, words):
    code, output, page = report("--limit", "here", **variables)
    assert code != 0
    assert words in output
    assert page is None
