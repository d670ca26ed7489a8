# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps a box gets, in which order, and which it never gets."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import commands, plan as rescue_plan

MB = 1 << 20


def finding(check, subject=None, severity="critical", value=3, threshold=10):
    return {
        "check": check,
        "severity": severity,
        "subject": subject,
        "value": value,
        "threshold": threshold,
        "unit": "%",
        "message": f"{check} of {subject}",
    }


def worker(name="sidekiq", pids=(59,), rss=200 * MB):
    return {"name": name, "pids": list(pids), "rss_bytes": rss if pids else None}


def looked(*findings, workers=None, memory=256 * MB, fds=(), mounts=("/", "/data")):
    return {
        "findings": list(findings),
        "workers": [worker()] if workers is None else workers,
        "ansible_facts": {
            "lifeline_memory": {"limit_bytes": memory},
            "lifeline_fds": {"processes": list(fds)},
            "lifeline_disks": {"filesystems": [{"mount": mount} for mount in mounts]},
        },
    }


def evidence(**differs):
    return {
        "processes": {"59": {"unit": "sidekiq.service", "name": "ruby", "rss_bytes": 200 * MB}},
        "services": {},
        "workers": {"sidekiq.service": "sidekiq"},
        "titles": {"59": "sidekiq 7.3.2 app [1 of 5 busy]"},
        "deleted": [],
        "watched": [],
        "space": {},
        **differs,
    }


def names(*arguments, **options):
    steps, reasons = rescue_plan.plan(*arguments, **options)
    return [step.name for step in steps], reasons


def test_a_worker_that_takes_the_memory_is_restarted_quietly_and_then_by_force():
    steps, reasons = rescue_plan.plan(looked(finding("memory_available_percent")), evidence())
    assert [step.name for step in steps] == ["restart sidekiq.service", "kill and start sidekiq.service"]
    quiet = [("TSTP", [59])]
    assert steps[0].command == commands.restart_worker("sidekiq.service", [59], quiet, named=True)
    assert steps[1].command == commands.kill_worker("sidekiq.service", [59], named=True)
    assert {step.anew for step in steps} == {"sidekiq"}
    assert reasons == []


@pytest.mark.parametrize(
    ("title", "quiet"),
    [
        ("sidekiq 6.4.1 app [1 of 5 busy]", [("TSTP", [59])]),
        ("sidekiq 4.2.10 app [1 of 5 busy]", [("USR1", [59])]),
        ("resque-1.27: Waiting for *", []),
        ("", []),
    ],
)
def test_only_sidekiq_is_told_to_be_quiet(title, quiet):
    steps, _reasons = rescue_plan.plan(
        looked(finding("worker_memory_percent", "sidekiq")), evidence(titles={"59": title})
    )
    assert steps[0].command == commands.restart_worker("sidekiq.service", [59], quiet, named=True)


def test_several_findings_of_one_cause_are_one_step():
    both = looked(
        finding("memory_available_percent"),
        finding("worker_memory_percent", "sidekiq"),
        finding("memory_pressure_percent"),
    )
    assert names(both, evidence()) == (["restart sidekiq.service", "kill and start sidekiq.service"], [])


def test_warnings_get_no_step():
    assert names(looked(finding("memory_available_percent", severity="warning")), evidence()) == ([], [])


def test_a_worker_that_holds_too_little_is_left_alone():
    heavy = {"70": {"unit": "importer.service", "name": "java", "rss_bytes": 180 * MB}}
    light = looked(finding("memory_available_percent", value=1, threshold=10), workers=[worker(rss=10 * MB)])
    assert names(light, evidence(processes=heavy)) == (["restart importer.service"], [])


@pytest.mark.parametrize(
    ("unit", "reason"),
    [
        ("mariadb.service", "lifeline_rescue_spared"),
        ("ssh.service", "it is the way in"),
        ("systemd-journald.service", "it is systemd itself"),
        ("monit.service", "it is what watches this box"),
    ],
)
def test_what_must_not_be_restarted_is_not(unit, reason):
    heavy = {"70": {"unit": unit, "name": "heavy", "rss_bytes": 200 * MB}}
    steps, reasons = names(
        looked(finding("memory_available_percent"), workers=[]), evidence(processes=heavy, workers={})
    )
    assert steps == []
    assert len(reasons) == 1 and unit in reasons[0] and reason in reasons[0]


def test_a_worker_that_monit_started_is_restarted_by_monit():
    by_monit = evidence(workers={"monit.service": "sidekiq"}, watched=["sidekiq"])
    assert names(looked(finding("worker_memory_percent", "sidekiq")), by_monit) == (["have monit restart sidekiq"], [])


@pytest.mark.parametrize("unit", ["mysql.service", "cron.service", "ssh.service", "systemd-journald.service"])
@pytest.mark.parametrize("check", ["worker_memory_percent", "workers_missing", "memory_available_percent"])
def test_spared_and_protected_hold_for_workers_as_well(unit, check):
    found = looked(finding(check, "sidekiq"), workers=[worker(pids=() if check == "workers_missing" else (59,))])
    steps, _reasons = names(found, evidence(workers={unit: "sidekiq"}, processes={}))
    assert steps == []


def test_a_worker_in_a_spared_unit_is_told_of():
    _steps, reasons = names(
        looked(finding("worker_memory_percent", "sidekiq")), evidence(workers={"redis.service": "sidekiq"})
    )
    assert "redis.service is the worker sidekiq, and may not be restarted: it is in lifeline_rescue_spared" in reasons


def test_a_worker_without_a_unit_is_named():
    steps, reasons = names(looked(finding("worker_memory_percent", "sidekiq")), evidence(workers={}))
    assert steps == []
    (reason,) = reasons
    assert reason.startswith(
        "sidekiq (pid 59) belongs to no service that could be restarted, and monit doesn't know it; by hand: "
        "kill -TSTP 59; sleep 1; kill -TERM 59, and start it as before."
    )


OUTSIDE = {"59": {"unit": "session-3.scope", "name": "ruby", "rss_bytes": 200 * MB}}


@pytest.mark.parametrize(
    ("given", "ends", "watched", "steps"),
    [
        ({"sidekiq": "svc -t /service/sk"}, False, [], ["restart sidekiq by its own command"]),
        ({"sidekiq": "svc -t /service/sk"}, False, ["sidekiq"], ["restart sidekiq by its own command"]),
        ({"mail": "svc -t /service/mail"}, False, ["sidekiq"], ["have monit restart sidekiq"]),
        ({}, True, [], ["end sidekiq", "kill sidekiq"]),
        ({"sidekiq": "x"}, True, [], ["restart sidekiq by its own command", "end sidekiq", "kill sidekiq"]),
        ({}, False, [], []),
    ],
)
def test_a_worker_outside_a_unit_is_restarted_as_the_inventory_allows(given, ends, watched, steps):
    seen = evidence(workers={}, watched=watched, processes=OUTSIDE)
    found, reasons = rescue_plan.plan(
        looked(finding("worker_memory_percent", "sidekiq")), seen, restart_commands=given, end_processes=ends
    )
    assert [step.name for step in found] == steps and bool(reasons) == (not steps)
    assert all(step.anew == "sidekiq" for step in found)
    if given.get("sidekiq"):
        assert found[0].command == commands.given(given["sidekiq"], [("TSTP", [59])])
    if ends:
        assert found[-2].command == commands.end([59], [("TSTP", [59])], force=False)
        assert found[-1].command == commands.end([59], [("TSTP", [59])], force=True)


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ({"spared": ["docker*"]}, {"processes": {"59": {"unit": "docker-a.service", "name": "ruby", "rss_bytes": 1}}}),
        ({"spared": ["sidekiq*"]}, {"processes": OUTSIDE}),
        ({}, {"processes": OUTSIDE, "titles": {"59": "resque-1.27: Waiting for *"}}),
    ],
)
def test_a_spared_worker_or_one_that_is_not_sidekiq_is_not_ended(options, seen):
    found, reasons = rescue_plan.plan(
        looked(finding("worker_memory_percent", "sidekiq")), evidence(workers={}, **seen), end_processes=True, **options
    )
    assert found == [] and "sidekiq" in reasons[0]


def test_a_missing_worker_is_started_by_its_own_command():
    missing = looked(finding("workers_missing", "sidekiq"), workers=[worker(pids=())])
    found, _reasons = rescue_plan.plan(
        missing, evidence(workers={}), restart_commands={"sidekiq": "svc -u /service/sk"}
    )
    assert [step.name for step in found] == ["start sidekiq by its own command"]


def test_a_missing_worker_is_started():
    missing = looked(finding("workers_missing", "sidekiq"), workers=[worker(pids=())])
    steps, reasons = rescue_plan.plan(missing, evidence())
    assert [(step.name, step.anew) for step in steps] == [("start sidekiq.service", "sidekiq")] and reasons == []
    assert names(missing, evidence(workers={})) == (
        [],
        ["worker sidekiq is not running, and there is no sidekiq.service that could be started"],
    )


def test_a_worker_that_was_given_up_is_resumed():
    steps, _reasons = rescue_plan.plan(looked(finding("workers_given_up", "sidekiq")), evidence())
    assert [step.command for step in steps] == [commands.resume("sidekiq")]


@pytest.mark.parametrize("name", ["systemd-poweroff", "ssh", "mysql", "--help", "a b", "x;y"])
def test_what_is_no_worker_is_never_resumed(name):
    steps, reasons = names(looked(finding("workers_given_up", name)), evidence())
    assert steps == [] and "may not be resumed" in reasons[0]


def test_descriptors_are_the_workers_or_a_service_s():
    struck = [{"pid": 59, "name": "ruby"}]
    assert (
        names(looked(finding("process_fds_used_percent", "ruby"), fds=struck), evidence())[0][0]
        == "restart sidekiq.service"
    )
    other = evidence(processes={"80": {"unit": "proxy.service", "name": "proxy", "rss_bytes": MB}})
    assert names(looked(finding("process_fds_used_percent", "proxy"), fds=[{"pid": 80, "name": "proxy"}]), other) == (
        ["restart proxy.service"],
        [],
    )


def test_a_full_disk_loses_first_what_can_be_fetched_again():
    full = evidence(
        space={"/var/cache/apt/archives": 100 * MB, "/var/log/journal": 200 * MB},
        deleted=[{"path": "/var/log/big.log", "bytes": 500 * MB, "pid": 81, "unit": "logger.service"}],
        services={"logger.service": {"can_reload": True, "main_pid": 81}},
    )
    assert names(looked(finding("disk_used_percent", "/")), full) == (
        [
            "delete the packages that apt has downloaded",
            "shorten the journal to 64 MB",
            "reload logger.service",
            "restart logger.service",
        ],
        [],
    )


def test_what_lies_on_another_disk_is_left():
    other = evidence(
        space={"/var/cache/apt/archives": 100 * MB},
        deleted=[{"path": "/var/log/big.log", "bytes": 500 * MB, "pid": 81, "unit": "logger.service"}],
    )
    steps, reasons = names(looked(finding("disk_used_percent", "/data")), other)
    assert steps == [] and "no step of a rescue can fix it" in reasons[0]


def test_deleted_files_of_the_worker_and_of_processes_without_a_unit():
    held = evidence(
        deleted=[
            {"path": "/data/a", "bytes": 500 * MB, "pid": 59, "unit": "sidekiq.service"},
            {"path": "/data/b", "bytes": 400 * MB, "pid": 90, "unit": None},
        ]
    )
    steps, reasons = names(looked(finding("disk_used_percent", "/data")), held)
    assert steps == ["restart sidekiq.service", "kill and start sidekiq.service"]
    assert reasons == ["a process that belongs to no service holds 400M of deleted files on /data"]


@pytest.mark.parametrize(
    "check", ["root_read_only", "inodes_used_percent", "slab_unreclaimable_percent", "fds_used_percent"]
)
def test_what_no_step_mends_is_named(check):
    steps, reasons = names(looked(finding(check, "/")), evidence())
    assert steps == [] and reasons == [f"{check} of /: no step of a rescue can fix it"]


def test_what_is_past_is_no_reason_to_go_on():
    past = [finding("oom_kills"), finding("load_per_cpu")]
    assert rescue_plan.recovered(past)
    assert names(looked(*past), evidence())[0] == []
    assert not rescue_plan.recovered([*past, finding("root_read_only", "/")])


def test_every_command_is_one_for_any_shell():
    all_of_them = looked(
        finding("memory_available_percent"),
        finding("workers_given_up", "sidekiq"),
        finding("disk_used_percent", "/"),
        finding("workers_missing", "other"),
        workers=[worker(), worker("other", pids=())],
    )
    steps, _reasons = rescue_plan.plan(
        all_of_them,
        evidence(space={"/var/cache/apt/archives": 100 * MB, "/var/log/journal": 200 * MB}, watched=["other"]),
    )
    assert len(steps) == 6
    for step in steps:
        assert not set("'\n") & set(step.command + step.name)
        assert subprocess.run(["sh", "-n", "-c", step.command], check=False).returncode == 0


def test_a_name_that_systemd_escapes_reaches_it_as_it_is():
    unit = r"dev\x2dtools@a.service"
    heavy = evidence(processes={"70": {"unit": unit, "name": "heavy", "rss_bytes": 200 * MB}}, workers={})
    (step,), _reasons = rescue_plan.plan(looked(finding("memory_available_percent"), workers=[]), heavy)
    assert step.command == commands.restart(unit)


def test_what_is_no_name_of_a_service_never_reaches_a_shell():
    odd = evidence(processes={"70": {"unit": "a; reboot.service", "name": "heavy", "rss_bytes": 200 * MB}}, workers={})
    steps, reasons = names(looked(finding("memory_available_percent"), workers=[]), odd)
    assert steps == [] and "it is not a service" in reasons[0]
