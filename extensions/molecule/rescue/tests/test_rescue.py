# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the rescue of the boxes in converge, and of boxes that the tests make critical."""

from __future__ import annotations

import json
import pathlib
import stat
import tarfile

import pytest

LITTLE = 8 << 20


def of_kind(boxes, *kinds):
    found = type(boxes)(box for box in boxes if box.kind in kinds)
    assert found, kinds
    return found


def test_every_box_that_answers_has_recovered(boxes):
    for box, answer in zip(boxes, boxes.each(lambda box: box.module("health"))):
        if box.kind == "down":
            assert answer["unreachable"]
        else:
            assert answer["verdict"] in ("ok", "warning"), (box.name, answer["msg"])


def test_the_log_of_the_box_has_the_steps(boxes):
    for kind, step in (
        ("dying", "restart sidekiq.service"),
        ("idle", "start sidekiq.service"),
        ("held", "restart disk-filler.service"),
    ):
        for box in of_kind(boxes, kind):
            assert box.run("journalctl --quiet --output cat -t lifeline-rescue").splitlines()[0] == step
    for box in of_kind(boxes, "ok"):
        assert box.run("journalctl --quiet --output cat -t lifeline-rescue") == ""


@pytest.mark.parametrize("number", range(3))
def test_a_box_with_under_8_mb_left(boxes, rescue, number):
    dying = of_kind(boxes, "dying")
    dying.each(lambda box: box.leak())
    before = dict(zip(dying, dying.each(lambda box: (box.pid(), box.available()))))
    assert all(available < LITTLE for _pid, available in before.values()), before
    succeeded, output, archives, events = rescue(*dying)
    assert succeeded, output
    assert len(archives) == len(dying)
    for box in dying:
        assert box.pid() not in (0, before[box][0])
        assert box.module("health")["verdict"] == "ok"
        # The worker was stopped, not killed.
        assert [(event["event"], event.get("step")) for event in events if event["box"] == box.name] == [
            ("evidence", None),
            ("step", "restart sidekiq.service"),
            ("recovered", "restart sidekiq.service"),
        ]
        (archive,) = [path for path in archives if path.name.startswith(box.name)]
        check_archive(archive, box, before[box][0])


def check_archive(path, box, pid):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as archive:
        texts = {
            pathlib.PurePath(*pathlib.PurePath(member.name).parts[1:]).as_posix(): archive.extractfile(member)
            .read()
            .decode()
            for member in archive
        }
    about = json.loads(texts["about.json"])
    assert about["box"] == box.name and about["verdict"] == "critical"
    assert any(finding["check"] == "memory_available_percent" for finding in about["findings"])
    assert "[anonymous]" in texts[f"memory-map/{pid}.txt"] or "[heap]" in texts[f"memory-map/{pid}.txt"]
    assert "sidekiq" in texts["processes.txt"].splitlines()[1]
    assert "Id=sidekiq.service" in texts["units"]
    assert (
        texts[f"descriptors/{pid}"]
        and "Rss:" in texts[f"proc/{pid}/smaps_rollup"]
        and "MemTotal" in texts["proc/meminfo"]
    )


def test_check_mode_shows_the_steps_and_changes_nothing(boxes, rescue):
    box = of_kind(boxes, "idle")[0]
    box.run("systemctl stop sidekiq")
    succeeded, output, archives, events = rescue(box, options=["--check"])
    assert succeeded, output
    assert f"{box.name}: would take these steps while it is critical: start sidekiq.service" in output
    assert (archives, events, box.pid()) == ([], [], 0)


def test_a_box_is_skipped_if_the_share_is_used_up(boxes, rescue):
    box, down = of_kind(boxes, "idle")[0], of_kind(boxes, "down")[0]
    box.run("systemctl stop sidekiq")
    succeeded, output, archives, _events = rescue(*boxes, lifeline_rescue_share=25)
    assert not succeeded
    assert f"{box.name}: left: 1 of the {len(boxes)} boxes of rescue is away already ({down.name})" in output
    assert f"{down.name}: down, left to lifeline.fleet.reboot_down" in output
    assert (archives, box.pid()) == ([], 0)


def test_a_worker_that_cannot_be_started_is_reported(boxes, rescue):
    box = of_kind(boxes, "idle")[0]
    unit = box.run("systemctl show --value -p FragmentPath sidekiq")
    box.run(f"systemctl stop sidekiq && mv {unit} /root/away.service && systemctl daemon-reload")
    try:
        succeeded, output, archives, events = rescue(box, lifeline_rescue_only=box.name)
    finally:
        box.run(f"mv /root/away.service {unit} && systemctl daemon-reload && systemctl start sidekiq")
    assert not succeeded
    assert len(archives) == 1 and [event["event"] for event in events] == ["evidence"]
    assert "no sidekiq.service that could be started" in output


def test_a_worker_that_will_not_stop_is_killed_in_the_next_step(boxes, rescue):
    box = of_kind(boxes, "dying")[0]
    # Let systemd read its last files while the box still has memory.
    box.run("systemctl stop sidekiq")
    box.drop_in("sidekiq.service", "ExecStop=/bin/sleep 600", "TimeoutStopSec=600")
    try:
        box.leak()
        before = box.pid()
        succeeded, output, _archives, events = rescue(box, lifeline_rescue_patience=45)
    finally:
        box.remove_drop_in("sidekiq.service")
    assert succeeded, output
    assert [(event["event"], event.get("step")) for event in events] == [
        ("evidence", None),
        ("step", "restart sidekiq.service"),
        ("not recovered", "restart sidekiq.service"),
        ("step", "kill and start sidekiq.service"),
        ("recovered", "kill and start sidekiq.service"),
    ]
    assert box.pid() not in (0, before)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"lifeline_rescue_serial": 0}, "lifeline_rescue_serial: too small (0)"),
        ({"lifeline_rescue_share": 0}, "lifeline_rescue_share: out of range (0)"),
        ({"lifeline_rescue_patience": 0}, "lifeline_rescue_patience: out of range (0)"),
        ({"lifeline_rescue_only": "nobody"}, "lifeline_rescue_only: not among the boxes to check (nobody)"),
    ],
)
def test_wrong_settings_are_an_error(boxes, rescue, variables, named):
    succeeded, output, _archives, _events = rescue(of_kind(boxes, "ok")[0], **variables)
    assert not succeeded and named in output
