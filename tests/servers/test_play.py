# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the modules in plays: errors of single boxes, the rate since the last reading, and the comparison of boxes."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest
from servers import serving
from servers.crawl import UNTIL

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANSIBLE = pathlib.Path(sys.executable).with_name("ansible")


@pytest.fixture
def ansible(tmp_path):
    """Return a function that runs Ansible on hosts with their variables and returns the exit code and the output."""

    def run(hosts, *words, program="ansible", **variables):
        everywhere = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **variables}
        (tmp_path / "hosts.json").write_text(json.dumps({"crawler": {"hosts": hosts, "vars": everywhere}}))
        done = subprocess.run(
            [ANSIBLE.with_name(program), "-i", tmp_path / "hosts.json", *words],
            cwd=tmp_path,
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(
                os.environ,
                ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
                ANSIBLE_NOCOLOR="1",
                ANSIBLE_STDOUT_CALLBACK="minimal",
                ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".cache" / "collections"),
            ),
        )
        return done.returncode, done.stdout

    return run


def result(output, host):
    """Return the result of a host from the output of the callback minimal."""
    for state in ("SUCCESS", "FAILED!"):
        _before, found, rest = output.partition(f"{host} | {state} => ")
        if found:
            return json.JSONDecoder().raw_decode(rest)[0]
    raise AssertionError(output)


def test_an_error_of_one_box_does_not_affect_others(ansible, redis, slow):
    redis.cli("SET", "stat:processed", "7", database=12)
    ways = {"well": redis.port, "stuck": slow(redis.port, None), "down": serving.free_port()}
    code, output = ansible(
        {name: {"way": port} for name, port in ways.items()},
        "crawler",
        "-m",
        "lifeline.fleet.sidekiq_info",
        "-a",
        "port={{ way }} database=12 timeout={{ 1 if inventory_hostname == 'stuck' else 120 }}",
    )
    assert code == 2
    assert result(output, "well")["sidekiq"]["processed"] == 7
    assert result(output, "well")["changed"] is False
    assert {name: result(output, name)["cause"] for name in ("stuck", "down")} == {
        "stuck": "timeout",
        "down": "unreachable",
    }


def test_the_rate_since_the_last_reading_in_the_history(ansible, redis, tmp_path):
    ask = ("crawler", "-m", "lifeline.fleet.sidekiq_info", "-a", f"port={redis.port} database=13 timeout=120")
    history = str(tmp_path / "history.db")
    redis.cli("SET", "stat:processed", "100", database=13)
    first = result(ansible({"box": {}}, *ask, lifeline_history=history)[1], "box")
    assert (first["rate"], first["rate_missing"]) == (None, "there is no earlier reading")
    # Make the reading an hour older.
    serving.age(history, 3600)
    redis.cli("SET", "stat:processed", "460", database=13)
    second = result(ansible({"box": {}}, *ask, lifeline_history=history)[1], "box")
    assert second["rate"]["processed"] == 360
    assert second["rate"]["processed_per_hour"] == pytest.approx(360 * 3600 / second["rate"]["seconds"], rel=0.001)
    assert "460 processed (3" in second["msg"]
    # A reading of another box or another database is no earlier reading.
    assert result(ansible({"other": {}}, *ask, lifeline_history=history)[1], "other")["rate"] is None


@pytest.mark.parametrize("server", ["mysql", "postgres"])
def test_debians_own_drivers(ansible, request, server):
    options = {
        **request.getfixturevalue(server).options,
        "table": "pages",
        "time_column": "at_instant",
        "until": UNTIL,
        "hours": 8,
        "where": {"crawler": "dying"},
        "timeout": 120,
    }

    def count(**changed):
        _code, output = ansible(
            {"box": {}},
            "crawler",
            "-m",
            "lifeline.fleet.throughput_info",
            "-a",
            json.dumps({**options, **changed}),
            ansible_python_interpreter=serving.PYTHON,
        )
        return result(output, "box")

    assert count()["msg"].startswith("degrading, 80 times slower than its best hour")
    assert count(password="guess")["cause"] == "login"
    # MySQL doesn't reveal to this user whether the database exists.
    assert count(database="crowl")["cause"] == ("login" if server == "mysql" else "schema")
    assert count(table="page")["cause"] == "schema"
    assert count(table="dragging", timeout=3)["cause"] == "timeout"
    assert count(port=serving.free_port())["cause"] == "unreachable"


@pytest.mark.parametrize(("engine", "library"), [("mysql", "PyMySQL"), ("postgresql", "psycopg")])
def test_a_host_without_a_driver(ansible, tmp_path, engine, library):
    serving.run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare")
    options = {"engine": engine, "username": "a", "database": "b", "table": "c", "time_column": "d"}
    _code, output = ansible(
        {"box": {}},
        "crawler",
        "-m",
        "lifeline.fleet.throughput_info",
        "-a",
        json.dumps(options),
        ansible_python_interpreter=str(tmp_path / "bare" / "bin" / "python"),
    )
    assert f"Failed to import the required Python library ({library}" in result(output, "box")["msg"]


def test_the_playbook_finds_the_box_that_falls_behind(ansible, mysql, tmp_path):
    """Compare boxes of which one is dying and one has no database; the others have the same pages."""
    mysql.server.sql(
        "SET time_zone = '+00:00'",
        *(
            f"INSERT INTO crawl.pages (crawler, at_instant) SELECT '{box}', "
            "TIMESTAMPADD(SECOND, seq * 5, '2026-11-20 13:00:00') FROM seq_0_to_719"
            for box in ("box1", "box2", "box3")
        ),
        database="crawl",
    )
    options = {
        **mysql.options,
        "table": "pages",
        "time_column": "at_instant",
        "until": UNTIL,
        "hours": 8,
        "timeout": 120,
        "where": {"crawler": "{{ inventory_hostname }}"},
    }
    hosts = {box: {} for box in ("box1", "box2", "box3", "dying")}
    hosts["lost"] = {"lifeline_throughput": {**options, "port": serving.free_port()}}
    play = ("lifeline.fleet.throughput", "-e", "throughput_from=box1")
    history = str(tmp_path / "history.db")
    code, output = ansible(
        hosts, *play, program="ansible-playbook", lifeline_throughput=options, lifeline_history=history
    )
    assert code == 2
    assert "dying is 5.3 times slower than its peers: 135 in an hour; they would have done 720" in output
    assert "degrading, 80 times slower than its best hour" in output
    assert "box1 is" not in output
    assert "Connection refused" in output
    code, output = ansible(
        {**hosts, "lost": {}},
        *play,
        "-e",
        "throughput_fail=true",
        program="ansible-playbook",
        lifeline_throughput=options,
    )
    assert code == 2
    assert "dying | FAILED!" in output and "box1 | FAILED!" not in output
