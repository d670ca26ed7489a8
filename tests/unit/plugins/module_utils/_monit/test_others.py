# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test what is found in monit's files of others, such as that of the first operators of this collection."""

from __future__ import annotations

import hashlib

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._monit import others

SIDEKIQ = """# {{ ansible_managed }}
check process sidekiq
  with pidfile /var/www/apps/banks/shared/tmp/pids/sidekiq.pid
  start program = "/etc/init.d/sidekiq start"
  if totalmem is greater than 13 GB for 3 cycles then restart
  if 3 restarts within 5 cycles then timeout
"""
OURS = "check process %s with pidfile %s\n  if totalmem > 300 MB for 2 cycles then alert\n"


@pytest.fixture
def etc(tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "lifeline.d").mkdir()
    (tmp_path / "conf.d/sidekiq").write_text(SIDEKIQ)
    (tmp_path / "conf.d/sidekiq~").write_text(SIDEKIQ)
    (tmp_path / "lifeline.d/monit-x").write_text("check process sidekiq matching x\n")
    return tmp_path


def control(etc, more=""):
    return f"set daemon 120\ninclude {etc}/conf.d/*\n{more}include {etc}/lifeline.d/*\n"


def doubled(etc, **texts):
    found = others.doubled(texts, control(etc), str(etc / "lifeline.d"))
    return {name: (other.path.replace(f"{etc}/", ""), other.line, other.name) for name, other in found.items()}


def test_a_check_of_the_same_name_or_the_same_process_is_found(etc):
    assert doubled(etc, sidekiq=OURS % ("sidekiq", "/run/x.pid")) == {"sidekiq": ("conf.d/sidekiq", 2, "sidekiq")}
    pidfile = "/var/www/apps/banks/shared/tmp/pids/sidekiq.pid"
    assert doubled(etc, worker=OURS % ("worker", pidfile)) == {"worker": ("conf.d/sidekiq", 2, "sidekiq")}
    assert doubled(etc, worker=OURS % ("worker", "/run/x.pid")) == {}


def test_a_check_is_taken_out_of_a_file_and_the_rest_stays():
    text = SIDEKIQ + 'check process nginx with pidfile /run/nginx.pid\n  start program = "/bin/true"\nset alert a@b.c\n'
    assert others.without(text, ["sidekiq"]) == (
        "# {{ ansible_managed }}\n"
        'check process nginx with pidfile /run/nginx.pid\n  start program = "/bin/true"\nset alert a@b.c\n'
    )
    assert others.without(SIDEKIQ, ["sidekiq"]) == ""
    assert others.without(SIDEKIQ, ["other"]) == SIDEKIQ


def test_the_last_statement_about_the_poll_time_is_named(etc):
    assert others.poll_place("/etc/monit/monitrc", control(etc)) == "/etc/monit/monitrc:1"
    (etc / "conf.d/zz").write_text("# slow\nset daemon 60\n")
    assert others.poll_place("/etc/monit/monitrc", control(etc)) == f"{etc}/conf.d/zz:2"
    assert others.poll_place("/etc/monit/monitrc", control(etc) + "set daemon 15\n") == "/etc/monit/monitrc:4"
    assert others.poll_place("/etc/monit/monitrc", "") is None


def test_the_checksum_that_the_package_brought():
    checksum = hashlib.md5(b"x").hexdigest()
    listing = f"\n /etc/default/monit 0123456789abcdef0123456789abcdef\n /etc/monit/monitrc {checksum}\n"
    assert others.conffile_checksum(listing, "/etc/monit/monitrc") == checksum
    assert others.conffile_checksum(listing, "/etc/other") is None
