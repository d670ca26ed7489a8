# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of monit 5.27, 5.33, 5.34 and 6.0 on real hosts."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._monit.status import parse
from paths import BOXES

MONIT = BOXES / "monit"
VERSIONS = {"bullseye": "5.27.2", "bookworm": "5.33.0", "trixie": "5.34.3", "forky": "6.0.0"}


def recorded(suite):
    return (MONIT / (suite + ".xml")).read_bytes()


@pytest.mark.parametrize("suite", VERSIONS)
def test_each_version_reports_itself_and_its_checks(suite):
    said = parse(recorded(suite))
    assert said["version"] == VERSIONS[suite]
    assert said["poll_seconds"] == 2
    assert said["incarnation"] > 1795000000
    sshd = said["checks"]["lifeline_sshd"]
    assert (sshd["kind"], sshd["monitored"], sshd["waits"], sshd["ok"], sshd["pid"]) == (
        "host",
        "yes",
        False,
        True,
        None,
    )
    assert said["checks"]["lifeline_filesystems"]["kind"] == "program"


def test_a_worker_that_is_missing_is_monitored_and_not_ok():
    worker = parse(recorded("forky"))["checks"]["lifeline_worker_crawler"]
    assert (worker["kind"], worker["monitored"], worker["ok"], worker["memory_total_bytes"]) == (
        "process",
        "yes",
        False,
        None,
    )


def test_the_states_of_monitoring():
    text = recorded("trixie")
    for number, word in ((b"0", "no"), (b"1", "yes"), (b"2", "initializing"), (b"3", "waiting")):
        said = parse(text.replace(b"<monitor>1<", b"<monitor>" + number + b"<"))
        assert {check["monitored"] for check in said["checks"].values()} == {word}
    assert all(
        check["waits"] for check in parse(text.replace(b"<pendingaction>0<", b"<pendingaction>2<"))["checks"].values()
    )


@pytest.mark.parametrize(
    "text", [b"", b"<html><body>401</body></html>", b"<monit><server></server></monit>", recorded("trixie")[:500]]
)
def test_a_text_that_is_not_a_status_is_an_error(text):
    with pytest.raises(ValueError, match="monit's status"):
        parse(text)


@pytest.mark.parametrize("number", ["--5", "9" * 5000, "\u0663", "1.5", ""])
def test_a_number_that_is_none_is_left_out(number):
    service = f"<service type='{number}'><name>a</name><pid>{number}</pid><monitor>{number}</monitor></service>"
    said = parse(f"<monit><server><incarnation>7</incarnation></server>{service}</monit>".encode())
    assert (said["checks"]["a"]["pid"], said["checks"]["a"]["kind"], said["checks"]["a"]["monitored"]) == (None,) * 3


def test_a_status_in_an_encoding_that_is_not_known_is_none():
    with pytest.raises(ValueError, match="not XML"):
        parse(b'<?xml version="1.0" encoding="I"?><monit/>')
