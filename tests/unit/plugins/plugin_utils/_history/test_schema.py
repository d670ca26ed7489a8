# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables and views, as another program reads them."""

from __future__ import annotations

import re
import textwrap
import time

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import schema
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Kill
from histories import FINDING, NOW, ask, record, value
from paths import ROOT


def test_the_file_says_what_it_is(path):
    record(path)
    assert ask(path, "PRAGMA application_id") == [(schema.APPLICATION_ID,)]
    assert ask(path, "PRAGMA user_version") == [(schema.VERSION,)]


def test_the_views_have_names_and_times(path):
    record(
        path,
        taken=NOW + 0.25,
        verdict="ok",
        samples=value(5),
        findings=[FINDING],
        kills=[Kill(NOW, 5, "ruby")],
        state={"kernel": "6.1"},
    )
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW))
    assert ask(path, "SELECT box, time, source, verdict FROM reading_list") == [("web1", when, "health", "ok")]
    assert ask(path, "SELECT box, time, metric, value, capacity FROM sample_list") == [
        ("web1", when, "memory_used_bytes", 5, 1000)
    ]
    assert ask(path, "SELECT box, time, severity, message FROM finding_list") == [
        ("web1", when, "critical", FINDING["message"])
    ]
    assert ask(path, "SELECT box, time, pid, killer FROM kill_list") == [("web1", when, 5, "kernel")]
    assert ask(path, "SELECT box, time, name, value FROM state_list") == [("web1", when, "kernel", '"6.1"')]


def test_every_table_is_documented():
    text = (ROOT / "docs" / "history.md").read_text()
    names = re.findall(r"CREATE (?:TABLE|VIEW) (\w+)", schema.TABLES + schema.VIEWS)
    assert len(names) == 13
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_examples_of_the_documentation(path):
    text = (ROOT / "docs" / "history.md").read_text()
    questions = [textwrap.dedent(question) for question in re.findall(r"(?m)^(    SELECT(?:.|\n    )*;)$", text)]
    assert len(questions) == 3
    for number in range(3):
        record(
            path,
            "crawler2",
            NOW + 10 * number,
            samples=value(100 + number),
            findings=[FINDING],
            kills=[Kill(NOW + 15, 5, "ruby", rss_bytes=5 << 20)],
        )
    dangers, hours, kills = (ask(path, question) for question in questions)
    seconds = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW + after)) for after in (10, 15, 20)]
    assert dangers == [("crawler2", 3, seconds[2], FINDING["message"])]
    assert [hour[0] for hour in hours] in (["crawler2"], ["crawler2"] * 2)
    assert hours[-1][3] == 10.2
    assert kills == [("crawler2", seconds[1], "ruby", 5, seconds[0], 10)]
