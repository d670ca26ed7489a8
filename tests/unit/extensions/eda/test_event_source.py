# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the event source with a real ansible-playbook, run by its path as ansible-rulebook runs it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import runpy
import sys
import time
from pathlib import Path

import pytest
import yaml

from ansible_collections.lifeline.fleet.plugins.module_utils._judge.thresholds import CHECKS
from paths import ROOT

pytestmark = pytest.mark.plays
SOURCE = ROOT / "extensions" / "eda" / "plugins" / "event_source" / "health.py"
RULEBOOK = ROOT / "extensions" / "eda" / "rulebooks" / "rescue.yml"
ANSIBLE_PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
PATIENCE = 120


@pytest.fixture(autouse=True)
def ansible(monkeypatch):
    monkeypatch.setenv("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(ROOT / ".cache" / "collections"))


@pytest.fixture
def inventory(tmp_path):
    """Return a function that writes an inventory of this machine and unreachable ones, and returns its path."""

    def write(level=None, gone=0, text=None):
        # Every machine reaches this level, and no other check is on.
        thresholds = {name: {"warning": None, "critical": None} for name in CHECKS}
        if level:
            thresholds["memory_available_percent"][level] = 100
        hosts = {"here": {"ansible_connection": "local", "ansible_become": False}}
        for number in range(gone):
            hosts[f"gone{number}"] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
        path = tmp_path / "hosts.yml"
        path.with_suffix(".new").write_text(
            text or json.dumps({"web": {"hosts": hosts, "vars": {"lifeline_thresholds": thresholds}}})
        )
        path.with_suffix(".new").replace(path)
        return str(path)

    return write


def source():
    return runpy.run_path(str(SOURCE))["main"]


@contextlib.asynccontextmanager
async def watching(**arguments):
    """Run the source; yield its queue and its task."""
    queue = asyncio.Queue()
    task = asyncio.create_task(
        source()(queue, {"ansible_playbook": ANSIBLE_PLAYBOOK, "interval": 1, "settle": 1, **arguments})
    )
    try:
        yield queue, task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def following(queue, task):
    """Return the next event of the source; fail if the source ends."""
    event = asyncio.ensure_future(queue.get())
    await asyncio.wait([event, task], timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    assert event.done(), f"no event within {PATIENCE} s"
    assert list(event.result()) == ["health"]
    return event.result()["health"]


def test_a_change_is_an_event_and_an_unchanged_finding_is_none(inventory):
    async def scene():
        async with watching(inventory=inventory("warning", gone=3)) as watch:
            first = [await following(*watch) for _event in range(4)]
            assert {(event["box"], event["change"], event["severity"]) for event in first} == {
                ("here", "appeared", "warning"),
                *((f"gone{number}", "appeared", "down") for number in range(3)),
            }
            inventory("critical", gone=3)
            event = await following(*watch)
            assert (event["box"], event["change"], event["was"], event["severity"]) == (
                "here",
                "worsened",
                "warning",
                "critical",
            )
            assert event["check"] == "memory_available_percent"
            assert "memory available" in event["message"]
            inventory(gone=3)
            event = await following(*watch)
            assert (event["box"], event["change"], event["severity"]) == ("here", "cleared", "ok")

    asyncio.run(scene())


def test_a_failed_check_is_one_event_and_the_source_goes_on(inventory, tmp_path):
    async def scene():
        async with watching(
            inventory=inventory(text="web: [this, is, no, inventory"), extra_vars={"ansible_become": False}
        ) as watch:
            event = await following(*watch)
            assert (event["box"], event["change"], event["check"]) == (None, "failed", "watch")
            assert event["message"].startswith("no box was checked")
            inventory("critical")
            event = await following(*watch)
            assert (event["box"], event["change"]) == (None, "works")
            assert (await following(*watch))["box"] == "here"

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            {"ansible_playbook": "/nowhere/ansible-playbook"},
            "/nowhere/ansible-playbook: cannot be run (No such file or directory)",
        ),
        (
            {"ansible_playbook": ["sh", "-c", "echo '[ERROR]: it is broken'; exit 3"]},
            "no box was checked (exit code 3): [ERROR]: it is broken",
        ),
        (
            {"ansible_playbook": ["sh", "-c", "exec sleep 1000"], "timeout": 1},
            "timeout: the check has not ended within 1 s",
        ),
        ({"remind": "soon"}, "remind: not a duration ('soon')"),
        ({"limit": "nobody"}, "no box was checked (exit code 1)"),
    ],
)
def test_an_event_has_the_reason_of_a_failed_check(inventory, arguments, reason):
    async def scene():
        async with watching(inventory=inventory(), **arguments) as watch:
            event = await following(*watch)
            assert event["change"] == "failed"
            assert reason in event["message"]

    asyncio.run(scene())


def alive(group):
    """Return the processes of a group that still run; zombies do not count."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _parent, its_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                found.append(path.parent.name)
    return found


def test_looks_never_overlap_and_end_at_once_when_cancelled(tmp_path):
    """Cancel a check whose command ignores SIGTERM and never ends by itself."""
    log = tmp_path / "begun"
    stubborn = ["sh", "-c", f"trap '' TERM; echo $$ >> {log}; sleep 1000 & wait; wait"]

    async def scene():
        async with watching(ansible_playbook=stubborn) as (_queue, task):
            async with asyncio.timeout(PATIENCE):
                while not log.exists() or not log.read_text().endswith("\n"):
                    await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(scene())
    begun = log.read_text().split()
    assert len(begun) == 1
    # A killed process may take a moment to disappear.
    deadline = time.monotonic() + PATIENCE
    while alive(int(begun[0])):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_state_file_keeps_the_findings_between_runs(inventory, tmp_path):
    async def scene(level):
        async with watching(inventory=inventory(level), state=str(tmp_path / "state" / "watch.json")) as watch:
            return (await following(*watch))["change"]

    assert asyncio.run(scene("warning")) == "appeared"
    assert asyncio.run(scene("critical")) == "worsened"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"interval": "often"}, "interval: not a number of seconds ('often'); use 1 or more"),
        ({"interval": float("nan")}, "interval: not a number of seconds (nan); use 1 or more"),
        ({"timeout": True}, "timeout: not a number of seconds (True); use 1 or more"),
        ({"inventroy": "x"}, "inventroy: unknown argument; use one of inventory, hosts"),
        ({"inventory": {"a": 1}}, "inventory: not a path or a list of paths ({'a': 1})"),
        ({"hosts": ["a"]}, "hosts: not a string (['a'])"),
        ({"extra_vars": ["a"]}, "extra_vars: not a dictionary of variables (['a'])"),
        (
            {"extra_vars": {"lifeline_watch_state": "x"}},
            "extra_vars: lifeline_watch_state is set by the source itself; remove it",
        ),
        (
            {"ansible_playbook": ""},
            "ansible_playbook: not a command (''); use one such as /opt/ansible/bin/ansible-playbook",
        ),
    ],
)
def test_a_wrong_argument_is_an_error(arguments, reason):
    with pytest.raises(ValueError) as error:
        asyncio.run(source()(asyncio.Queue(), arguments))
    assert reason in str(error.value)


def test_text_from_a_host_is_never_a_template():
    inert = runpy.run_path(str(SOURCE))["_inert"]
    assert inert("{{ lookup('pipe', 'id') }} {% if %} {# #}") == "{ { lookup('pipe', 'id') }} { % if %} { # #}"
    assert inert({"message": "{{{ x"}) == {"message": "{ { { x"}
    assert inert(None) is None


def test_the_documentation_has_all_arguments():
    plugin = runpy.run_path(str(SOURCE))
    documented = yaml.safe_load(plugin["DOCUMENTATION"])["options"]
    with pytest.raises(ValueError) as error:
        plugin["_Options"]({"nonsense": 1})
    assert str(error.value).partition("use one of ")[2].split(", ") == list(documented)
    options = plugin["_Options"]({})
    assert (options.interval, options.timeout) == (documented["interval"]["default"], documented["timeout"]["default"])
    assert options.command == [documented["ansible_playbook"]["default"]]


def test_the_rulebook_passes_only_known_arguments():
    source_of_rulebook = yaml.safe_load(RULEBOOK.read_text())[0]["sources"][0]["lifeline.fleet.health"]
    documented = yaml.safe_load(runpy.run_path(str(SOURCE))["DOCUMENTATION"])["options"]
    assert set(source_of_rulebook) <= set(documented)
