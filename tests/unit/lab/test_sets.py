# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the lab's description of its hosts: every scenario has some, and their archive has what the roles install."""

from __future__ import annotations

import pytest
import yaml
from sets import TABLE, Lab

from paths import ROOT

SCENARIOS = sorted(path.parent.name for path in (ROOT / "extensions" / "molecule").glob("*/molecule.yml"))


@pytest.mark.parametrize("scenario", sorted(set(SCENARIOS) - {"drill"}))
def test_every_scenario_has_hosts(scenario):
    boxes = Lab(scenario).boxes(TABLE["sets"][scenario]["suites"])
    assert boxes
    assert len({box.name for box in boxes}) == len(boxes)


def test_each_suite_and_each_kind_is_a_host_with_its_login():
    entered = {box.name: (box.suite, box.login) for box in Lab("compare").boxes(["bookworm", "trixie"])}
    assert entered == {
        "compare-bookworm": ("bookworm", "ops"),
        "compare-trixie": ("trixie", "root"),
        "compare-ok": ("bookworm", "root"),
        "compare-leak": ("bookworm", "root"),
        "compare-down": ("trixie", "root"),
    }


def test_several_hosts_of_a_kind_have_numbers():
    names = [box.name for box in Lab("rescue").boxes(["trixie"])]
    assert names[:3] == ["rescue-1", "rescue-2", "rescue-idle"]


def test_a_scenario_that_needs_two_hosts_has_them_and_both_logins_on_one_release():
    entered = {
        suites: [(box.name, box.login) for box in Lab("fail2ban").boxes(suites)]
        for suites in (("trixie",), ("bookworm", "trixie"))
    }
    assert entered == {
        ("trixie",): [("fail2ban-trixie", "root"), ("fail2ban-trixie-2", "ops")],
        ("bookworm", "trixie"): [("fail2ban-bookworm", "ops"), ("fail2ban-trixie", "root")],
    }


def test_only_some_kinds_have_the_unit_of_a_worker():
    kinds = TABLE["kinds"]
    shipped = {
        name for name, kind in kinds.items() if "sidekiq.service" in kind.get("units", []) + kind.get("installed", [])
    }
    assert shipped == {"ok", "leak", "oom", "dying", "starved", "idle", "deployed"}


def test_the_archive_offers_what_the_roles_install():
    offered = {name for group in TABLE["offered"] for name in group}
    variables = {}
    for path in ("fail2ban/vars/Debian.yml", "ssh_lifeline/vars/Debian.yml", "monit/vars/Debian.yml"):
        variables.update(yaml.safe_load((ROOT / "roles" / path).read_text()))
    variables.update(yaml.safe_load((ROOT / "roles/diagnostic_tools/vars/main.yml").read_text()))
    wanted = {*variables["__fail2ban_packages"], *variables["__monit_packages"]}
    wanted |= {variables["__ssh_lifeline_earlyoom_package"], variables["__ssh_lifeline_nftables_package"]}
    wanted |= {tool["name"] for tool in variables["__diagnostic_tools_seed"]}
    # The image itself has these.
    assert wanted - {"iproute2", "lsof", "procps"} <= offered
