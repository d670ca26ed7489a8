# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a box is made of: the script in real shells on this machine, and what is made of its answer."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError, SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import state as host_state, state_script

SHELLS = [command for command in (["dash", "-c"], ["bash", "-c"], ["busybox", "ash", "-c"]) if shutil.which(command[0])]
WORD = "0123abcd"


@pytest.fixture(scope="module", params=SHELLS, ids=lambda command: command[0])
def read(request, tmp_path_factory):
    """This machine's state as each shell reads it, with this very process as a worker and an application of the test's own."""
    app = tmp_path_factory.mktemp("app")
    (app / "Gemfile.lock").write_text(LOCK)
    (app / "vendor/bundle/ruby/3.1.0/specifications").mkdir(parents=True)
    (app / "vendor/bundle/ruby/3.1.0/specifications/lifeline-test-1.2.3.gemspec").touch()
    script = state_script.script(WORD, 30, [os.getpid()], [str(app)])
    if request.param[0] == "busybox":
        # Only what is a program of the system's own is taken from there.
        tools = tmp_path_factory.mktemp("busybox")
        subprocess.run(["busybox", "--install", "-s", tools], check=True)
        for name in ("dpkg-query", "rpm", "systemctl", "ruby"):
            (tools / name).unlink(missing_ok=True)
            if shutil.which(name):
                (tools / name).symlink_to(shutil.which(name))
        script = script.replace("PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin", f"PATH={tools}")
    done = subprocess.run(
        [*request.param, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=True,
        env={**os.environ, "RAILS_ENV": "production"},
    )
    assert done.stderr == b""
    parts = state_script.parts(done.stdout.decode("utf-8", "surrogateescape"), "", WORD)
    return host_state.parse(parts, [{"name": "tests", "pids": [os.getpid()]}], apps=True)


def told(command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, shell=True).stdout


def test_it_crosses_any_login_shell_unharmed():
    script = state_script.script(WORD, 30, range(1, 99), ["/var/www/app"])
    assert not {"'", "\n"} & set(script)
    assert script.count("!") == script.count("! ")
    assert len(script) < 1 << 13


def test_it_knows_this_machine(read):
    state, whole, _unread = read
    assert state["kernel"] == platform.release()
    assert {"cmdline:", "locale:", "mount:", "sysctl:", "gem:", "bundle:"} <= set(whole)
    assert state["sysctl:vm.swappiness"] == Path("/proc/sys/vm/swappiness").read_text().strip()
    assert state["sysctl:net.ipv4.tcp_rmem"] == " ".join(Path("/proc/sys/net/ipv4/tcp_rmem").read_text().split())
    assert state["mount:/"].split()[0] == told("stat -f -c %T /").strip() or state["mount:/"].split()[0] in told(
        "cat /proc/mounts"
    )


def test_what_is_a_boxs_own_or_never_the_same_twice_is_not_told(read):
    state = read[0]
    values = " ".join(state.values())
    assert platform.node() not in values.split()
    for name in ("boot_id", "uuid"):
        assert Path("/proc/sys/kernel/random", name).exists()
        assert "sysctl:kernel.random." + name not in state
    assert not {
        "sysctl:fs.file-nr",
        "sysctl:fs.dentry-state",
        "sysctl:kernel.ns_last_pid",
        "sysctl:kernel.hostname",
    } & set(state)


def test_what_it_reads_does_not_change_by_itself():
    """Somebody may change something just now, but not twice in a row."""

    def once():
        done = subprocess.run(["sh", "-c", state_script.script(WORD, 30)], stdout=subprocess.PIPE, check=True)
        return host_state.parse(state_script.parts(done.stdout.decode("utf-8", "surrogateescape"), "", WORD))[0]

    first, second, third = once(), once(), once()
    names = {*first, *second, *third}
    assert [name for name in names if first.get(name) != second.get(name) != third.get(name)] == []


@pytest.mark.skipif(not Path("/var/lib/dpkg/status").exists(), reason="no machine with dpkg")
def test_it_knows_the_packages_that_dpkg_knows(read):
    state, whole, _unread = read
    assert "package:" in whole
    listed = [line.split() for line in told("dpkg-query -l").splitlines() if line[:2] in ("ii", "hi")]
    assert {name for name in state if name.startswith("package:")} == {
        "package:" + words[1].partition(":")[0] for words in listed
    }
    assert state["package:dpkg"] == told("dpkg-query -W -f '${Version}' dpkg")


@pytest.mark.skipif(not shutil.which("gem"), reason="no RubyGems")
def test_it_knows_the_gems_that_rubygems_knows(read):
    listed = dict(line.split(" ", 1) for line in told("gem list --quiet").splitlines())
    known = {name[4:]: value for name, value in read[0].items() if name.startswith("gem:")}
    assert set(listed) <= set(known)
    for name, versions in listed.items():
        assert set(known[name].split(", ")) >= {
            version.removeprefix("default: ") for version in versions.strip("()").split(", ")
        }


def test_it_knows_what_holds_for_a_worker(read):
    state = read[0]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert state["limit:tests:nofile"] == (str(soft) if soft == hard else f"{soft}:{hard}")
    assert state["program:tests"] == os.readlink("/proc/self/exe")


def test_of_the_environment_only_what_was_named_leaves_the_box():
    environment = {
        "RAILS_ENV": "production",
        "MALLOC_ARENA_MAX": "2",
        "SECRET_KEY_BASE": "hush",
        "XRAILS_ENV": "hush",
        "DATABASE_URL": "hush\nRAILS_ENV=\nTZ=hush",
    }
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, env=environment) as worker:
        done = subprocess.run(
            ["sh", "-c", state_script.script(WORD, 30, [worker.pid])], stdout=subprocess.PIPE, text=True, check=True
        )
        worker.stdin.close()
    state = host_state.parse(state_script.parts(done.stdout, "", WORD), [{"name": "w", "pids": [worker.pid]}])[0]
    assert "hush" not in done.stdout
    assert state["environment:w:MALLOC_ARENA_MAX"] == "2"


def test_what_the_application_has_locked_and_bundled(read):
    state = read[0]
    assert {name: value for name, value in state.items() if name.startswith("bundle:")} == {
        "bundle:connection_pool": "2.4.1",
        "bundle:nokogiri": "1.16.5-x86_64-linux",
        "bundle:sidekiq": "7.3.2",
    }
    assert state["gem:lifeline-test"] == "1.2.3"


LOCK = """GEM
  remote: https://rubygems.org/
  specs:
    connection_pool (2.4.1)
    nokogiri (1.16.5-x86_64-linux)
      racc (~> 1.4)
    sidekiq (7.3.2)
      connection_pool (>= 2.3.0)

PLATFORMS
  ruby

DEPENDENCIES
  sidekiq (~> 7.0)

BUNDLED WITH
   2.4.22
"""


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
        # Started by who asks it something, and gone when it has answered.
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


def test_units_that_nobody_has_asked_for_since_boot():
    assert parsed(
        unit_files="cups.service disabled enabled\nsshd.service alias -\nmulti-user.target static -\nx.timer masked enabled\n",
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


def test_the_command_line_without_what_is_a_boxs_own():
    text = "==> /proc/cmdline <==\nBOOT_IMAGE=/vmlinuz-6.1 root=UUID=ab ro quiet console=tty0 console=ttyS0 ip=10.0.0.1 mitigations=off\n"
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


@pytest.mark.parametrize("path", ["app", "/var/www/my app", "/x;reboot", "/$(id)", "/a'b", '/a"b', "/a\nb"])
def test_a_path_that_a_shell_would_take_apart_is_refused(path):
    with pytest.raises(SettingsError, match="app_path is"):
        state_script.script(WORD, 30, (), [path])


@pytest.mark.parametrize(
    ("answer", "errors", "words"),
    [
        ("", "", "did not tell its state: it answered nothing"),
        ("This account is not available.\n", "", "not available"),
        ("", "sudo: a password is required\n", "a password is required"),
        (
            f"\n==> {WORD} files <==\nx\n\n==> {WORD} packages <==\n",
            "",
            "stopped answering while its state was read .2 of its parts",
        ),
    ],
)
def test_an_answer_that_is_none_is_an_error_that_shows_it(answer, errors, words):
    with pytest.raises(ProbeError, match=words):
        state_script.parts(answer, errors, WORD)


def test_a_greeting_and_a_terminal_in_between_change_nothing():
    answer = (
        f"Welcome!\n\n==> {WORD} ruby <==\nruby 3.1.2p20 (2022)\n\n==> {WORD} whole <==\n\n==> {WORD} end <==\nBye\n"
    )
    assert (
        state_script.parts(answer, "", WORD)
        == state_script.parts(answer.replace("\n", "\r\n"), "", WORD)
        == {"ruby": part("ruby 3.1.2p20 (2022)\n")}
    )


def test_no_text_can_pretend_to_be_another_part():
    forged = f"\n==> {WORD} lock <==\n==> packages <==\nx\n==> end <==\n\n==> {WORD} end <==\n"
    assert set(state_script.parts(forged, "", WORD)) == {"lock"}


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
