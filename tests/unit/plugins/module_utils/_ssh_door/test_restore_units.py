# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that restore SSH, as texts; test_change runs the script."""

from __future__ import annotations

import re
import subprocess

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import restore_units

FOLDER = "/etc/systemd/system/"


def test_without_nft_there_is_a_way_to_restore_and_no_firewall_unit():
    files = restore_units.files(None)
    assert set(files) == {
        restore_units.RESTORE,
        FOLDER + restore_units.RESTORE_UNIT,
        FOLDER + restore_units.BOOT_UNIT,
    }
    assert set(restore_units.files("/usr/sbin/nft")) - set(files) == {FOLDER + restore_units.FIREWALL_UNIT}


@pytest.mark.parametrize("path", sorted(restore_units.files("/sbin/nft")))
def test_every_place_is_filled(path):
    text, mode = restore_units.files("/sbin/nft")[path]
    assert not re.search("@[A-Z_]+@", text)
    assert mode == (0o755 if text.startswith("#!") else 0o644)


def test_the_script_is_valid_shell():
    subprocess.run(["sh", "-n"], input=restore_units.files(None)[restore_units.RESTORE][0], text=True, check=True)


def directives(unit):
    text = restore_units.files("/sbin/nft")[FOLDER + unit][0]
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def test_a_boot_restores_before_the_network_the_firewall_and_sshd():
    boot = directives(restore_units.BOOT_UNIT)
    assert {"network-pre.target", restore_units.FIREWALL_UNIT, "ssh.service", "ssh.socket"} <= set(
        boot["Before"].split()
    )
    assert boot["DefaultDependencies"] == "no" and boot["WantedBy"] == "sysinit.target"


def test_the_unit_of_the_timer_is_ordered_against_nothing():
    restore = directives(restore_units.RESTORE_UNIT)
    assert restore["DefaultDependencies"] == "no" and not {"Before", "After"} & set(restore)


@pytest.mark.parametrize("unit", [restore_units.RESTORE_UNIT, restore_units.BOOT_UNIT, restore_units.FIREWALL_UNIT])
def test_each_unit_gives_up_the_rights_that_it_does_not_need(unit):
    found = directives(unit)
    assert found["NoNewPrivileges"] == found["RestrictNamespaces"] == found["MemoryDenyWriteExecute"] == "yes"
    capabilities = set(found["CapabilityBoundingSet"].split())
    assert "CAP_NET_ADMIN" in capabilities and not capabilities & {"CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_CHOWN"}


@pytest.mark.parametrize("unit", [restore_units.RESTORE_UNIT, restore_units.BOOT_UNIT, restore_units.FIREWALL_UNIT])
def test_no_unit_needs_a_mount_namespace_which_systemd_may_fail_to_make(unit):
    # systemd.exec(5): these are implemented with mounts that only the unit sees.
    mounting = ("Private", "Protect", "Read", "Inaccessible", "Temporary", "Bind", "Root", "NoExecPaths", "ExecPaths")
    assert not [key for key in directives(unit) if key.startswith(mounting)]


@pytest.mark.parametrize("unit", [restore_units.RESTORE_UNIT, restore_units.BOOT_UNIT, restore_units.FIREWALL_UNIT])
def test_a_unit_that_fails_is_started_again_a_few_times(unit):
    found = directives(unit)
    assert (found["Restart"], found["RestartSec"], found["StartLimitBurst"]) == ("on-failure", "2", "5")


def test_the_table_is_loaded_before_the_network_and_again_after_a_flush():
    firewall = directives(restore_units.FIREWALL_UNIT)
    assert "network-pre.target" in firewall["Before"].split()
    assert firewall["PartOf"] == firewall["ReloadPropagatedFrom"] == "nftables.service"
    assert firewall["ExecStart"] == f"/sbin/nft -f {restore_units.STATE}/firewall.nft"
