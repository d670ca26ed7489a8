# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the arguments of systemctl, and how long a unit may take to stop."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import systemctl


class Failed(Exception):
    """The exception of a stubbed fail_json."""


class Host:
    """A module on a host whose systemd has units; each ends after a number of queries, or after SIGKILL."""

    def __init__(self, **looks):
        self.looks = {f"{name}.service": number for name, number in looks.items()}
        self.failed, self.calls = set(), []

    def fail_json(self, msg):
        raise Failed(msg)

    def run_command(self, argv, environ_update):
        assert argv[:2] == ["systemctl", "--no-pager"] and environ_update == {"LC_ALL": "C"}
        self.calls.append(argv[2:])
        return getattr(self, argv[2].replace("-", "_"))(argv[3:])

    def names(self, arguments):
        return arguments[arguments.index("--") + 1 :]

    def show(self, arguments):
        blocks = []
        for name in self.names(arguments):
            if name in self.looks:
                self.looks[name] -= 1
                over = "failed" if name in self.failed else "inactive"
                state = "deactivating" if self.looks[name] > 0 else over
                blocks.append(f"Id={name}\nNames={name}\nLoadState=loaded\nActiveState={state}\n")
        return 0, "\n".join(blocks), ""

    def stop(self, arguments):
        return 0, "", ""

    def kill(self, arguments):
        for name in self.names(arguments):
            self.looks[name] = 0
            self.failed.add(name)
        return 0, "", ""

    def reset_failed(self, arguments):
        self.failed -= set(self.names(arguments))
        return 0, "", ""

    def list_units(self, arguments):
        return 1, "a.service loaded active running A\n\nb.socket loaded\n", ""

    list_unit_files = list_units

    def daemon_reload(self, arguments):
        return 1, "", "Access denied\n"


def test_units_come_in_the_order_of_the_names():
    host = Host(a=1, b=9)
    units = systemctl.Systemd(host).show(["b.service", "a.service"])
    assert [(unit["Id"], unit["ActiveState"]) for unit in units] == [
        ("b.service", "deactivating"),
        ("a.service", "inactive"),
    ]
    assert host.calls[0][-3:] == ["--", "b.service", "a.service"]


def test_an_answer_about_other_units_fails():
    with pytest.raises(Failed, match=r"systemctl show: 1 units in the answer for 2 names \(a.service b.service\)"):
        systemctl.Systemd(Host(a=1)).show(["a.service", "b.service"])


def test_without_names_nothing_is_asked():
    host = Host()
    systemd = systemctl.Systemd(host)
    assert (systemd.show([]), systemd.loaded([]), systemd.installed([]), systemd.stop([], 5)) == ([], [], [], [])
    assert host.calls == []


def test_names_of_units_by_pattern():
    systemd = systemctl.Systemd(Host())
    assert systemd.loaded(["a*"]) == systemd.installed(["a*"]) == ["a.service", "b.socket"]


def test_a_refusal_fails_with_what_systemd_said():
    with pytest.raises(Failed, match="systemctl daemon-reload failed: Access denied"):
        systemctl.Systemd(Host()).reload()


def test_a_unit_that_stops_in_time_is_not_killed():
    host = Host(a=2, b=1)
    assert systemctl.Systemd(host).stop(["a.service", "b.service"], 60) == []
    assert [call[0] for call in host.calls] == ["stop", "show", "show", "show"]


def test_a_unit_that_does_not_stop_is_killed_and_not_left_failed():
    host = Host(a=99, b=1)
    assert systemctl.Systemd(host).stop(["a.service", "b.service"], -1) == []
    assert [call[1:] for call in host.calls if call[0] == "kill"] == [["--signal=SIGKILL", "--", "a.service"]]
    assert [call[1:] for call in host.calls if call[0] == "reset-failed"] == [["--", "a.service"]]
    assert host.failed == set()


def test_a_unit_that_survives_is_returned(monkeypatch):
    host = Host(a=99)
    monkeypatch.setattr(systemctl, "_KILL_SECONDS", -1)
    host.kill = lambda arguments: (1, "", "refused")
    assert systemctl.Systemd(host).stop(["a.service"], -1) == ["a.service"]
