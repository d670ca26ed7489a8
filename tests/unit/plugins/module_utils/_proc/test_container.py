# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container is recognized by the marks of its engine, unless the kernel's own thread is there."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import container

KTHREADD = "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0\n"


@pytest.mark.parametrize("mark", ["/run/systemd/container", "/run/.containerenv", "/.dockerenv"])
def test_the_mark_of_an_engine(mark):
    assert container.is_container({mark: ""})
    assert container.is_container({mark: "podman\n", "/proc/2/stat": "2 (sh) S 1 2 2\n"})


def test_a_machine_has_no_mark():
    assert not container.is_container({})
    assert not container.is_container({"/proc/2/stat": KTHREADD})


def test_an_image_that_boots_as_a_machine_may_still_have_the_mark():
    assert not container.is_container({"/.dockerenv": "", "/proc/2/stat": KTHREADD})


def test_every_file_that_is_asked_for_is_a_source():
    assert set(container.SOURCES) == {"/run/systemd/container", "/run/.containerenv", "/.dockerenv", "/proc/2/stat"}
