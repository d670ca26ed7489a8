# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test how new files are validated with fail2ban, refused files, and that the operator is never banned.

The answers are those of fail2ban 1.0.2.
"""

from __future__ import annotations

import json
import os
import pathlib

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban import configuration
from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban.configuration import (
    Configuration,
    ConfigurationError,
    Options,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door.session import Session

SESSION = Session("::ffff:192.0.2.7 51000 198.51.100.1 2222", "ops", 700)
SSHD = {"name": "sshd", "settings": {"enabled": True, "port": "sshd"}}
OWN = "127.0.0.0/8 192.0.2.7 ::1"
OK = "OK: configuration test is successful\n"


def dump(**jails):
    """Return what `fail2ban-client -d` prints of jails with settings."""
    lines = []
    for name, settings in jails.items():
        values = {"maxretry": 5, "findtime": "10m", "bantime": "10m", **settings}
        lines.append(["add", name, "systemd"])
        lines.append(["set", name, "addignoreip", *values.pop("ignoreip", OWN).split()])
        lines += [["set", name, "addaction", action] for action in values.pop("actions", ["nftables"])]
        lines += [["set", name, key, value] for key, value in values.items()]
        lines.append(["start", name])
    return "".join(f"{line!r}\n" for line in lines)


class Box:
    """A host with fail2ban, whose configuration lies in `etc`. `staged` is what fail2ban was asked about last."""

    def __init__(self, host, folder):
        self.host, self.etc, self.staged, self.warnings = host, folder / "etc", {}, []
        (self.etc / "jail.d").mkdir(parents=True)
        (self.etc / "jail.conf").write_text("[DEFAULT]\n")
        client = folder / "fail2ban-client"
        client.write_text("#!/usr/bin/python3 -s\n")
        host.programs["fail2ban-client"] = self.client = str(client)
        host.install("nft")
        host.answer(self.client, then=self._answer)
        host.answer("/usr/bin/python3", out="[]\n")
        self.tested, self.dumped = (0, OK, ""), dump(sshd={})

    def _answer(self, argv):
        root = pathlib.Path(argv[2])
        self.staged = {
            path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()
        }
        if argv[3] == "-t":
            return tuple(part.replace("ETC", str(root)) if isinstance(part, str) else part for part in self.tested)
        return 0, self.dumped() if callable(self.dumped) else self.dumped, ""

    def configuration(self, *jails, ignore=(), daemon=None, session=SESSION, takeover="refuse", **settings):
        options = Options(str(self.etc), daemon or {}, settings, jails or (SSHD,), ignore, takeover)
        return Configuration(self.host.commands, options, session, self.warnings.append)

    @property
    def jail_file(self):
        return str(self.etc / "jail.d/zz-lifeline.local")


@pytest.fixture
def box(host, tmp_path):
    return Box(host, tmp_path)


def test_the_jails_and_the_addresses_that_are_never_banned_are_written(box):
    config = box.configuration(ignore=["198.51.100.0/24"], bantime="10m")
    assert config.ignored == ["127.0.0.0/8", "192.0.2.7", "198.51.100.0/24", "::1"]
    assert config.connection == "192.0.2.7"
    box.dumped = dump(sshd={"ignoreip": " ".join(config.ignored)})
    (text,) = config.validated().values()
    assert text.splitlines()[1:] == [
        "[DEFAULT]",
        "ignoreip = 127.0.0.0/8 192.0.2.7 198.51.100.0/24 ::1",
        "bantime = 10m",
        "",
        "[sshd]",
        "enabled = true",
        "port = 2222",
    ]
    assert set(box.staged) == {"jail.conf", "jail.d/zz-lifeline.local"}
    assert os.listdir(box.host.commands.tmpdir) == [] and not os.path.exists(box.jail_file)


def test_settings_of_the_daemon_have_a_file_of_their_own(box):
    texts = box.configuration(daemon={"dbpurgeage": "8d"}).validated()
    assert texts[str(box.etc / "fail2ban.d/zz-lifeline.local")].endswith("[Definition]\ndbpurgeage = 8d\n")


def test_without_fail2ban_the_files_are_not_validated(box):
    del box.host.programs["fail2ban-client"]
    assert list(box.configuration().validated()) == [box.jail_file]
    assert box.host.called("/") == []


def test_before_fail2ban_is_installed_only_the_ignored_addresses_are_written(box):
    config = box.configuration(bantime="10m")
    assert config.guard()[box.jail_file].splitlines()[1:] == ["[DEFAULT]", f"ignoreip = {OWN}"]
    pathlib.Path(box.jail_file).write_text("[sshd]\n")
    assert config.guard() == {}


def test_a_jail_may_ignore_more_addresses(box):
    config = box.configuration({"name": "sshd", "settings": {"enabled": True, "ignoreip": ["203.0.113.0/24"]}})
    assert config.jails[0][1]["ignoreip"] == "127.0.0.0/8 192.0.2.7 203.0.113.0/24 ::1"


def test_a_jail_of_another_file_that_would_ban_the_operator_gets_the_whole_list(box):
    seen = []

    def dumped():
        text = box.staged["jail.d/zz-lifeline.local"]
        seen.append(text)
        return dump(sshd={}, web={"ignoreip": "10.0.0.1 " + (OWN if "[web]" in text else "")})

    box.dumped = dumped
    texts = box.configuration().validated()
    assert len(seen) == 2
    assert texts[box.jail_file].endswith(f"[web]\nignoreip = 10.0.0.1 {OWN}\n")


REFUSED = "fail2ban refuses the new configuration, so nothing was written: "
OTHER = "jail {}: another file overrides this role and {}; remove it there or set fail2ban_jails"
TAKEOVER = "; or set fail2ban_takeover: take (the role counts) or keep (that file counts)"


@pytest.mark.parametrize(
    ("dumped", "why"),
    [
        (
            dump(sshd={"maxretry": 99}),
            OTHER.format("sshd", "sets other values (maxretry is 99 instead of 5)") + TAKEOVER,
        ),
        (
            dump(sshd={"actions": []}),
            OTHER.format("sshd", "leaves it without an action, so it would ban no address"),
        ),
        (dump(sshd={"ignoreip": "127.0.0.0/8"}), OTHER.format("sshd", "would have it ban 192.0.2.7, ::1")),
        (dump(), "jail sshd would not run"),
        (dump(sshd={}).replace("['start', 'sshd']\n", ""), "jail sshd would not run"),
        (
            dump(sshd={}, web={"ignoreip": "10.0.0.1"}),
            OTHER.format("web", "would have it ban 127.0.0.0/8, 192.0.2.7, ::1"),
        ),
    ],
)
def test_a_jail_that_would_come_out_otherwise_is_refused(box, dumped, why):
    box.dumped = dumped
    with pytest.raises(ConfigurationError) as raised:
        box.configuration(maxretry=5).validated()
    assert str(raised.value) == REFUSED + why


def test_a_jail_that_another_file_enables_against_the_role_is_refused(box):
    with pytest.raises(ConfigurationError) as raised:
        box.configuration({"name": "sshd", "settings": {"enabled": False}}).validated()
    assert str(raised.value) == REFUSED + OTHER.format("sshd", "enables it")


def test_the_line_of_the_other_file_is_named_and_a_takeover_lets_one_of_both_count(box):
    (box.etc / "jail.local").write_text("[sshd]\n# of a tutorial\nbanaction = ufw\n")
    box.host.install("ufw")
    box.dumped = dump(sshd={"actions": ["ufw"]})
    with pytest.raises(ConfigurationError) as raised:
        box.configuration(banaction="nftables[type=multiport]").validated()
    assert str(raised.value) == REFUSED + (
        f"jail sshd: {box.etc}/jail.local:3 overrides this role and sets other values (banaction is ufw instead of "
        f"nftables); remove it there or set fail2ban_jails{TAKEOVER}"
    )
    texts = box.configuration(banaction="nftables[type=multiport]", takeover="keep").validated()
    assert "banaction" not in texts[box.jail_file].partition("[sshd]")[2]
    box.dumped = dump(sshd={"maxretry": 4})
    texts = box.configuration(banaction="nftables[type=multiport]", maxretry=4, takeover="take").validated()
    assert "\nbanaction = nftables[type=multiport]\nmaxretry = 4\n" in texts[box.jail_file].partition("[sshd]")[2]


def test_an_action_whose_program_is_missing_is_refused(box):
    (box.etc / "jail.local").write_text("[sshd]\nbanaction = ufw\n")
    box.dumped = dump(sshd={"actions": ["ufw"]})
    with pytest.raises(ConfigurationError) as raised:
        box.configuration(takeover="keep").validated()
    assert str(raised.value) == REFUSED + (
        f"jail sshd: its action ufw ({box.etc}/jail.local:2) runs ufw, which is not installed, so it would ban no "
        "address; install ufw or set another banaction"
    )


def test_what_fail2bans_test_refuses_names_the_real_file(box):
    line = "2026-11-21 08:06:28,423 fail2ban [259]: ERROR Found no accessible config files for 'x' under ETC"
    box.tested = (255, "", line + "\nERROR: test configuration failed\n")
    with pytest.raises(ConfigurationError) as raised:
        box.configuration().validated()
    assert str(raised.value) == (
        f"{REFUSED}ERROR Found no accessible config files for 'x' under {box.etc}; ERROR: test configuration failed"
    )


def test_a_wrong_value_of_our_jail_is_refused_although_fail2ban_takes_another(box):
    line = "2026-11-21 08:06:28,423 fail2ban [259]: WARNING Wrong value for 'maxretry' in 'sshd'. Using default"
    box.tested = (0, OK, f"{line}\n{line.replace('sshd', 'web')}\n")
    with pytest.raises(ConfigurationError) as raised:
        box.configuration().validated()
    assert str(raised.value) == f"{REFUSED}WARNING Wrong value for 'maxretry' in 'sshd'. Using default"


def test_a_jail_that_fail2ban_would_leave_out_is_refused(box):
    box.dumped = "['config-error', \"Jail 'ftp' skipped, because of wrong configuration\"]\n" + dump(sshd={})
    with pytest.raises(ConfigurationError, match="Jail 'ftp' skipped, because of wrong configuration$"):
        box.configuration().validated()


def test_what_fail2bans_own_code_refuses_is_refused(box):
    box.host.answer("/usr/bin/python3", out='noise\n[["sshd", "addfailregex", "No failure-id group"]]\n')
    with pytest.raises(ConfigurationError) as raised:
        box.configuration().validated()
    assert str(raised.value) == f"{REFUSED}jail sshd, addfailregex: No failure-id group"
    assert box.host.called("/usr/bin/python3")[0].startswith("/usr/bin/python3 -s -c \nimport json")
    assert ["start", "sshd"] in json.loads(box.host.inputs[-1])


def test_code_of_fail2ban_that_cannot_be_run_is_a_warning(box):
    box.host.answer("/usr/bin/python3", err="ModuleNotFoundError: No module named 'fail2ban'\n", code=1)
    box.configuration().validated()
    assert box.warnings == [
        "fail2ban's code could not be tried on the new configuration: ModuleNotFoundError: No module named 'fail2ban'"
    ]


def test_an_address_that_is_none_is_refused(box):
    with pytest.raises(
        ConfigurationError, match="^ignore: '300.1.1.1' does not appear to be an IPv4 or IPv6 network; give"
    ):
        box.configuration(ignore=["300.1.1.1"])


SOCKET = "Listen=0.0.0.0:2022 (Stream)\nListen=/run/x (Stream)\nListen=[::]:53 (Datagram)\nActiveState=%s\n"


@pytest.mark.parametrize(
    ("sshd", "state", "session", "ports"),
    [
        ((0, "port 22\nlistenaddress 192.0.2.1:222\n", ""), "inactive", None, [22, 222]),
        ((0, "port 22\n", ""), "active", SESSION, [22, 2022, 2222]),
        ((255, "", "Missing privilege separation directory"), "inactive", SESSION, [2222]),
        ((255, "", "Missing privilege separation directory"), "inactive", None, [22]),
    ],
)
def test_the_ports_of_sshd_are_those_of_its_configuration_its_socket_and_the_connection(
    host, sshd, state, session, ports, tmp_path, monkeypatch
):
    monkeypatch.setattr(configuration.sshd, "_PRIVILEGE_SEPARATION", str(tmp_path / "run-sshd"))
    host.install("sshd", "systemctl")
    host.answer("/usr/sbin/sshd -T", sshd[1], sshd[0], sshd[2])
    host.answer("/usr/sbin/systemctl show", out=SOCKET % state)
    warnings = []
    assert configuration.ssh_ports(host.commands, session, warnings.append) == ports
    assert (tmp_path / "run-sshd").is_dir()
    assert warnings == (
        ["sshd -T failed, so the ports of jails may be incomplete: Missing privilege separation directory"]
        if sshd[0]
        else []
    )
