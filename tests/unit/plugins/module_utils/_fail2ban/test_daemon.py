# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reload of fail2ban, the bans that are lifted and proved, and the errors when fail2ban does not obey."""

from __future__ import annotations

import json
import os
import time

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban import daemon as fail2ban_daemon
from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban.control_socket import Refusal
from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban.daemon import Daemon, DaemonError, Options

SETTINGS = {"enabled": True, "maxretry": 5, "findtime": "10m", "bantime": "1h"}
IGNORED = ["127.0.0.0/8", "192.0.2.0/25"]


class Fail2ban:
    """A fail2ban with jails, its socket, and nftables; a ban reaches nftables unless `rules` is False."""

    def __init__(self, host, folder):
        self.host, self.folder = host, folder
        (folder / "run").mkdir()
        (folder / "etc" / "jail.d").mkdir(parents=True)
        (folder / "etc" / "jail.d" / "x.local").write_text("")
        past = time.time() - 1000
        for path in ("etc", "etc/jail.d", "etc/jail.d/x.local"):
            os.utime(folder / path, (past, past))
        (folder / "run" / "sock").write_text("")
        (folder / "run" / "lifeline").write_text("")
        self.jails = {"sshd": self.jail()}
        self.after_reload, self.rules, self.down = {}, True, None
        self.flushed, self.told = set(), []
        host.install("fail2ban-client", "nft", "systemctl")
        host.answer("/usr/sbin/fail2ban-client reload", then=self.reload)
        host.answer("/usr/sbin/nft -j", then=lambda argv: (0, json.dumps(self.listing()), ""))

    @staticmethod
    def jail(**values):
        return {
            "maxretry": 5,
            "findtime": 600,
            "bantime": 3600,
            "ignoreip": list(IGNORED),
            "actions": ["nftables"],
            "banip": [],
            "port": "22",
            **values,
        }

    def reload(self, argv):
        self.jails.update(self.after_reload)
        self.flushed.clear()

    def listing(self):
        where = {"family": "inet", "table": "f2b-table"}
        items = []
        for name, jail in self.jails.items():
            for prefix, colon in (("addr-set-", False), ("addr6-set-", True)):
                banned = [one for one in jail["banip"] if (":" in one) is colon and one not in self.flushed]
                payload = {"payload": {"protocol": "tcp", "field": "dport"}}
                source = {"payload": {"protocol": "ip", "field": "saddr"}}
                items.append({"set": {**where, "name": prefix + name, "elem": banned if self.rules else []}})
                matches = [{"left": payload, "right": int(jail["port"])}, {"left": source, "right": f"@{prefix}{name}"}]
                items.append({"rule": {**where, "expr": [{"match": match} for match in matches]}})
        return {"nftables": items}

    def ask(self, path, words):
        if self.down is not None:
            raise self.down
        words = list(words)
        if words == ["ping"]:
            return "pong"
        if words == ["version"]:
            return "1.0.2"
        if words == ["status"]:
            return [("Number of jail", len(self.jails)), ("Jail list", ", ".join(self.jails))]
        if words == ["get", "logtarget"]:
            return str(self.folder / "fail2ban.log")
        if words[0] == "set":
            self.told.append(" ".join(words[1:]))
            banned = self.jails[words[1]]["banip"]
            banned.append(words[3]) if words[2] == "banip" else banned.remove(words[3])
            return 1
        if words[2] == "action":
            if words[4] not in ("port",):
                raise Refusal("no such property")
            return self.jails[words[1]][words[4]]
        return self.jails[words[1]][words[2]]

    def run(self, check_mode=False, timeout=0, **settings):
        options = Options(
            str(self.folder / "etc"),
            str(self.folder / "run/sock"),
            {},
            [{"name": "sshd", "settings": {**SETTINGS, **settings}}],
            IGNORED,
            timeout,
        )
        return Daemon(self.host.commands, options, check_mode, self.ask).run()

    def reloads(self):
        return [call.partition("reload")[2].strip() for call in self.host.called("/usr/sbin/fail2ban-client reload")]


@pytest.fixture
def fail2ban(host, tmp_path, monkeypatch):
    monkeypatch.setattr(fail2ban_daemon, "_RULE_SECONDS", 0)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    return Fail2ban(host, tmp_path)


PROBED = [
    "sshd banip 192.0.2.254",
    "sshd banip 2001:db8::fe",
    "sshd unbanip 192.0.2.254",
    "sshd unbanip 2001:db8::fe",
]


@pytest.fixture(autouse=True)
def ipv6(monkeypatch):
    """Let the host have IPv6."""
    exists = os.path.exists
    monkeypatch.setattr(os.path, "exists", lambda path: path == "/proc/net/if_inet6" or exists(path))


def test_a_fail2ban_that_follows_is_left_alone(fail2ban):
    result = fail2ban.run()
    assert {key: result[key] for key in ("changed", "reloaded", "freed", "restored", "proved", "version")} == {
        "changed": False,
        "reloaded": False,
        "freed": {},
        "restored": [],
        "proved": [],
        "version": "1.0.2",
    }
    assert fail2ban.reloads() == [] and fail2ban.told == []


def test_a_newer_file_makes_it_reload_and_prove_its_bans(fail2ban, tmp_path):
    future = time.time() + 1000
    os.utime(tmp_path / "etc/jail.d/x.local", (future, future))
    result = fail2ban.run()
    assert (result["reloaded"], result["changed"], result["proved"]) == (True, True, ["sshd"])
    assert fail2ban.reloads() == [""] and fail2ban.told == PROBED
    assert fail2ban.jails["sshd"]["banip"] == []


def test_a_restarted_daemon_proves_its_bans(fail2ban, tmp_path):
    (tmp_path / "run/lifeline").unlink()
    result = fail2ban.run()
    assert (result["changed"], result["proved"], fail2ban.told) == (False, ["sshd"], PROBED)
    assert (tmp_path / "run/lifeline").exists()
    assert fail2ban.run()["proved"] == []


def test_a_jail_with_other_thresholds_makes_it_reload(fail2ban):
    fail2ban.after_reload = {"sshd": fail2ban.jail(bantime=7200)}
    result = fail2ban.run(bantime="2h")
    assert result["reloaded"] and result["jails"]["sshd"]["bantime"] == 7200


def test_a_jail_whose_action_changes_is_restarted_first(fail2ban):
    fail2ban.host.answer(
        f"/usr/sbin/fail2ban-client -c {fail2ban.folder}/etc -d",
        out="['multi-set', 'sshd', 'action', 'nftables', [['port', '22,2222']]]\n",
    )
    fail2ban.jails["sshd"]["maxretry"] = 9
    fail2ban.after_reload = {"sshd": fail2ban.jail()}
    fail2ban.run()
    assert fail2ban.reloads() == ["--restart sshd", ""]


def test_bans_of_addresses_that_must_be_ignored_are_lifted(fail2ban):
    fail2ban.jails["sshd"]["banip"] = ["192.0.2.7", "198.51.100.7"]
    result = fail2ban.run()
    assert (result["freed"], result["changed"]) == ({"sshd": ["192.0.2.7"]}, True)
    assert fail2ban.told == ["sshd unbanip 192.0.2.7"]
    assert result["jails"]["sshd"]["banned"] == ["198.51.100.7"]


def test_bans_whose_rules_were_flushed_get_them_back(fail2ban):
    fail2ban.jails["sshd"]["banip"] = ["198.51.100.7"]
    fail2ban.flushed = {"198.51.100.7"}
    result = fail2ban.run()
    assert (result["restored"], result["changed"]) == (["sshd"], True)
    assert fail2ban.reloads() == ["--restart sshd"]


def test_check_mode_tells_fail2ban_nothing(fail2ban):
    fail2ban.jails["sshd"].update(banip=["192.0.2.7", "198.51.100.7"], maxretry=9)
    fail2ban.flushed = {"198.51.100.7"}
    result = fail2ban.run(check_mode=True)
    assert (result["reloaded"], result["freed"], result["restored"]) == (True, {"sshd": ["192.0.2.7"]}, ["sshd"])
    assert fail2ban.reloads() == [] and fail2ban.told == []


def test_a_ban_without_a_rule_is_an_error_and_the_probes_are_freed(fail2ban, tmp_path):
    (tmp_path / "run/lifeline").unlink()
    (tmp_path / "fail2ban.log").write_text("2026-11-28 09:00:00,1 fail2ban.utils [7]: ERROR \x1b[2Jfailed\nINFO fine\n")
    fail2ban.rules = False
    with pytest.raises(DaemonError) as raised:
        fail2ban.run()
    assert str(raised.value) == (
        "after 0 s jail sshd bans 192.0.2.254, 2001:db8::fe, and the firewall has no rule for that. Its log says: "
        r"2026-11-28 09:00:00,1 fail2ban.utils [7]: ERROR \x1b[2Jfailed"
    )
    assert fail2ban.told == PROBED
    assert not (tmp_path / "run/lifeline").exists()


def test_a_jail_that_bans_from_other_ports_is_an_error(fail2ban, monkeypatch):
    listing = fail2ban.listing
    fail2ban.host.answer(
        "/usr/sbin/nft -j", then=lambda argv: (0, json.dumps(listing()).replace('"right": 22}', '"right": 2222}'), "")
    )
    with pytest.raises(
        DaemonError, match="^after 0 s jail sshd bans from the ports 22, and the rule of nftables is for"
    ):
        fail2ban.run()
    assert fail2ban.reloads() == ["--restart sshd"]


@pytest.mark.parametrize(
    ("after", "settings", "message"),
    [
        ({"sshd": {"maxretry": 9}}, {}, "jail sshd: maxretry is 9 instead of 5"),
        ({"sshd": {"ignoreip": ["127.0.0.1/8"]}}, {}, "jail sshd would ban 192.0.2.0/25"),
        ({}, {"enabled": False}, "jail sshd runs"),
        ({"sshd": {}, "web": {"ignoreip": []}}, {}, "jail web would ban 127.0.0.0/8, 192.0.2.0/25"),
    ],
)
def test_a_jail_that_stays_different_is_an_error(fail2ban, after, settings, message):
    fail2ban.jails = {"sshd": fail2ban.jail(maxretry=9)}
    fail2ban.after_reload = {name: fail2ban.jail(**values) for name, values in after.items()}
    with pytest.raises(DaemonError, match=f"^after 0 s {message}$"):
        fail2ban.run(**settings)


def test_a_jail_that_is_missing_is_an_error(fail2ban):
    fail2ban.jails = {}
    with pytest.raises(DaemonError, match="^after 0 s jail sshd does not run$"):
        fail2ban.run()


def test_a_reload_that_is_refused_is_told_in_fail2bans_words(fail2ban):
    fail2ban.jails["sshd"]["maxretry"] = 9
    fail2ban.host.fail("/usr/sbin/fail2ban-client reload", "ERROR NOK: ('unknown filter',)", code=255)
    with pytest.raises(DaemonError, match=r"^fail2ban refuses to read its configuration again: ERROR NOK: \('unknown"):
        fail2ban.run()


def test_a_daemon_that_systemd_has_given_up_is_not_waited_for(fail2ban, tmp_path):
    fail2ban.down = FileNotFoundError(2, "No such file or directory")
    fail2ban.host.answer("/usr/sbin/systemctl is-active", out="failed\n", code=3)
    fail2ban.host.answer(
        f"/usr/sbin/fail2ban-client -c {tmp_path}/etc -t", err="ERROR no log file for sshd\n", code=255
    )
    with pytest.raises(DaemonError) as raised:
        fail2ban.run(timeout=60)
    assert str(raised.value) == (
        f"fail2ban does not answer at {tmp_path}/run/sock: [Errno 2] No such file or directory, "
        "and its unit is failed. fail2ban-client -t says: ERROR no log file for sshd"
    )


def test_a_daemon_that_starts_is_waited_for_until_the_timeout(fail2ban, tmp_path):
    fail2ban.down = ConnectionRefusedError(111, "Connection refused")
    fail2ban.host.answer("/usr/sbin/systemctl is-active", out="activating\n", code=3)
    with pytest.raises(DaemonError) as raised:
        fail2ban.run()
    assert str(raised.value) == (
        f"after 0 s fail2ban does not answer at {tmp_path}/run/sock: [Errno 111] Connection refused"
    )


def test_without_its_programs_nothing_can_be_proved(fail2ban):
    fail2ban.host.fail("/usr/sbin/nft -j", "Operation not permitted")
    with pytest.raises(
        DaemonError, match="^nft cannot list its rules, so the bans cannot be proved: Operation not perm"
    ):
        fail2ban.run()
    del fail2ban.host.programs["nft"]
    with pytest.raises(
        DaemonError, match="^nft is not installed on this host, so jail sshd bans no address; install the"
    ):
        fail2ban.run()
    del fail2ban.host.programs["fail2ban-client"]
    with pytest.raises(
        DaemonError, match="^fail2ban-client is not installed on this host; install the package fail2ban$"
    ):
        fail2ban.run()


def test_a_jail_whose_actions_do_more_than_block_is_not_probed(fail2ban, tmp_path):
    (tmp_path / "run/lifeline").unlink()
    fail2ban.jails["sshd"]["actions"] = ["nftables", "sendmail"]
    result = fail2ban.run()
    assert result["proved"] == [] and fail2ban.told == []
    assert result["unproved"] == {"sshd": "its action sendmail does more than block"}


def dumped(fail2ban, *actions):
    lines = ["['add', 'sshd', 'systemd']", *(f"['set', 'sshd', 'addaction', '{action}']" for action in actions)]
    fail2ban.host.answer(
        f"/usr/sbin/fail2ban-client -c {fail2ban.folder}/etc -d", out="\n".join([*lines, "['start', 'sshd']"])
    )


def test_a_jail_with_another_action_is_restarted_because_a_reload_drops_a_new_one(fail2ban):
    fail2ban.jails["sshd"]["actions"] = ["iptables-multiport"]
    fail2ban.after_reload = {"sshd": fail2ban.jail()}
    dumped(fail2ban, "nftables")
    result = fail2ban.run(banaction="nftables[type=multiport]")
    assert result["changed"] and fail2ban.reloads() == ["--restart sshd", ""]
    assert (result["proved"], fail2ban.told) == (["sshd"], PROBED)


def test_a_jail_without_an_action_is_an_error(fail2ban):
    fail2ban.jails["sshd"]["actions"] = []
    with pytest.raises(DaemonError, match="^after 0 s jail sshd has no action, so it bans no address$"):
        fail2ban.run()
    assert fail2ban.reloads() == [""]


def test_a_jail_that_keeps_other_actions_than_the_files_say_is_an_error(fail2ban):
    fail2ban.jails["sshd"]["maxretry"] = 9
    fail2ban.after_reload = {"sshd": fail2ban.jail()}
    dumped(fail2ban, "nftables", "abuseipdb")
    with pytest.raises(
        DaemonError, match="^after 0 s jail sshd has the actions nftables instead of nftables, abuseipdb"
    ):
        fail2ban.run()


def test_bans_of_iptables_are_looked_up_there(fail2ban, tmp_path):
    (tmp_path / "run/lifeline").unlink()
    jail = fail2ban.jails["sshd"]
    jail["actions"] = ["iptables-multiport"]
    with pytest.raises(DaemonError, match="^iptables-save is not installed on this host, so jail sshd bans no addr"):
        fail2ban.run()

    def saved(argv):
        rules = [f"-A f2b-sshd -s {one} -j REJECT" for one in jail["banip"]]
        return 0, "\n".join([":INPUT ACCEPT [1:2]", ":f2b-sshd - [0:0]", "-A INPUT -p tcp -j f2b-sshd", *rules]), ""

    fail2ban.host.install("iptables-save")
    fail2ban.host.answer("/usr/sbin/iptables-save", then=saved)
    assert fail2ban.run()["proved"] == ["sshd"]


def test_other_values_may_be_kept_but_not_a_jail_that_bans_no_address(fail2ban):
    fail2ban.jails["sshd"].update(maxretry=9, actions=["iptables"])
    options = Options(
        str(fail2ban.folder / "etc"),
        str(fail2ban.folder / "run/sock"),
        {},
        [{"name": "sshd", "settings": {**SETTINGS, "banaction": "nftables"}}],
        IGNORED,
        0,
        "keep",
    )
    fail2ban.host.install("iptables-save")
    assert not Daemon(fail2ban.host.commands, options, True, fail2ban.ask).run()["reloaded"]
    fail2ban.jails["sshd"]["actions"] = []
    with pytest.raises(DaemonError, match="jail sshd has no action"):
        Daemon(fail2ban.host.commands, options, False, fail2ban.ask).run()
