# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exporter's settings, written by the controller and parsed on the host."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import thresholds
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import workers
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics import settings as exporter_settings


def text(declared=None, interval=60, window="24h", timeout=5):
    return exporter_settings.text(thresholds.defaults(), workers(declared, "13 GB"), interval, window, timeout)


@pytest.mark.parametrize(
    "declared", [None, [], [{"name": "a", "pattern": r"^a\d", "max_memory": "60%", "required": False}, {"name": "b"}]]
)
def test_parse_returns_what_text_was_given(declared):
    told = exporter_settings.parse(text(declared, window="12h"))
    assert told == {
        "thresholds": thresholds.defaults(),
        "workers": workers(declared, "13 GB"),
        "oom_window": 43200,
        "interval": 60,
        "timeout": 5,
    }


def test_the_same_settings_give_the_same_text():
    assert text() == text() and text().endswith("}\n")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            {"declared": [{"name": "a"}, {"name": "a"}]},
            "lifeline_workers: two workers have the same name ('a'); rename one of them",
        ),
        ({"interval": 9}, "metrics_interval_seconds: out of range (9); use 10 to 3600"),
        ({"interval": 3601}, "metrics_interval_seconds: out of range (3601); use 10 to 3600"),
        (
            {"timeout": 0},
            "use more than 0, and at most half of metrics_interval_seconds (60)",
        ),
        ({"timeout": 31}, "metrics_timeout_seconds: out of range (31); use more than 0"),
        ({"timeout": float("nan")}, "metrics_timeout_seconds: out of range (nan); use more than 0"),
        ({"window": "a day"}, "metrics_oom_window: not a duration ('a day')"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(options, complaint):
    with pytest.raises(SettingsError) as error:
        text(**options)
    assert complaint in str(error.value)


@pytest.mark.parametrize("document", ["", "{", "nonsense"])
def test_parse_refuses_what_is_not_json(document):
    with pytest.raises(ValueError):
        exporter_settings.parse(document)
