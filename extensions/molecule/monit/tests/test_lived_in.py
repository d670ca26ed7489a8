# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test a host whose monit ran before the role came, with a control file and checks of its operator's."""

from __future__ import annotations

import pytest

# As the first operators of this collection had it.
SIDEKIQ = (
    "check process lifeline_oom with pidfile /var/www/apps/banks/shared/sidekiq.pid\\n"
    "  if totalmem is greater than 13 GB for 3 cycles then alert\\n"
    "check file theirs with path /etc/hosts\\n"
)
FILES = "md5sum /etc/monit/monitrc /etc/monit/conf.d/* /etc/monit/lifeline.d/*"


@pytest.fixture
def plain(boxes):
    """Return the host that had monit before."""
    return next(box for box in boxes if not box.alternative)


@pytest.fixture
def theirs(plain, converge):
    """Write a file with a check of a ready-made one's name; it is gone before `converge` plays the playbook again."""
    plain.run(f"printf '{SIDEKIQ}' > /etc/monit/conf.d/sidekiq")
    yield
    plain.run("rm -f /etc/monit/conf.d/sidekiq")


def poll(box):
    return box.run(
        'python3 -c \'import socket; s = socket.socket(socket.AF_UNIX); s.connect("/run/monit.sock"); '
        's.sendall(b"GET /_status?format=xml HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n"); '
        'print(s.makefile().read().split("<poll>")[1].split("<")[0])\''
    )


def test_a_file_of_others_does_not_slow_down_the_polls(plain):
    assert plain.run("cat /etc/monit/conf.d/slow") == "set daemon 120"
    assert poll(plain) == str(plain.settings["monit_poll_seconds"])


def test_a_check_that_is_there_already_is_refused_with_its_line_and_nothing_is_written(plain, theirs, converge):
    before = plain.run(FILES)
    done, output = converge(plain)
    said = " ".join(output.split())
    assert not done and "check lifeline_oom: /etc/monit/conf.d/sidekiq:1 has the check lifeline_oom" in said, output
    assert plain.run(FILES) == before


def test_a_check_of_others_is_kept_or_taken_over_and_comes_back(plain, theirs, converge):
    done, output = converge(plain, monit_takeover="keep")
    assert done, output
    assert plain.attempt("test -e /etc/monit/lifeline.d/monit-lifeline_oom").returncode == 1
    assert "theirs" in plain.checks()
    done, output = converge(plain, monit_takeover="take")
    assert done, output
    assert plain.run("cat /etc/monit/conf.d/sidekiq") == "check file theirs with path /etc/hosts"
    assert {"theirs", "lifeline_oom"} <= set(plain.checks())
    done, output = converge(plain, monit_state="reverted")
    assert done, output
    assert "pidfile /var/www/apps/banks/shared/sidekiq.pid" in plain.run("cat /etc/monit/conf.d/sidekiq")
    assert plain.attempt("ls -d /etc/monit/lifeline.d").returncode
    assert "lifeline" not in plain.run("cat /etc/monit/monitrc")
    assert plain.run("systemctl is-active monit") == "active"


def test_a_control_file_made_by_hand_is_refused_and_kept_in_force_if_told_so(plain, converge):
    assert converge(plain, monit_state="reverted")[0]
    plain.run("echo 'set alert ops@example.com' >> /etc/monit/monitrc")
    try:
        done, output = converge(plain)
        assert not done and "/etc/monit/monitrc was changed by hand" in " ".join(output.split()), output
        done, output = converge(plain, monit_takeover="keep")
        assert done, output
        assert "set alert ops@example.com" in plain.run("cat /etc/monit/lifeline.d/kept-monitrc")
        assert converge(plain, monit_state="reverted")[0]
        assert plain.run("tail -n 1 /etc/monit/monitrc") == "set alert ops@example.com"
    finally:
        plain.run("sed -i '/^set alert ops@example.com$/d' /etc/monit/monitrc")


def test_mail_to_a_server_on_the_host_that_does_not_answer_is_refused(plain, converge):
    done, output = converge(plain, monit_mail={"to": ["ops@example.com"]})
    assert not done and "no mail server answers on the host (localhost port 25)" in " ".join(output.split()), output


def test_sshd_is_watched_at_its_real_ports(plain, converge):
    plain.run("printf 'Port 22\\nPort 2222\\n' > /etc/ssh/sshd_config.d/test.conf && systemctl restart ssh")
    try:
        done, output = converge(plain)
        assert done, output
        rules = plain.run("cat /etc/monit/lifeline.d/monit-lifeline_sshd")
        assert "failed port 22 " in rules and "failed port 2222 " in rules
    finally:
        plain.run("rm /etc/ssh/sshd_config.d/test.conf && systemctl restart ssh")
