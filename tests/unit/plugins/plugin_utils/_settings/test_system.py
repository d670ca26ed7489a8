# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test which systems the roles support, by their real os-release."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import system

FORKY = 'PRETTY_NAME="Debian GNU/Linux forky/sid"\nNAME="Debian GNU/Linux"\nVERSION_CODENAME=forky\nID=debian\n'


def release(name, version, like="", pretty=""):
    return f'PRETTY_NAME="{pretty or name}"\nID={name}\nVERSION_ID="{version}"\nID_LIKE="{like}"\n'


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        (release("debian", "11"), "debian", "11"),
        (release("debian", "13"), "debian", "13"),
        (FORKY, "debian", ""),
        (release("ubuntu", "24.04", "debian"), "ubuntu", "24.04"),
        (release("linuxmint", "21.3", "ubuntu debian"), "linuxmint", "21.3"),
        (release("raspbian", "12", "debian"), "raspbian", "12"),
    ],
)
def test_debian_and_what_is_made_of_it(text, name, version):
    assert system.supported(text) == {"family": "Debian", "name": name, "version": version}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            release("rocky", "9.4", "rhel centos fedora", "Rocky Linux 9.4"),
            "this system is not supported (Rocky Linux 9.4)",
        ),
        (release("alpine", "3.20"), "this system is not supported (alpine)"),
        ("", "this system is not supported (linux)"),
        ("PRETTY_NAME='x\nID=\x1b[2J\n", "this system is not supported (\\x1b[2J)"),
        (
            release("debian", "10", pretty="Debian GNU/Linux 10 (buster)"),
            "this release is too old (Debian GNU/Linux 10 (buster))",
        ),
        (release("ubuntu", "14.04", "debian", "Ubuntu 14.04.6 LTS"), "this release is too old (Ubuntu 14.04.6 LTS)"),
        (release("ubuntu", "20.04", "debian", "Ubuntu 20.04"), "this release is too old (Ubuntu 20.04)"),
    ],
)
def test_others_are_refused_by_name(text, message):
    with pytest.raises(SettingsError) as raised:
        system.supported(text)
    assert str(raised.value) == f"{message}; use {system.SUPPORTED}. Nothing was touched"
