# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the texts that a command line must have to match a pattern."""

from __future__ import annotations

import re

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import needles


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"com\.example\.CrawlWorker", ["com.example.CrawlWorker"]),
        (r"^resque-\d", ["resque-"]),
        (r"java .*com\.x\.Main$", ["com.x.Main"]),
        (r"^sidekiq \d|java.*MyApp", ["sidekiq", "MyApp"]),
        (r"Foo(bar)?Worker", ["Worker"]),
        (r"x(?:(a|b)c)+yyyy", ["yyyy"]),
        (r"crawler-work+er", ["crawler-work"]),
        (r"abcd{2,3}efghij", ["efghij"]),
        (r"[]a]bcde", ["bcde"]),
        (r"^(sidekiq|resque) ", []),
        (r"(?i)crawler", []),
        (r"a|crawler", []),
        (r".*", []),
    ],
)
def test_a_text_that_each_match_has(pattern, expected):
    assert needles.of(pattern) == expected


def test_a_text_is_in_what_matches():
    line = "/usr/bin/java -cp a.jar com.example.CrawlWorker --queue=fast"
    for pattern in (r"com\.example\.\w+Worker", r"CrawlW?orker", r"--queue=(fast|slow)", r"/bin/java +-cp"):
        assert re.search(pattern, line)
        assert any(text in line for text in needles.of(pattern))
