# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the look at a host with a check of its operator's, before anything is touched."""

from __future__ import annotations

import pytest

# The file that the first operators of this collection had.
SIDEKIQ = "check process sidekiq with pidfile /srv/app/shared/sidekiq.pid\\n  if totalmem > 13 GB then alert\\n"
FILES = "find /etc /usr/local /var/lib/lifeline -type f -newer /run/before | grep -v '^/etc/monit/conf.d/sidekiq$' || :"


@pytest.fixture
def lived_in(boxes):
    """Return a host that has a check of the worker's name."""
    box = boxes[0]
    box.run(f"printf '{SIDEKIQ}' > /etc/monit/conf.d/sidekiq && touch /run/before")
    yield box
    box.run("rm -f /etc/monit/conf.d/sidekiq")


def test_the_page_names_the_conflict_and_changes_nothing(lived_in, play):
    done, output = play(lived_in, tags=["preflight"])
    assert done, output
    assert "ssh_lifeline: sshd listens on 22" in output
    assert "CONFLICT monit, for the workers: check sidekiq: /etc/monit/conf.d/sidekiq:1 has the check sidekiq" in output
    assert "changed=0" in output.rpartition(lived_in.name)[2]
    assert lived_in.run(FILES) == ""


def test_a_conflict_of_one_role_ends_the_play_before_any_role_starts(lived_in, play):
    done, output = play(lived_in, fail2ban_findtime="3h")
    assert not done
    assert "/etc/monit/conf.d/sidekiq:1 has the check sidekiq" in output
    assert "Configure fail2ban" not in output
    assert lived_in.run(FILES) == ""


def test_a_role_that_the_tags_leave_out_is_not_looked_for(lived_in, play):
    done, output = play(lived_in, tags=["services"])
    assert done, output
    assert "CONFLICT" not in output
