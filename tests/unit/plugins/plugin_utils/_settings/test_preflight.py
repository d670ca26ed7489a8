# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the page that shows what the roles would do, and which conflicts end the play."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import preflight

LOCKDOWN = {
    "changes": ["exim4.service: stopped, disabled"],
    "units": ["exim4.service"],
    "spared": [{"unit": "redis-server.service", "needed_by": "sidekiq (pid 7, session-3.scope)"}],
    "left": [{"unit": "session-3.scope", "reason": "it is neither a service nor a socket"}],
    "diff": {"before": "exim4.service: running", "after": ""},
}
MONIT = {"diff": [{"before_header": "/etc/monit/monitrc"}], "kept": ["/etc/monit/monitrc"], "left_out": ["sshd"]}


def test_each_role_says_what_it_finds_and_would_do():
    listeners = [
        {"name": "redis-server", "unit": "redis-server.service", "protocol": "tcp", "address": "::1", "port": 6379},
        {
            "name": "redis-server",
            "unit": "redis-server.service",
            "protocol": "tcp",
            "address": "127.0.0.1",
            "port": 6379,
        },
        {"name": None, "unit": None, "protocol": "udp", "address": "0.0.0.0", "port": 68},
    ]
    sidekiq = {
        "workers": {"banks": {"command": "bundle", "user": "app"}},
        "outside": ["pid 7 of user app, started by tmux"],
        "foreign": ["/etc/systemd/system/banks.service"],
    }
    results = {
        "ssh_lifeline": {"ports": [22, 2222], "missing": ["earlyoom"]},
        "service_lockdown": LOCKDOWN,
        "fail2ban": {"skipped": True},
        "sidekiq_watchdog": sidekiq,
        "monit": MONIT,
        "x": {},
    }
    assert preflight.page("box1", results, {}, listeners) == {
        "lines": [
            "box1: what the roles find, and what they would do",
            "a process of another user listens on udp/0.0.0.0:68",
            "redis-server (redis-server.service) listens on tcp/::1:6379, tcp/127.0.0.1:6379",
            "ssh_lifeline: sshd listens on 22, 2222",
            "ssh_lifeline: would install earlyoom",
            "service_lockdown: would have exim4.service: stopped, disabled",
            "service_lockdown: leaves redis-server.service alone: sidekiq (pid 7, session-3.scope) needs it",
            "service_lockdown: leaves session-3.scope alone: it is neither a service nor a socket",
            "fail2ban: switched off",
            "sidekiq_watchdog: worker banks: bundle, as user app",
            "sidekiq_watchdog: finds a worker outside its unit: pid 7 of user app, started by tmux",
            "sidekiq_watchdog: finds a file of others: /etc/systemd/system/banks.service",
            "monit: would change /etc/monit/monitrc",
            "monit: would keep /etc/monit/monitrc aside",
            "monit: leaves the check sshd to a file of others",
            "x: nothing to do",
        ],
        "conflicts": [],
    }


def test_what_a_role_would_refuse_is_a_conflict_and_cannot_control_the_terminal():
    page = preflight.page(
        "box1", {"fail2ban": {"msg": "jail sshd:\n/etc/jail.local:3 \x1b[2J. Nothing was written", "failed": False}}, {}
    )
    assert page["conflicts"] == [r"fail2ban: jail sshd: /etc/jail.local:3 \x1b[2J"]
    assert page["lines"][1] == f"CONFLICT {page['conflicts'][0]}"


def test_mail_through_a_server_that_would_be_stopped_is_a_conflict():
    results = {"service_lockdown": LOCKDOWN, "monit": MONIT}
    (conflict,) = preflight.page("box1", results, {"to": ["ops@example.com"]})["conflicts"]
    assert conflict.startswith("service_lockdown: it would stop exim4.service, which monit_mail needs; set monit_mail.")
    assert preflight.page("b", results, {"to": ["x"], "server": "mail.example.com"})["conflicts"] == []
    assert preflight.page("b", {"service_lockdown": LOCKDOWN}, {"to": ["x"]})["conflicts"] == []
