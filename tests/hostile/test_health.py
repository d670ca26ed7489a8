# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probe hosts whose users forge, block, blind and hide."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import facts, thresholds, verdict
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import workers
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import health, health_answer

WORKERS = workers(None, None, [{"name": name} for name in ("crawler", "link", "folder", "lock")])
SCRIPT = health.script(0.3, workers=WORKERS)
# It searches all command lines for what the pattern needs.
SEARCHING = health.script(0.3, workers=workers([{"name": "sidekiq", "pattern": "^sidekiq [0-9]"}], None))
LOOKS = 20


def judged(answer):
    """Return the sources, the facts and the judgement of an answer, and what was not read."""
    sources, unread, failed = health_answer.read(answer)
    found, table = facts.parse(sources, 86400), facts.process_table(sources)
    services = facts.services(sources, table)
    judgement = verdict.judge(
        found, table, facts.watchdog(sources), thresholds.merge([]), WORKERS, 86400, services=services, failed=failed
    )
    return sources, found, judgement, unread


def readers(left):
    """Return the processes of the look itself among those that were left."""
    return [process for process in left if process.split()[0] in ("head", "stat", "cat", "sh", "dash", "bash", "ash")]


def test_an_honest_host_is_judged(look):
    looked = look("none", SCRIPT)
    sources, found, judgement, unread = judged(looked.answer)
    assert looked.left == [] and unread == []
    assert found["lifeline_memory"]["total_bytes"] > 1 << 20
    assert judgement["verdict"] in verdict.SEVERITIES


@pytest.mark.parametrize("script", [SCRIPT, SEARCHING], ids=["by pidfile", "by pattern"])
def test_no_command_line_forges_a_record(look, script):
    sources, found, judgement, unread = judged(look("command_line", script).answer)
    assert not [name for name in sources if "watchdog" in name or "forged" in name]
    assert found["lifeline_memory"]["total_bytes"] > 1 << 20
    assert "777777" not in sources["fds"] and sources["/proc/1/limits"] != "Max open files 7 7 files\n"
    assert sources["/proc/1/stat"].startswith("1 (python")
    assert "forged" not in sources["/proc/1/cmdline"]
    assert not [one for one in judgement["findings"] if one["check"] == "workers_given_up"]
    # The processes of the attack are listed like all others.
    assert len([name for name, text in sources.items() if name.endswith("/cmdline") and "==>" in text]) > 8


def test_no_name_hides_a_process_or_forges_one(look):
    sources, _found, _judgement, _unread = judged(look("name", SCRIPT).answer)
    table = facts.process_table(sources)
    names = {process["name"] for process in table.values()}
    assert {r"\x0a==> x <==\x0a", r"\x0a1 (init) S", "a) R 1 1 1 1 1"} <= names
    assert table[1]["name"].startswith("python") and table[1]["ppid"] == 0


@pytest.mark.parametrize("attack", ["fifo", "pidfile"])
def test_a_pidfile_neither_blocks_nor_says_more_than_a_number(look, attack):
    looked = look(attack, SCRIPT, LOOKS)
    sources, _found, judgement, _unread = judged(looked.answer)
    assert looked.left == []
    assert facts.watchdog(sources)["pids"] == {}
    assert sorted(one["subject"] for one in judgement["findings"] if one["check"] == "workers_missing") == [
        "crawler",
        "folder",
        "link",
        "lock",
    ]
    assert not [name for name, text in sources.items() if "root:" in text and "sidekiq.pid" in name]


def test_a_pidfile_that_cannot_be_read_is_said(look):
    looked = look("silent_pidfile", SCRIPT, LOOKS)
    assert looked.left == []
    assert "/run/crawler/sidekiq.pid" in judged(looked.answer)[3]


def test_no_way_to_a_pidfile_leads_into_a_mount_that_never_answers(look):
    nested = [dataclasses.replace(worker, pidfile=f"/run/{worker.name}/sub/app.pid") for worker in WORKERS[1:3]]
    looked = look("links_to_silence", health.script(0.3, workers=[*WORKERS, *nested]), LOOKS)
    assert looked.left == []
    # Those behind a mount are said, and links are no pidfiles.
    assert judged(looked.answer)[3] == ["/run/folder/sidekiq.pid", "/run/folder/sub/app.pid"]


def test_command_lines_in_a_silent_mount_block_nothing(look):
    looked = look("silent_arguments", SCRIPT, LOOKS)
    sources, _found, _judgement, unread = judged(looked.answer)
    assert readers(looked.left) == [] or all("hangs" in one for one in unread)
    assert len([name for name in sources if name.endswith("/cmdline")]) > 2
    assert len([process for process in facts.process_table(sources).values() if process["name"] == "mapped"]) == 2


def test_a_users_own_mount_is_not_asked(look):
    looked = look("silent_user", SCRIPT, LOOKS)
    assert looked.left == []
    assert judged(looked.answer)[1]["lifeline_disks"]["hung"] == []


def test_a_users_mount_over_another_does_not_lie_in_the_way(look):
    looked = look("covered", SCRIPT, LOOKS)
    _sources, found, _judgement, unread = judged(looked.answer)
    assert looked.left == [] and unread == []
    disks = {disk["mount"] for disk in found["lifeline_disks"]["filesystems"] if disk["readable"]}
    assert "/" in disks and disks.isdisjoint({"/run/user/1000", "/tmp/home/data"})


@pytest.mark.parametrize("attack", ["stopped_system", "gone_system", "dead_mounts_and_fifos"])
def test_dead_mounts_and_fifos_leave_no_process_behind(look, attack):
    looked = look(attack, SCRIPT, LOOKS)
    disks = judged(looked.answer)[1]["lifeline_disks"]
    assert looked.left == []
    failed = {disk["mount"] for disk in disks["filesystems"] if disk["failed"]}
    assert {"/tmp/silent"} <= failed | set(disks["hung"])


def test_a_dead_mount_of_the_system_is_waited_for_by_one_process_at_most(look):
    looked = look("silent_system", SCRIPT, LOOKS)
    # It survives SIGKILL until the mount answers; no further one is sent there.
    assert looked.left in ([], ["stat D"])
    assert judged(looked.answer)[1]["lifeline_disks"]["hung"] == ["/tmp/silent"]


def test_thousands_of_sockets_blind_nothing(look):
    script = health.script(0.3, listeners=True)
    sources = health_answer.read(look("sockets", script).answer).sources
    listeners = facts.parse(sources, 86400, [])["lifeline_listeners"]
    assert len([one for one in listeners["listeners"] if one["name"] == "opened"]) >= 9000


@pytest.mark.parametrize("attack", ["processes", "small_stack"])
def test_many_processes_and_little_room_for_arguments_blind_nothing(look, attack):
    sources, _found, _judgement, unread = judged(look(attack, SCRIPT).answer)
    many = [text for name, text in sources.items() if name.endswith("/cmdline") and text.startswith("lifeline-many")]
    assert len(many) >= 300 and unread == []
    assert len(facts.process_table(sources)) > len(many)


def test_a_mount_point_forges_no_other(look):
    _sources, found, _judgement, unread = judged(look("mount_point", SCRIPT).answer)
    disks = {disk["mount"]: disk for disk in found["lifeline_disks"]["filesystems"]}
    assert unread == []
    assert disks["/"]["size_bytes"] > 1 << 20
    assert any(r"\x0a4096" in mount for mount in disks)
