# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole playbook on hosts: all parts together, by tags, and the stop when a host gets worse."""

from __future__ import annotations

import re

import pytest

TAGS = {
    "machine_setup": {"ssh_lifeline", "diagnostic_tools", "fail2ban"},
    "services": {"service_lockdown"},
    "monit": {"sidekiq_watchdog", "monit"},
    "ssh": {"ssh_lifeline"},
}


def roles(output):
    """Return the roles that did more than validate their arguments."""
    return set(re.findall(r"^TASK \[lifeline\.fleet\.(\w+) : (?!Validating arguments)", output, re.MULTILINE))


def test_the_host_runs_its_services_and_no_others(boxes):
    def look(box):
        for unit in ("sidekiq", "redis-server", "monit", "fail2ban", "earlyoom"):
            assert box.run("systemctl is-active " + unit) == "active", unit
        assert box.attempt("systemctl is-active memcached").stdout.strip() == "inactive"
        assert box.attempt("systemctl is-enabled memcached").stdout.strip() == "disabled"
        assert "sidekiq" in box.run("monit -B summary")
        assert box.run("fail2ban-client ping") == "Server replied: pong"
        assert box.run("nft list table inet lifeline")

    boxes.each(look)


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_runs_exactly_its_roles(boxes, play, tag):
    done, output = play(boxes[0], tags=[tag])
    assert done, output
    assert roles(output) == TAGS[tag] | {"preflight"}
    assert "changed=0" in output.rpartition(boxes[0].name)[2]


def test_a_host_that_gets_worse_ends_the_play_before_the_next_batch(boxes, play):
    """The lockdown stops the very worker that the verdict requires."""
    first, second = boxes[:2]
    for box in (first, second):
        box.run("systemctl start memcached")
        # Debian starts it by a script.
        box.wait("pgrep --full '^/usr/bin/memcached'")
    try:
        done, output = play(
            first,
            second,
            tags=["services"],
            crawler_serial=1,
            crawler_patience=1,
            lifeline_workers=[{"name": "memcached", "pattern": "^/usr/bin/memcached"}],
        )
        assert not done
        assert first.attempt("systemctl is-active memcached").stdout.strip() == "inactive"
        assert re.search("no worse off than before.*critical: .*memcached", output, re.DOTALL), output
        assert second.run("systemctl is-active memcached") == "active"
    finally:
        second.run("systemctl stop memcached")
