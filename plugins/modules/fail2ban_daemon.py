#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.fail2ban_daemon."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fail2ban_daemon
short_description: Has the running fail2ban do what its configuration says, and proves that its bans are bans
version_added: 0.1.0
description:
  - Has fail2ban read its configuration again where a file of it is newer than what the daemon runs with, whoever changed it, or where
    a jail differs from what it is to be. Bans survive that.
  - Lifts bans of addresses that are to be ignored now.
  - Then asks the daemon for each of O(jails), and for its thresholds, and fails with what it says where a jail is not as it is to be.
  - A jail that bans while its action puts no rule into the firewall looks as well as any other. So each address that a jail with an action
    of nftables has banned must stand in the rules; where somebody has flushed them, the jail is started again, and with it its bans. Where
    the configuration is new, two addresses that nobody has are banned and freed again to see it.
attributes:
  check_mode:
    description: Can run in check mode and say whether fail2ban would read its configuration or free an address.
    support: full
  diff_mode:
    description: There is no file that changes.
    support: none
options:
  directory:
    description: Where fail2ban's configuration is.
    type: path
    default: /etc/fail2ban
  socket:
    description: The socket at which the daemon listens.
    type: path
    default: /var/run/fail2ban/fail2ban.sock
  settings:
    description: Settings that hold for all jails, by fail2ban's names.
    type: dict
    default: {}
  jails:
    description: The jails, as for M(lifeline.fleet.fail2ban_config).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The jail's name.
        type: str
        required: true
      settings:
        description: The jail's settings, by fail2ban's names.
        type: dict
        required: true
  ignored:
    description: Addresses and networks that no jail may ban.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait for the daemon to answer, and for each jail to be as it is to be.
    type: int
    default: 60
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Have fail2ban watch sshd
  lifeline.fleet.fail2ban_daemon:
    settings:
      bantime: 10m
    jails:
      - name: sshd
        settings:
          enabled: true
    ignored: [192.0.2.0/24]
"""

RETURN = r"""
version:
  description: fail2ban's version.
  returned: success
  type: str
  sample: 1.0.2
reloaded:
  description: Whether fail2ban read its configuration again, or in check mode would.
  returned: success
  type: bool
freed:
  description: Addresses whose bans were lifted, or in check mode would be, by jail.
  returned: success
  type: dict
restored:
  description: The jails whose bans had no rules any more, and have now, or in check mode would have.
  returned: success
  type: list
  elements: str
proved:
  description: The jails that were seen to ban an address in the rules of nftables.
  returned: success
  type: list
  elements: str
jails:
  description: All jails of the daemon by name, with their thresholds in seconds and the addresses that they have banned.
  returned: success
  type: dict
  contains:
    maxretry:
      description: How many failures lead to a ban.
      type: int
    findtime:
      description: Within how many seconds.
      type: int
    bantime:
      description: How many seconds a first ban lasts; -1 is for ever.
      type: int
    ignored:
      description: Whom the jail never bans.
      type: list
      elements: str
    actions:
      description: The names of its actions.
      type: list
      elements: str
    banned:
      description: Whom it has banned.
      type: list
      elements: str
"""

import json
import os
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban import config as fail2ban_config, control_socket

# Both are reserved for documentation, so that nobody has them.
PROBES = ("192.0.2.254", "2001:db8::fe")


class Daemon:
    def __init__(self, module):
        self.module = module
        self.deadline = time.monotonic() + module.params["timeout"]
        self.client = module.get_bin_path("fail2ban-client", required=True)
        self.nft = module.get_bin_path("nft")
        self.socket = module.params["socket"]
        self.wanted = {
            jail["name"]: {**module.params["settings"], **jail["settings"]} for jail in module.params["jails"]
        }

    def ask(self, *words):
        return control_socket.ask(self.socket, words)

    def wait(self, attempt):
        """What V(attempt) returns as soon as it is not a complaint."""
        while True:
            try:
                said, answer = attempt()
            except (OSError, control_socket.Refusal) as error:
                said, answer = f"fail2ban doesn't answer at {self.socket}: {error}", None
                self._fail_if_dead(said)
            if not said:
                return answer
            if time.monotonic() > self.deadline:
                self.module.fail_json(msg=f"after {int(self.module.params['timeout'])} s {said}{self.complaints()}")
            time.sleep(0.2)

    def _fail_if_dead(self, said):
        """A daemon that systemd has given up won't answer any more. Its configuration test says most of why."""
        systemctl = self.module.get_bin_path("systemctl")
        if systemctl is None:
            return
        _code, state, _err = self.module.run_command([systemctl, "is-active", "fail2ban.service"])
        if state.strip() in ("failed", "inactive"):
            _code, out, err = self.module.run_command([self.client, "-c", self.module.params["directory"], "-t"])
            self.module.fail_json(
                msg=f"{said}, and its unit is {state.strip()}. fail2ban-client -t says: {' '.join((err + out).split())}"
            )

    def complaints(self):
        """The last errors of fail2ban's log, if it has one in a file."""
        try:
            with open(str(self.ask("get", "logtarget")), encoding="utf-8", errors="replace") as log:
                lines = [line.strip() for line in log if "  ERROR  " in line or " ERROR " in line]
        except (OSError, control_socket.Refusal):
            return ""
        return ". Its log says: " + " | ".join(lines[-5:]) if lines else ""

    def read(self):
        """All jails as the daemon has them."""
        self.ask("ping")
        names = dict(self.ask("status"))["Jail list"]
        return "", {name: self._jail(name) for name in names.replace(",", " ").split()}

    def _jail(self, name):
        jail = {key: self.ask("get", name, key) for key in fail2ban_config.THRESHOLDS}
        jail["ignored"] = [str(entry) for entry in self.ask("get", name, "ignoreip")]
        jail["actions"] = [str(entry) for entry in self.ask("get", name, "actions")]
        jail["banned"] = [str(entry) for entry in self.ask("get", name, "banip")]
        return jail

    def wrong(self, jails):
        """How the jails differ from what they are to be, in words."""
        found = []
        for name, settings in self.wanted.items():
            if not settings.get("enabled"):
                found += [f"jail {name} runs"] if name in jails else []
            elif name not in jails:
                found.append(f"jail {name} doesn't run")
            else:
                found += [
                    f"jail {name}: {difference}" for difference in fail2ban_config.differences(settings, jails[name])
                ]
        for name, jail in jails.items():
            missing = fail2ban_config.missing(self.module.params["ignored"], jail["ignored"])
            if missing:
                found.append(f"jail {name} would ban {', '.join(missing)}")
        return "; ".join(found)

    def mark(self):
        """Beside the socket, where systemd clears it away when the daemon ends: until when its configuration was looked at."""
        return os.path.join(os.path.dirname(self.socket), "lifeline")

    def remember(self, looked):
        """Note that the configuration was proved, as it was at the time V(looked)."""
        with open(self.mark(), "w", encoding="ascii"):
            pass
        if looked is not None:
            os.utime(self.mark(), (looked, looked))

    def is_stale(self):
        since = max((os.stat(path).st_mtime for path in (self.socket, self.mark()) if os.path.exists(path)), default=0)
        return any(
            os.stat(os.path.join(folder, name)).st_mtime > since
            for folder, _folders, names in os.walk(self.module.params["directory"])
            for name in [".", *names]
            if os.path.exists(os.path.join(folder, name))
        )

    def reload(self, jails):
        started = time.time()
        for name in self.outdated(jails):
            self._reload("--restart", name)
        self._reload()

        def settled():
            jails = self.read()[1]
            return self.wrong(jails), jails

        return started, self.wait(settled)

    def _reload(self, *words):
        code, out, err = self.module.run_command([self.client, "reload", *words])
        if code:
            self.module.fail_json(
                msg=f"fail2ban refuses to read its configuration again: {' '.join((err or out).split())}{self.complaints()}"
            )

    def outdated(self, jails):
        """Jails whose actions are to be others. A reload lets their rules stand as they are, for the old ports and all."""
        _code, out, _err = self.module.run_command([self.client, "-c", self.module.params["directory"], "-d"])
        found = []
        for (jail, action), properties in fail2ban_config.actions(fail2ban_config.commands(out)).items():
            if jail not in jails or jail in found or action not in jails[jail]["actions"]:
                continue
            for key, value in properties:
                try:
                    same = str(self.ask("get", jail, "action", action, key)).strip() == str(value).strip()
                except control_socket.Refusal:
                    same = False
                if not same:
                    found.append(jail)
                    break
        return found

    def free(self, jails):
        """Lift the bans of those who are to be ignored."""
        freed = {}
        for name, jail in jails.items():
            found = [
                banned for banned in jail["banned"] if fail2ban_config.is_ignored(banned, self.module.params["ignored"])
            ]
            if found:
                freed[name] = found
            if not self.module.check_mode:
                for banned in found:
                    self.ask("set", name, "unbanip", banned)
        return freed

    def rules(self, name):
        """What nftables has of a jail."""
        if self.nft is None:
            self.module.fail_json(
                msg=f"there is no nft on this box, so that jail {name} bans nobody: the package nftables brings it"
            )
        code, out, err = self.module.run_command([self.nft, "-j", "list", "ruleset"])
        if code:
            self.module.fail_json(
                msg=f"nft can't list its rules, so that no ban can be seen to be one: {' '.join((err or out).split())}"
            )
        return fail2ban_config.Rules(json.loads(out), name)

    def by_nftables(self, jails):
        return [
            name
            for name, jail in jails.items()
            if name in self.wanted
            and jail["actions"]
            and all(action.startswith("nftables") for action in jail["actions"])
        ]

    def lack(self, name, known=()):
        """What the rules of a jail lack, in words. A ban that has just begun, or comes back, is given its time."""
        deadline = time.monotonic() + 5
        while True:
            rules = self.rules(name)
            missing = set(self.ask("get", name, "banip")) - rules.addresses
            # Of those whose ban was known, some may have served it by now.
            if not missing and not set(known) - rules.addresses or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        return self._lacks(name, missing) or self._other_ports(name, rules)

    @staticmethod
    def _lacks(name, addresses):
        return (
            f"jail {name} bans {', '.join(sorted(addresses))}, and nftables has no rule for that" if addresses else ""
        )

    def _other_ports(self, name, rules):
        for action in self.ask("get", name, "actions"):
            try:
                ports = str(self.ask("get", name, "action", action, "port"))
            except control_socket.Refusal:
                continue
            if rules.differ(ports):
                return f"jail {name} bans from the ports {ports}, and the rule of nftables is for others"
        return ""

    def restore(self, name, known):
        """Have a jail put its rules in again."""
        self._reload("--restart", name)
        self.wait(lambda: (self.lack(name, known), None))

    def probe(self, name):
        """Have a jail ban addresses that nobody has."""
        probes = [probe for probe in PROBES if ":" not in probe or os.path.exists("/proc/net/if_inet6")]
        try:
            for address in probes:
                self.ask("set", name, "banip", address)
            self.wait(lambda: (self._lacks(name, set(probes) - self.rules(name).addresses), None))
        finally:
            for address in probes:
                self.ask("set", name, "unbanip", address)


def main():
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "default": "/etc/fail2ban"},
            "socket": {"type": "path", "default": "/var/run/fail2ban/fail2ban.sock"},
            "settings": {"type": "dict", "default": {}},
            "jails": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "settings": {"type": "dict", "required": True},
                },
            },
            "ignored": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    daemon = Daemon(module)
    jails = daemon.wait(daemon.read)
    stale = daemon.is_stale() or bool(daemon.wrong(jails))
    looked = None
    if stale and not module.check_mode:
        looked, jails = daemon.reload(jails)
    freed = daemon.free(jails)
    # Addresses that are free in check mode only have their rules still.
    mine = daemon.by_nftables(jails)
    restored = [name for name in mine if daemon.lack(name)]
    proved = []
    if not module.check_mode:
        for name in restored:
            daemon.restore(name, jails[name]["banned"])
        if stale or not os.path.exists(daemon.mark()):
            for name in mine:
                daemon.probe(name)
                proved.append(name)
            daemon.remember(looked)
        jails = daemon.wait(daemon.read)
    module.exit_json(
        changed=bool(stale or freed or restored),
        reloaded=stale,
        freed=freed,
        restored=restored,
        proved=proved,
        jails=jails,
        version=str(daemon.ask("version")),
    )


if __name__ == "__main__":
    main()
