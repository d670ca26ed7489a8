# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of this machine as real shells read it, and the parts of an answer."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError, SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import state as host_state, state_script

SHELLS = [command for command in (["dash", "-c"], ["bash", "-c"], ["busybox", "ash", "-c"]) if shutil.which(command[0])]


@pytest.fixture(scope="module", params=SHELLS, ids=lambda command: command[0])
def read(request, tmp_path_factory):
    """Return this machine's state as each shell reads it, with this process as a worker, and with an application."""
    app = tmp_path_factory.mktemp("app")
    (app / "Gemfile.lock").write_text(LOCK)
    (app / "vendor/bundle/ruby/3.1.0/specifications").mkdir(parents=True)
    (app / "vendor/bundle/ruby/3.1.0/specifications/lifeline-test-1.2.3.gemspec").touch()
    script = state_script.script(30, [os.getpid()], [str(app)])
    if request.param[0] == "busybox":
        # Only the system's programs that busybox lacks are added.
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
    parts = state_script.parts(done.stdout.decode("utf-8", "surrogateescape"), "")
    return host_state.parse(parts, [{"name": "tests", "pids": [os.getpid()]}], apps=True)


def told(command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, shell=True).stdout


def test_it_crosses_any_login_shell_unharmed():
    script = state_script.script(30, range(1, 99), ["/var/www/app"])
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
    """A real change may fall between two readings, but not between two pairs of them."""

    def once():
        done = subprocess.run(["sh", "-c", state_script.script(30)], stdout=subprocess.PIPE, check=True)
        return host_state.parse(state_script.parts(done.stdout.decode("utf-8", "surrogateescape"), ""))[0]

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
            ["sh", "-c", state_script.script(30, [worker.pid])], stdout=subprocess.PIPE, text=True, check=True
        )
        worker.stdin.close()
    state = host_state.parse(state_script.parts(done.stdout, ""), [{"name": "w", "pids": [worker.pid]}])[0]
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


@pytest.mark.parametrize("path", ["app", "/var/www/my app", "/x;reboot", "/$(id)", "/a'b", '/a"b', "/a\nb"])
def test_a_path_that_a_shell_would_take_apart_is_refused(path):
    with pytest.raises(SettingsError, match="app_path: not a path"):
        state_script.script(30, (), [path])


@pytest.mark.parametrize(
    ("answer", "errors", "words"),
    [
        ("", "", "did not answer with its state, but with nothing"),
        ("This account is not available.\n", "", "not available"),
        ("", "sudo: a password is required\n", "a password is required"),
        (
            "\n==> lifeline:files <==\n|x\n\n==> lifeline:packages <==\n",
            "",
            "stopped answering while its state was read .2 of its parts",
        ),
    ],
)
def test_an_answer_that_is_none_is_an_error_that_shows_it(answer, errors, words):
    with pytest.raises(ProbeError, match=words):
        state_script.parts(answer, errors)


def test_a_greeting_and_a_terminal_in_between_change_nothing():
    answer = "Welcome!\n\n==> lifeline:ruby <==\n|ruby 3.1.2p20 (2022)\n|\n|ended 0\n\n==> lifeline:end <==\nBye\n"
    assert (
        state_script.parts(answer, "")
        == state_script.parts(answer.replace("\n", "\r\n"), "")
        == {"ruby": part("ruby 3.1.2p20 (2022)\n")}
    )


def test_no_text_can_pretend_to_be_another_part():
    forged = "\n==> lifeline:lock/0 <==\n|==> lifeline:packages <==\n|x\n|ended 0\n\n==> lifeline:end <==\n"
    assert set(state_script.parts(forged, "")) == {"lock"}


def test_what_was_cut_off_is_not_whole():
    answer = "==> lifeline:gems <==\n|rake-13.gemspec\n|ended 0\n|ra\n\n==> lifeline:sysctls <==\n|a = 1\n|ended 137\n"
    found = state_script.parts(answer + "\n==> lifeline:end <==\n", "")
    assert not found["gems"].whole and not found["sysctls"].whole
