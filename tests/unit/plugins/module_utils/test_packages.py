# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages count as installed only if dpkg says so of the whole package."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils import _packages


class Failed(Exception):
    """The exception of a stubbed fail_json."""


class Module:
    """A module on a host where dpkg-query prints a text."""

    def __init__(self, out="", program="/usr/bin/dpkg-query"):
        self.out, self.program, self.calls = out, program, []

    def get_bin_path(self, name):
        return self.program

    def run_command(self, argv):
        self.calls.append(argv)
        return 1, self.out, "no packages found matching nosuch"

    def fail_json(self, msg):
        raise Failed(msg)


def test_packages_that_are_not_fully_installed_are_missing():
    module = Module("installed monit\nhalf-configured nginx\nnot-installed ruby\nconfig-files exim4\n")
    assert _packages.missing(module, ["monit", "nginx", "ruby", "exim4", "nosuch"]) == [
        "nginx",
        "ruby",
        "exim4",
        "nosuch",
    ]
    assert module.calls[0][-5:] == ["monit", "nginx", "ruby", "exim4", "nosuch"]


def test_without_packages_nothing_is_asked():
    module = Module()
    assert _packages.missing(module, []) == []
    assert module.calls == []


def test_without_dpkg_the_module_fails():
    with pytest.raises(Failed, match="dpkg-query: not found; packages can be managed on Debian"):
        _packages.missing(Module(program=None), ["monit"])
