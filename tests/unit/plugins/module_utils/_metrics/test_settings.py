# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the exporter on a box is told."""

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
def test_the_box_makes_of_it_what_the_controller_judges_by(declared):
    told = exporter_settings.parse(text(declared, window="12h"))
    assert told == {
        "thresholds": thresholds.defaults(),
        "workers": workers(declared, "13 GB"),
        "oom_window": 43200,
        "interval": 60,
        "timeout": 5,
    }


def test_the_same_settings_are_the_same_text():
    assert text() == text() and text().endswith("}\n")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            {"declared": [{"name": "a"}, {"name": "a"}]},
            "lifeline_workers names 'a' twice: each needs a name of its own",
        ),
        ({"interval": 9}, "metrics_interval_seconds is 9: it must be 10 to 3600"),
        ({"interval": 3601}, "metrics_interval_seconds is 3601: it must be 10 to 3600"),
        ({"timeout": 0}, "metrics_timeout_seconds is 0: it must be more than 0, and at most half of the 60 seconds"),
        ({"timeout": 31}, "metrics_timeout_seconds is 31: it must be more than 0"),
        ({"timeout": float("nan")}, "metrics_timeout_seconds is nan: it must be more than 0"),
        ({"window": "a day"}, "metrics_oom_window: 'a day' is no duration"),
    ],
)
def test_what_can_t_be_is_refused_by_its_name(options, complaint):
    with pytest.raises(SettingsError) as error:
        text(**options)
    assert complaint in str(error.value)
