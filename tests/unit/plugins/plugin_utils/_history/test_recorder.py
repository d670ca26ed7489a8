# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history that the inventory asks for."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleUndefinedVariable

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import recorder as history_recorder
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.recorder import Recorder, settings
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Reading
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History
from histories import record


class Templar:
    def template(self, value):
        if value == "{{ nowhere }}":
            raise AnsibleUndefinedVariable("'nowhere' is undefined")
        return value


class Display:
    """Ansible's display, which keeps the warnings."""

    warnings = []

    def warning(self, text):
        self.warnings.append(text)


@pytest.fixture
def warnings(monkeypatch):
    """Return the list of the warnings that the user sees."""
    monkeypatch.setattr(history_recorder, "Display", Display)
    Display.warnings = []
    return Display.warnings


def task(check_mode=False, delegate_to=None):
    return SimpleNamespace(check_mode=check_mode, delegate_to=delegate_to)


def recorder(history, box="web1", **options):
    return Recorder(task(**options), Templar(), {"inventory_hostname": box, "lifeline_history": history})


def test_without_a_history_nothing_happens(warnings):
    for history in (None, "", False):
        with recorder(history) as one:
            assert not one
            one.record(Reading("web1", "health"))
            assert one.ask(lambda history: history.boxes(), "nothing") == "nothing"
    assert warnings == []


def test_readings_are_recorded_and_asked_for(path, warnings):
    with recorder(path) as one:
        assert one and one.box == "web1"
        one.record(Reading(one.box, "health"))
        assert one.ask(lambda history: history.boxes(), []) == ["web1"]
    assert not one
    assert warnings == []


def test_a_delegated_task_is_about_the_host_that_it_is_delegated_to():
    assert recorder(None, delegate_to="db1").box == "db1"
    assert Recorder(task(), Templar(), {}).box == "localhost"
    assert Recorder(task(delegate_to="db1"), Templar(), {}, "web2").box == "web2"


def test_check_mode_reads_and_does_not_write(path, warnings):
    with recorder(path, check_mode=True) as one:
        assert not one
    assert not os.path.exists(path)
    record(path)
    with recorder(path, check_mode=True) as one:
        assert one.ask(lambda history: history.boxes(), []) == ["web1"]
        one.record(Reading("web2", "health"))
    with History(path) as history:
        assert history.boxes() == ["web1"]
    assert warnings == []


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ("/dev/null", "the history /dev/null is not a regular file"),
        (7, "lifeline_history: not a path (7)"),
        ("{{ nowhere }}", "'nowhere' is undefined"),
    ],
)
def test_a_history_that_cannot_be_used_is_a_warning(warnings, history, words):
    with recorder(history) as one:
        assert not one
        one.record(Reading("web1", "health"))
    assert len(warnings) == 1
    assert words in warnings[0] and warnings[0].endswith(". Nothing is recorded.")


def test_an_error_while_recording_is_a_warning_and_ends_the_recording(path, warnings):
    with recorder(path) as one:
        one.record(Reading("web1", "health", float("nan")))
        assert not one
        one.record(Reading("web1", "health"))
    assert len(warnings) == 1 and "constraint failed" in warnings[0]


def test_a_damaged_history_is_told(path, warnings):
    with open(path, "w") as file:
        file.write("no database " * 1000)
    with recorder(path) as one:
        one.record(Reading("web1", "health"))
    assert len(warnings) == 1 and "was damaged" in warnings[0]


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, (None, {})),
        ({"lifeline_history": "h.db"}, ("h.db", {})),
        (
            {"lifeline_history": "h.db", "lifeline_history_days": "0.5", "lifeline_history_size": "2 MB"},
            ("h.db", {"days": 0.5, "size": 2 << 20}),
        ),
    ],
)
def test_settings(variables, found):
    assert settings(Templar(), variables) == found


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"lifeline_history": True},
            "lifeline_history: not a path (True); give a file on the controller, such as ~/lifeline/history.db",
        ),
        (
            {"lifeline_history_days": "many"},
            "lifeline_history_days: not a number of days ('many'); give a number above 0, such as 30",
        ),
        (
            {"lifeline_history_days": 0},
            "lifeline_history_days: not a number of days (0); give a number above 0, such as 30",
        ),
        (
            {"lifeline_history_days": "nan"},
            "lifeline_history_days: not a number of days ('nan'); give a number above 0, such as 30",
        ),
        (
            {"lifeline_history_size": 5},
            "lifeline_history_size: less than 1 MB (5); give a size with a unit, such as 500 MB",
        ),
    ],
)
def test_settings_that_are_wrong(variables, message):
    with pytest.raises(SettingsError) as caught:
        settings(Templar(), {"lifeline_history": "h.db", **variables})
    assert str(caught.value) == message


def test_a_size_that_is_none_is_named_with_its_variable():
    with pytest.raises(SettingsError, match="lifeline_history_size: .*'5 horses'"):
        settings(Templar(), {"lifeline_history": "h.db", "lifeline_history_size": "5 horses"})


@pytest.mark.parametrize("error", [KeyError("swap"), TypeError("'<' not supported"), ZeroDivisionError("x")])
def test_an_answer_of_an_unexpected_shape_is_a_warning(path, warnings, error):
    def read():
        raise error

    with recorder(path) as one:
        one.record_result(read)
        one.record_result(lambda: Reading("web1", "health"))
    assert warnings == [f"web1: its answer has an unexpected shape ({error!r}). Nothing is recorded."]
    with History(path) as history:
        assert len(history.readings()) == 1


def test_without_a_history_an_answer_is_not_read(warnings):
    with recorder(None) as one:
        one.record_result(lambda: pytest.fail("it was read"))
    assert warnings == []
