# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source with a real ansible-playbook on this machine, run by its path as ansible-rulebook runs it."""

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
    """A function that writes an inventory of this machine, and of others that nobody can reach, and returns its path."""

    def write(level=None, gone=0, text=None):
        # A level that any machine strikes, and nothing else.
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
    """The source at work: its queue, and its task."""
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
    """The next event of the source; what ends the source ends the test."""
    event = asyncio.ensure_future(queue.get())
    await asyncio.wait([event, task], timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    assert event.done(), f"no event within {PATIENCE} s"
    assert list(event.result()) == ["health"]
    return event.result()["health"]


def test_what_changes_is_an_event_and_what_stays_is_none(inventory):
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


def test_what_ansible_cannot_look_at_is_said_once_and_no_end(inventory, tmp_path):
    async def scene():
        async with watching(
            inventory=inventory(text="web: [this, is, no, inventory"), extra_vars={"ansible_become": False}
        ) as watch:
            event = await following(*watch)
            assert (event["box"], event["change"], event["check"]) == (None, "failed", "watch")
            assert event["message"].startswith("no box was looked at")
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
            "/nowhere/ansible-playbook can't be run: No such file or directory",
        ),
        (
            {"ansible_playbook": ["sh", "-c", "echo '[ERROR]: it is broken'; exit 3"]},
            "no box was looked at (exit code 3): [ERROR]: it is broken",
        ),
        ({"ansible_playbook": ["sh", "-c", "exec sleep 1000"], "timeout": 1}, "a look has not ended within 1 s"),
        ({"remind": "soon"}, "remind: 'soon' is no duration"),
        ({"limit": "nobody"}, "no box was looked at (exit code 1)"),
    ],
)
def test_why_nobody_could_look_is_said(inventory, arguments, reason):
    async def scene():
        async with watching(inventory=inventory(), **arguments) as watch:
            event = await following(*watch)
            assert event["change"] == "failed"
            assert reason in event["message"]

    asyncio.run(scene())


def alive(group):
    """The processes of a group that have not ended; one that has, and that nobody has waited for, is none."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _parent, its_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                found.append(path.parent.name)
    return found


def test_looks_never_overlap_and_end_at_once_when_cancelled(tmp_path):
    """A stand-in for Ansible that notes when it begins, and never ends by itself, nor when it is asked to."""
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
    # What was killed may take a moment to be gone.
    deadline = time.monotonic() + PATIENCE
    while alive(int(begun[0])):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_is_known_outlives_the_source_where_it_is_told_to(inventory, tmp_path):
    async def scene(level):
        async with watching(inventory=inventory(level), state=str(tmp_path / "state" / "watch.json")) as watch:
            return (await following(*watch))["change"]

    assert asyncio.run(scene("warning")) == "appeared"
    assert asyncio.run(scene("critical")) == "worsened"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"interval": "often"}, "interval is 'often': it must be a number of seconds, at least 1"),
        ({"interval": float("nan")}, "interval is nan: it must be a number of seconds, at least 1"),
        ({"timeout": True}, "timeout is True: it must be"),
        ({"inventroy": "x"}, "inventroy is no argument of lifeline.fleet.health: it must be one of inventory, hosts"),
        ({"inventory": {"a": 1}}, "inventory is {'a': 1}: it must be a path or a list of paths"),
        ({"hosts": ["a"]}, "hosts is ['a']: it must be a text"),
        ({"extra_vars": ["a"]}, "extra_vars is ['a']: it must be a dictionary"),
        (
            {"extra_vars": {"lifeline_watch_state": "x"}},
            "extra_vars sets lifeline_watch_state, which the source sets itself",
        ),
        ({"ansible_playbook": ""}, "ansible_playbook is '': it must be a command"),
    ],
)
def test_an_argument_that_cannot_be_followed_is_named(arguments, reason):
    with pytest.raises(ValueError) as error:
        asyncio.run(source()(asyncio.Queue(), arguments))
    assert reason in str(error.value)


def test_no_text_from_a_box_is_a_template():
    inert = runpy.run_path(str(SOURCE))["_inert"]
    assert inert("{{ lookup('pipe', 'id') }} {% if %} {# #}") == "{ { lookup('pipe', 'id') }} { % if %} { # #}"
    assert inert({"message": "{{{ x"}) == {"message": "{ { { x"}
    assert inert(None) is None


def test_the_manual_has_the_arguments_that_are_taken():
    plugin = runpy.run_path(str(SOURCE))
    documented = yaml.safe_load(plugin["DOCUMENTATION"])["options"]
    with pytest.raises(ValueError) as error:
        plugin["_Options"]({"nonsense": 1})
    assert str(error.value).partition("one of ")[2].split(", ") == list(documented)
    options = plugin["_Options"]({})
    assert (options.interval, options.timeout) == (documented["interval"]["default"], documented["timeout"]["default"])
    assert options.command == [documented["ansible_playbook"]["default"]]


def test_the_rulebook_gives_the_source_what_it_takes():
    source_of_rulebook = yaml.safe_load(RULEBOOK.read_text())[0]["sources"][0]["lifeline.fleet.health"]
    documented = yaml.safe_load(runpy.run_path(str(SOURCE))["DOCUMENTATION"])["options"]
    assert set(source_of_rulebook) <= set(documented)
