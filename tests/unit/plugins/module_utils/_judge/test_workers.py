# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import workers

GB = 1 << 30


@pytest.mark.parametrize(
    ("memory", "allowance"), [("13 GB", 13 * GB), ("50 GB", 50 * GB), (512 << 20, 512 << 20), ("25%", 4 * GB)]
)
def test_sidekiq_by_default_with_the_inventorys_allowance(memory, allowance):
    (worker,) = workers(None, memory)
    assert (worker.name, worker.required) == ("sidekiq", True)
    assert worker.allowance(16 * GB) == allowance


def test_without_an_allowance_sidekiq_may_be_missing():
    (worker,) = workers(None, None)
    assert worker.required is False
    assert worker.allowance(16 * GB) is None


@pytest.mark.parametrize(
    "command_line",
    [
        "sidekiq 7.3.2 crawler [1 of 5 busy]",
        "sidekiq 6.4.1  [0 of 5 busy] stopping",
        "/usr/bin/ruby /usr/bin/sidekiq -e production -C /opt/crawler/sidekiq.yml",
        "ruby3.1 -W0 /usr/bin/sidekiq",
        "/usr/local/bin/bundle exec sidekiq -q crawl",
    ],
)
def test_sidekiq_is_found_while_it_starts_and_while_it_runs(command_line):
    assert workers(None, None)[0].pattern.search(command_line)


@pytest.mark.parametrize(
    "command_line",
    [
        "vim /etc/sidekiq.yml",
        "tail -f /var/log/sidekiq.log",
        "grep sidekiq",
        "ruby /opt/sidekiq-web/app.rb",
        "sidekiqmon processes",
        "sh -c exec /usr/bin/sidekiq",
    ],
)
def test_what_only_mentions_sidekiq_is_not_sidekiq(command_line):
    assert not workers(None, None)[0].pattern.search(command_line)


def test_declared_workers():
    declared = workers(
        [{"name": "resque", "pattern": r"^resque-\d", "max_memory": "50%"}, {"name": "cron", "required": False}],
        "13 GB",
    )
    assert [worker.name for worker in declared] == ["resque", "cron"]
    assert declared[0].allowance(GB) == GB // 2
    assert declared[1].required is False
    assert declared[1].pattern.search("/usr/sbin/cron -f")


@pytest.mark.parametrize(
    ("declared", "memory", "words"),
    [
        (None, "lots", ["max_sidekiq_memory", "'lots'", "13 GB"]),
        (None, "13", ["max_sidekiq_memory", "'13'", "write a unit"]),
        (None, "0 GB", ["max_sidekiq_memory", "'0 GB'"]),
        ("sidekiq", None, ["lifeline_workers", "'sidekiq'", "a list"]),
        (["sidekiq"], None, ["lifeline_workers[0]", "'sidekiq'", "at least a name"]),
        ([{"pattern": "x"}], None, ["lifeline_workers[0]", "at least a name"]),
        ([{"name": "a", "memory": "1 GB"}], None, ["lifeline_workers: a", "'memory'", "max_memory"]),
        ([{"name": "a", "pattern": "("}], None, ["lifeline_workers: a", "'('", "not a regular expression"]),
        ([{"name": "a", "max_memory": "1 XB"}], None, ["lifeline_workers: a: max_memory", "'1 XB'"]),
        ([{"name": "a", "required": "perhaps"}], None, ["lifeline_workers: a", "'perhaps'", "true or false"]),
    ],
)
def test_what_cannot_be_followed_is_named(declared, memory, words):
    with pytest.raises(SettingsError) as caught:
        workers(declared, memory)
    for word in words:
        assert word in str(caught.value)


def test_a_worker_by_unit_or_pidfile():
    crawler, mailer = workers(
        [{"name": "crawler", "unit": "crawl"}, {"name": "mailer", "pidfile": "/var/run/m.pid"}], None
    )
    assert (crawler.unit, crawler.units, crawler.pidfile) == ("crawl.service", ("crawl.service",), None)
    assert (mailer.unit, mailer.pidfile) == (None, "/run/m.pid")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"unit": "a.service", "pattern": "x"}, "several ways to find it (pattern, unit)"),
        ({"unit": "a b"}, "unit: not a service ('a b')"),
        ({"unit": "$(reboot)"}, "unit: not a service"),
        ({"pidfile": "/tmp/w.pid"}, "pidfile: not a pidfile below /run ('/tmp/w.pid')"),
        ({"pidfile": "/run/../etc/x"}, "pidfile: not a pidfile below /run"),
    ],
)
def test_a_place_that_cannot_be_read_is_refused(entry, words):
    with pytest.raises(SettingsError) as error:
        workers([{"name": "w", **entry}], None)
    assert words in str(error.value)
