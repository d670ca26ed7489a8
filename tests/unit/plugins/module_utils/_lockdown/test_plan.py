# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the planned steps for each unit, and their descriptions."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown import files as lockdown_files, plan
from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown.choice import Choice

EMPTY = {"units": {}, "cron": {}, "scripts": None}


@pytest.fixture
def planned(systemd, files, options):
    """Return a function that plans a lockdown of units with a record and options."""

    def make(*names, record=None, **more):
        record = EMPTY if record is None else record
        asked = options(*names, **more)
        return plan.lockdown(files, Choice(systemd, asked, record), asked, record)

    return make


def test_a_running_enabled_unit_is_stopped_and_disabled(systemd, planned):
    systemd.add("web.service")
    systemd.enable("web.service")
    link = lockdown_files.UNITS + "/multi-user.target.wants/web.service"
    steps = planned("web").units["web.service"]
    assert steps == plan.Steps(True, {link: "/lib/systemd/system/web.service"}, {}, False, False, False)
    assert steps.disable


def test_a_unit_that_is_off_already_needs_nothing(systemd, planned):
    systemd.add("web.service", "inactive")
    assert planned("web").units["web.service"] == plan.Steps(False, {}, {}, False, False, False)


def test_a_mask_is_made_once_and_only_our_own_is_removed(systemd, files, planned):
    systemd.add("web.service", "inactive")
    assert planned("web", masked=True).units["web.service"].mask
    files.mask("web.service")
    assert not planned("web", masked=True).units["web.service"].mask
    assert not planned("web").units["web.service"].unmask
    record = {**EMPTY, "units": {"web.service": {"names": ["web.service"], "masked_here": True}}}
    assert planned("web", record=record).units["web.service"].unmask


def test_the_mask_of_a_template_covers_its_instances(systemd, root, planned, monkeypatch):
    systemd.add("many@a.service")
    monkeypatch.setattr("os.path.lexists", lambda path: path == "/lib/systemd/system/many@.service")
    units = planned("many@.service", masked=True).units
    assert units["many@.service"].mask and not units["many@a.service"].mask


def test_jobs_of_cron_go_with_services_by_any_name(systemd, root, planned):
    systemd.add("mta.service", Names="mta.service sendmail.service")
    systemd.add("daily.timer")
    for name in ("sendmail", "daily", "other"):
        (root / "etc/cron.d" / name).write_text("* * * * * root true\n")
    assert planned("mta", "daily.timer").jobs == ["/etc/cron.d/sendmail"]


def script(root, name):
    folder = root / lockdown_files.GENERATED.lstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("")


def test_scripts_that_were_there_before_the_first_lockdown_may_start(systemd, root, planned):
    systemd.add("web.service")
    for name in ("old.service", "web.service"):
        script(root, name)
    drop_ins = {path.split("/")[-2] for path in planned("web", guard_installs=True).guards if path.endswith(".conf")}
    assert drop_ins == {"service.d", "old.service.d"}
    script(root, "new.service")
    record = {**EMPTY, "scripts": ["old.service", "web.service"]}
    guards = planned("web", guard_installs=True, record=record).guards
    assert f"{lockdown_files.UNITS}/new.service.d/{lockdown_files.DROP_IN}" not in guards
    guards = planned("web", guard_installs=True, record=record, started=["new"]).guards
    assert f"{lockdown_files.UNITS}/new.service.d/{lockdown_files.DROP_IN}" in guards


def test_a_queue_may_be_installed_only_where_there_is_a_worker(systemd, planned):
    assert "enable redis*" not in planned(guard_installs=True).guards[lockdown_files.PRESET]
    systemd.add("sidekiq.service")
    assert "enable redis*" in planned(guard_installs=True).guards[lockdown_files.PRESET]
    assert planned(guard_installs=False).guards == {}


def test_a_service_that_its_package_starts_itself_gets_a_condition(systemd, planned):
    systemd.add("sendmail.service")
    guards = planned("sendmail", guard_installs=True).guards
    text = guards[f"{lockdown_files.UNITS}/sendmail.service.d/{lockdown_files.DROP_IN}"]
    assert "ConditionPathExistsGlob=/etc/systemd/system/*.wants/sendmail.service" in text


def test_the_summary_says_what_changes_with_the_states_before_and_after():
    summary = plan.Summary()
    summary.add_unit("off.service", plan.Steps(False, {}, {}, False, False, True))
    summary.add_unit("web.service", plan.Steps(True, {"/a": "/b"}, {}, True, False, False))
    summary.add_unit("old.service", plan.Steps(False, {}, {"/etc/rc2.d/S01old": "../init.d/old"}, False, True, True))
    summary.add_file("/etc/cron.d/web", "put aside", None)
    summary.add_guards({"/gone": "x\n", "/same": "y\n"}, {"/same": "y\n", "/new": "z\n"})
    assert summary.changes == [
        "web.service: stopped, disabled, masked",
        "old.service: disabled, unmasked",
        "/etc/cron.d/web: put aside",
        "/gone: removed",
        "/new: written",
    ]
    assert summary.diff() == {
        "before": "web.service: running, enabled\nold.service: stopped, enabled, masked\n/etc/cron.d/web: there\n"
        "/gone: there\n",
        "after": "web.service: stopped, disabled, masked\nold.service: stopped, disabled\n/new:\nz\n\n",
    }


def test_the_diff_of_nothing_is_empty():
    assert plan.Summary().diff() == {"before": "\n", "after": "\n"}
