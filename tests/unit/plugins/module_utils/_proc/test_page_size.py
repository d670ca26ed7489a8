# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import page_size


def test_this_host_is_read_within_the_limit():
    sources = _reader.read_files(page_size.SOURCES, limit=page_size.READ_LIMIT)
    assert page_size.page_size(sources) == os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Rss: 4 kB\nKernelPageSize:       16 kB\nMMUPageSize: 4 kB\n", 16384),
        ("KernelPageSize: 64 kB\nKernelPageSize: 4 kB\n", 65536),
        ("KernelPageSize: x kB\n", 4096),
        ("", 4096),
    ],
)
def test_the_first_mapping_tells(text, expected):
    assert page_size.page_size({"/proc/self/smaps": text}) == expected


def test_without_the_file_it_is_that_of_most_hosts():
    assert page_size.page_size({}) == 4096
