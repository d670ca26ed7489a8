# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which unit a control group belongs to, by its path alone and as the box's own systemd sees it."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import cgroup_units


@pytest.mark.parametrize(
    ("path", "innermost", "outermost"),
    [
        ("/system.slice/ssh.service", "ssh.service", "ssh.service"),
        ("/user.slice/user-0.slice/session-3.scope", "session-3.scope", "session-3.scope"),
        ("/system.slice/docker-abc.scope/init", "docker-abc.scope", "docker-abc.scope"),
        ("/user.slice/user-7.slice/user@7.service/app.slice/web.service", "web.service", "user@7.service"),
        ("/user.slice/user-7.slice", "user-7.slice", "user-7.slice"),
        ("/", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_the_unit_of_a_path(path, innermost, outermost):
    assert (cgroup_units.unit_of(path), cgroup_units.unit_of(path, outermost=True)) == (innermost, outermost)


@pytest.mark.parametrize(
    ("own", "first", "unit"),
    [
        ("0::/system.slice/ssh.service\n", "0::/init.scope\n", "ssh.service"),
        (
            "9:name=systemd:/box\n0::/box/system.slice/ssh.service\n",
            "9:name=systemd:/box\n0::/box/init.scope\n",
            "ssh.service",
        ),
        ("1:name=systemd:/system.slice/ssh.service\n0::/\n", "1:name=systemd:/init.scope\n0::/\n", "ssh.service"),
        ("0::/user.slice/user-0.slice/user@0.service/app.slice/web.service\n", "0::/init.scope\n", "user@0.service"),
        ("0::/machine.slice/libpod-1.scope/system.slice/memcached.service\n", "0::/init.scope\n", "libpod-1.scope"),
        ("0::/user.slice\n", "0::/init.scope\n", "user.slice"),
        ("", "", None),
    ],
)
def test_the_unit_is_one_of_the_boxs_own_systemd(own, first, unit):
    assert cgroup_units.system_unit({"/proc/7/cgroup": own, "/proc/1/cgroup": first}, 7) == unit
