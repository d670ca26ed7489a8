# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The groups of `make fuzz` find nothing in the corpus, nor in a few samples that are the same each time."""

from __future__ import annotations

import pytest
from fuzz import engine, seeds
from fuzz.__main__ import corpus
from fuzz.groups import GROUPS

from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import health_answer

SAMPLES = 60


@pytest.mark.parametrize("name", GROUPS)
def test_nothing_is_wrong_with_the_corpus_and_a_few_samples(name):
    run = engine.Run(GROUPS[name], corpus(name), seed=1)
    run.for_samples(SAMPLES)
    assert run.tried > SAMPLES
    assert list(run.findings.values()) == []


@pytest.mark.parametrize("name", sorted(set(GROUPS) - {"words", "sidekiq", "programs", "state", "evidence", "probe"}))
def test_the_seeds_are_read(name):
    group = GROUPS[name]
    nothing = engine.answer(group, {})
    read = [sample for sample in group.seeds() if engine.answer(group, sample) != nothing]
    assert len(read) > 1


@pytest.mark.parametrize("name", ["words", "sidekiq", "programs", "state", "evidence", "probe"])
def test_each_seed_is_an_answer_and_no_error(name):
    group = GROUPS[name]
    for sample in group.seeds():
        group.run(sample)


def test_the_answers_of_recorded_hosts_are_those_that_the_script_would_print():
    for host in seeds.hosts("debian-*"):
        read = health_answer.read(seeds.probed(host))
        assert (read.unread, read.failed) == ([], None)
        for name in ("/proc/meminfo", "/proc/1/stat", "/proc/1/cmdline", "/proc/self/mountinfo", "fds"):
            assert read.sources[name] == host[name]
        assert read.sources["statfs"].startswith(host["statfs"])
