# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test which line of fail2ban's files is named as the one that sets a value of a jail."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban import origins


@pytest.fixture
def etc(tmp_path):
    (tmp_path / "jail.d").mkdir()
    (tmp_path / "jail.d/zz-lifeline.local").write_text("[sshd]\nmaxretry = 5\n")
    return tmp_path


def find(etc, key, jail="sshd"):
    found = origins.find(str(etc), jail, key, str(etc / "jail.d/zz-lifeline.local"))
    return found and found.replace(f"{etc}/", "")


def test_our_own_file_is_not_named(etc):
    assert find(etc, "maxretry") is None


def test_the_last_section_of_the_jail_counts(etc):
    (etc / "jail.conf").write_text("[DEFAULT]\nmaxretry = 1\n[sshd]\nmaxretry=2\n")
    (etc / "jail.d/a.conf").write_text("; a comment\n[other]\nmaxretry = 3\n[sshd]\n#maxretry = 4\nmaxretry: 5\n")
    assert find(etc, "maxretry") == "jail.d/a.conf:6"
    (etc / "jail.local").write_text("[sshd]\nmaxretry = 6\n")
    assert find(etc, "maxretry") == "jail.local:2"
    assert find(etc, "findtime") is None


def test_defaults_count_only_after_our_file(etc):
    (etc / "jail.local").write_text("[DEFAULT]\nbanaction = ufw\n")
    assert find(etc, "banaction") is None
    (etc / "jail.d/zzz.local").write_text("[DEFAULT]\nbanaction = ufw\n")
    assert find(etc, "banaction") == "jail.d/zzz.local:2"


def test_an_action_is_set_by_either_key(etc):
    (etc / "jail.local").write_text("[sshd]\naction = %(action_mw)s\n")
    assert find(etc, "banaction") == "jail.local:2"
