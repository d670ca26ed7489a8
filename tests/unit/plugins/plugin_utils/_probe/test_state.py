# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a host, parsed from the parts of its answer."""

from __future__ import annotations

import pytest
from growth import LIMIT, growth
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import state as host_state, state_script


def part(text, whole=True):
    return state_script.Part(text, whole)


def parsed(**texts):
    return host_state.parse({name: part(text) for name, text in texts.items()})[0]


def test_packages_of_dpkg():
    assert parsed(
        packages="bash amd64 5.2.15-2+b7 install ok installed\n"
        "libc6 amd64 2.36-9 install ok installed\nlibc6 i386 2.36-9 install ok installed\n"
        "nginx amd64 1.22.1-9 hold ok installed\n"
        "gone all 1.0 deinstall ok config-files\n"
        "broken all 2.0 install ok half-configured\n"
    ) == {
        "package:bash": "5.2.15-2+b7",
        "package:libc6": "2.36-9",
        "package:nginx": "1.22.1-9 (held)",
        "package:broken": "2.0 (half-configured)",
        "timezone": "UTC",
    }


def test_packages_of_rpm():
    assert parsed(
        packages="kernel-core x86_64 (none):5.14.0-503.el9 install ok installed\n"
        "kernel-core x86_64 (none):5.14.0-427.el9 install ok installed\n"
        "openssl x86_64 1:3.2.2-6.el9 install ok installed\n"
    ) == {
        "package:kernel-core": "5.14.0-427.el9, 5.14.0-503.el9",
        "package:openssl": "1:3.2.2-6.el9",
        "timezone": "UTC",
    }


@pytest.mark.parametrize(
    "name",
    [
        "kernel.random.boot_id",
        "kernel.hostname",
        "fs.quota.syncs",
        "fs.dentry-state",
        "net.netfilter.nf_conntrack_count",
        "kernel.pty.nr",
        "net.ipv4.conf.veth12ab.rp_filter",
        "net.ipv6.neigh.docker0.locktime",
        "net.ipv6.conf.eth0.stable_secret",
        "vm.drop_caches",
        "kernel.perf_event_max_sample_rate",
        "net.ipv4.tcp_fastopen_key",
    ],
)
def test_sysctls_that_are_no_settings(name):
    assert parsed(sysctls=f"{name} = 1\n") == {"timezone": "UTC"}


@pytest.mark.parametrize(
    "name",
    [
        "net.ipv4.conf.eth0.rp_filter",
        "vm.swappiness",
        "kernel.pty.max",
        "net.netfilter.nf_conntrack_max",
        "fs.file-max",
        "fs.quota.warnings",
        "kernel.tainted",
    ],
)
def test_sysctls_that_are(name):
    assert parsed(sysctls=f"{name} = 1\t2\n")["sysctl:" + name] == "1 2"


def unit(**values):
    block = {
        "Id": "x.service",
        "UnitFileState": "enabled",
        "ActiveState": "active",
        "SubState": "running",
        "Type": "simple",
        "RemainAfterExit": "no",
        "TriggeredBy": "",
        "BusName": "",
        **values,
    }
    return parsed(units="".join("%s=%s\n" % item for item in block.items()), unit_files="").get("unit:" + block["Id"])


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "enabled, active"),
        ({"ActiveState": "reloading"}, "enabled, active"),
        ({"ActiveState": "inactive", "SubState": "dead"}, "enabled"),
        ({"ActiveState": "failed", "SubState": "failed", "Type": "oneshot"}, "enabled, failed"),
        ({"ActiveState": "activating", "SubState": "auto-restart"}, "enabled, restarting"),
        # A daily job runs now, or it doesn't.
        ({"Type": "oneshot", "TriggeredBy": "x.timer", "UnitFileState": "static"}, "static"),
        ({"Type": "oneshot"}, "enabled"),
        ({"Type": "oneshot", "RemainAfterExit": "yes", "SubState": "exited"}, "enabled, active"),
        # Started by a client's request, and gone once it has answered.
        ({"UnitFileState": "static", "BusName": "org.freedesktop.hostname1"}, "static"),
        ({"UnitFileState": "static"}, "static, active"),
        ({"UnitFileState": "masked", "ActiveState": "inactive"}, "masked"),
        ({"Id": "run-u5.service", "UnitFileState": "transient"}, None),
        ({"Id": "user@0.service", "UnitFileState": "static"}, None),
        ({"Id": "ssh@3-10.0.0.1:22-10.0.0.2:5.service", "UnitFileState": "static"}, None),
        ({"Id": "systemd-fsck@dev-disk-by\\x2duuid-ab12.service", "UnitFileState": "static"}, None),
        ({"Id": "postgresql@15-main.service", "UnitFileState": "enabled"}, "enabled, active"),
        ({"Id": "sidekiq@1.service", "UnitFileState": "enabled"}, "enabled, active"),
    ],
)
def test_units(values, told):
    assert unit(**values) == told


def test_units_that_were_not_loaded_since_boot():
    assert parsed(
        unit_files="cups.service disabled enabled\nsshd.service alias -\n"
        "multi-user.target static -\nx.timer masked enabled\n",
        units="",
    ) == {"unit:cups.service": "disabled", "unit:x.timer": "masked", "timezone": "UTC"}


def test_gems_whose_names_look_like_versions():
    assert parsed(
        gems="net-http-0.2.0.gemspec\nruby2_keywords-0.0.5.gemspec\nnokogiri-1.16.5-x86_64-linux.gemspec\nrack-2.2.22.gemspec\n"
        "rack-3.0.0.rc1.gemspec\nrandom.txt\n"
    ) == {
        "gem:net-http": "0.2.0",
        "gem:ruby2_keywords": "0.0.5",
        "gem:nokogiri": "1.16.5-x86_64-linux",
        "gem:rack": "2.2.22, 3.0.0.rc1",
        "timezone": "UTC",
    }


def test_the_command_line_without_the_parameters_of_this_host():
    text = (
        "==> /proc/cmdline <==\nBOOT_IMAGE=/vmlinuz-6.1 root=UUID=ab ro quiet console=tty0 console=ttyS0 ip=10.0.0.1 "
        "mitigations=off\n"
    )
    assert {name: value for name, value in parsed(files=text).items() if name != "timezone"} == {
        "cmdline:ro": "set",
        "cmdline:quiet": "set",
        "cmdline:console": "tty0 ttyS0",
        "cmdline:mitigations": "off",
    }


@pytest.mark.parametrize(
    ("link", "written", "zone"),
    [
        ("/usr/share/zoneinfo/Europe/Vienna", "Etc/UTC", "Europe/Vienna"),
        ("../usr/share/zoneinfo/posix/UTC", "", "UTC"),
        ("", "Europe/Vienna", "Europe/Vienna"),
        ("", "", "UTC"),
    ],
)
def test_the_time_zone(link, written, zone):
    assert parsed(localtime=link + "\n", files=f"==> /etc/timezone <==\n{written}\n")["timezone"] == zone


def test_what_came_only_in_part_is_not_all_there_is():
    packages = part("bash amd64 5.2 install ok installed\nda", whole=False)
    state, whole, unread = host_state.parse({"packages": packages, "sysctls": part("a.b = 1\n")})
    assert state["package:bash"] == "5.2"
    assert "package:" not in whole
    assert "sysctl:" in whole
    assert {"packages", "units", "own_units", "gems", "files"} == set(unread)


def test_workers_that_differ_among_each_other():
    limits = "Max open files            %d                 4096                 files     \n"
    parts = {
        "limits/7": part(limits % 1024),
        "limits/8": part(limits % 4096),
        "exe/7": part("/usr/bin/ruby3.1 (deleted)\n"),
        "exe/8": part("/usr/bin/ruby3.1\n"),
    }
    state = host_state.parse(parts, [{"name": "w", "pids": [7, 8, 9]}])[0]
    assert state["limit:w:nofile"] == "1024:4096 and 4096"
    assert state["program:w"] == "/usr/bin/ruby3.1 and /usr/bin/ruby3.1 (deleted)"


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "files",
                "packages",
                "sysctls",
                "unit_files",
                "units",
                "own_units",
                "gems",
                "lock",
                "ruby",
                "cpu",
                "limits/1",
                "environment/1",
            ]
        ),
        st.text(),
    )
)
def test_no_answer_makes_it_raise(texts):
    state, _whole, _unread = host_state.parse(
        {name: part(text) for name, text in texts.items()}, [{"name": "w", "pids": [1]}], apps=True
    )
    assert all(isinstance(value, str) and value for value in state.values())


def test_names_and_values_that_users_choose_can_be_printed():
    found = parsed(gems="a\x1b[2J-1.0.0.gemspec\n", files="==> /etc/timezone <==\nx\x9b2J\n")
    assert found["timezone"] == r"x\x9b2J"
    assert [name for name in found if name.startswith("gem:")] in ([], [r"gem:a\x1b[2J"])
    assert not [text for item in found.items() for text in item if "\x1b" in text or "\x9b" in text]


def test_a_setting_of_many_lines_takes_no_longer_than_its_text():
    assert parsed(sysctls="a.b = 1\na.b = 2  3\n")["sysctl:a.b"] == "1 2 3"
    assert growth(lambda text: parsed(sysctls=text), lambda size: "vm.swappiness = 10\n" * size, 20000) < LIMIT
