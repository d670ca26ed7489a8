#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.ssh_door. On the controller, the action of the same name calls it twice."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_door
short_description: Closes SSH to strangers and configures sshd, and takes it back unless a new connection proves that it works
version_added: 0.1.0
description:
  - Lets only O(allowed) reach the ports that sshd listens on, by an nftables table of its own. Other tables, such as those of ufw,
    firewalld, docker and fail2ban, are left as they are. The table is loaded at boot before there is a network.
  - Writes O(settings) into a file of their own in C(/etc/ssh/sshd_config.d), which is read before all others, and has sshd read it without
    a restart.
  - Refuses, before anything is touched, what C(nft) or C(sshd) refuse, a list without the address that this very connection comes from,
    settings that another file or line overrides, and settings under which the connecting user could not log in.
  - Then the changes are made together, after a timer has been armed on the box that puts back how it was. The controller drops its
    connection and opens a new one, and only that one can confirm. A crash of the play, of the controller or of the network ends with the
    old rules, and so does a boot of the box in that time.
attributes:
  check_mode:
    description: Can run in check mode and say what would change. Everything is validated there, but by programs that are not installed.
    support: full
  diff_mode:
    description: Shows what changes in each file.
    support: full
  action:
    description: The controller opens the new connection that confirms.
    support: full
  async:
    description: Whoever goes away can't confirm.
    support: none
options:
  allowed:
    description: IPv4 and IPv6 addresses and networks that may reach SSH. If it is empty, the table is removed and SSH is open to all.
    type: list
    elements: str
    default: []
  settings:
    description:
      - Settings of sshd by their keywords. A list stands for values after each other. V(null) is no setting. Without any, the file is
        removed.
      - C(Port), C(ListenAddress), C(Match) and C(Include) are refused.
    type: dict
    default: {}
  window:
    description: Seconds in which a new connection must confirm.
    type: int
    default: 60
  packages:
    description: Packages that RV(missing) is to tell of.
    type: list
    elements: str
    default: []
  confirm:
    description: For the action. The token of the changes that are to stay.
    type: str
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Let only the office in, and only with a key
  lifeline.fleet.ssh_door:
    allowed: [192.0.2.0/24, "2001:db8::/48"]
    settings:
      PasswordAuthentication: false
"""

RETURN = r"""
connection:
  description: The connection that the module came through.
  returned: success
  type: dict
  contains:
    user:
      description: The user who logged in.
      type: str
    address:
      description: Where the connection comes from, as the box sees it.
      type: str
ports:
  description: Where sshd listens.
  returned: success
  type: list
  elements: int
  sample: [22]
needed:
  description: Whether there is anything to change.
  returned: success
  type: bool
missing:
  description: Those of O(packages) that are not installed.
  returned: success
  type: list
  elements: str
confirmed:
  description: Whether a new connection has proved that the changes work.
  returned: when there were changes
  type: bool
"""

import grp
import os
import pwd
import re
import shutil
import socket
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils import _packages
from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import (
    change as ssh_door_change,
    firewall as ssh_door_firewall,
    restore_units as where,
    session as ssh_door_session,
    sshd_config,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door.change import Busy, DoorError
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import parse_show, stream_addresses

# They would move the door, or make of the next line something that it isn't.
_REFUSED = {"port", "listenaddress", "addressfamily", "match", "include"}
_UNITS = ("ssh.service", "sshd.service")
_SOCKETS = ("ssh.socket", "sshd.socket")


class Box:
    """The programs that are asked and told."""

    def __init__(self, module):
        self.module = module
        self.nft = module.get_bin_path("nft", opt_dirs=["/usr/sbin", "/sbin"])
        self.sshd = module.get_bin_path("sshd", opt_dirs=["/usr/sbin", "/usr/local/sbin"])

    def call(self, *argv):
        """The exit code of a program and what it said."""
        code, out, err = self.module.run_command(list(argv), environ_update={"LC_ALL": "C"})
        return code, out, " ".join((err or out).split())

    def must(self, *argv):
        code, out, said = self.call(*argv)
        if code:
            raise DoorError("%s failed: %s" % (" ".join(argv), said or "it ends with %d" % code))
        return out

    def units(self, *names):
        """Each of the units that exist, by name, with its properties."""
        found = {}
        out = self.call(
            "systemctl", "show", "--property=Id,LoadState,ActiveState,UnitFileState,MainPID,Listen", "--", *names
        )[1]
        for name, properties in zip(names, parse_show(out)):
            if properties.get("LoadState") == "loaded":
                found[name] = dict(properties, Listen=stream_addresses(properties))
        return found


class Sshd:
    """sshd's configuration as it is and as it is to be."""

    def __init__(self, box, settings, session):
        self.box, self.session = box, session
        self.settings = self._words(settings)
        self.present = {path: atomic.read_text(path) for path in (sshd_config.MAIN, sshd_config.DROP_IN)}
        self.files = {}
        self.values = {}

    def _words(self, settings):
        words = {}
        for keyword, value in settings.items():
            if value is None:
                continue
            if not re.match(r"[A-Za-z][A-Za-z0-9]*$", keyword) or keyword.lower() in _REFUSED:
                raise DoorError(
                    f"settings: {keyword} can't be set here: it must be one of sshd's keywords, and not Port, ListenAddress, AddressFamily, Match or Include"
                )
            if isinstance(value, dict):
                raise DoorError(
                    f"settings: {keyword}: {value!r} must be a text, a number, a boolean, or a list of them"
                )
            words[keyword] = " ".join(self._word(part) for part in (value if isinstance(value, list) else [value]))
            if not words[keyword].strip() or "\n" in words[keyword]:
                raise DoorError(f"settings: {keyword}: {value!r} must be one line")
        return words

    @staticmethod
    def _word(value):
        return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)

    def plan(self):
        """Find out what the files must say, and whether sshd would take it and let the user in."""
        if self.box.sshd is None:
            if self.settings:
                raise DoorError("there is no sshd on this box that could be configured")
            return
        main = self.present[sshd_config.MAIN] or ""
        plain = sshd_config.without_include(main)
        drop_in = sshd_config.drop_in(self.settings)
        privileges = "/run/sshd"
        if not os.path.isdir(privileges):
            # Where systemd starts sshd at each connection it comes and goes, but sshd wants it even for a look at its configuration.
            os.mkdir(privileges, 0o755)
        chosen = None
        candidates = [plain] if drop_in is None else [plain, sshd_config.with_include(main)]
        for candidate in candidates:
            chosen, effectless = candidate, self._effectless(candidate, drop_in)
            if effectless is None:
                break
        else:
            raise DoorError(
                f"sshd would not follow {effectless[0]} {self.settings[effectless[0]]}: its configuration says {effectless[1]} elsewhere"
            )
        self._judge(chosen, drop_in)
        self.files = {
            path: text
            for path, text in ((sshd_config.MAIN, chosen), (sshd_config.DROP_IN, drop_in))
            if text != (main if path == sshd_config.MAIN else self.present[path])
        }

    def _effectless(self, main, drop_in):
        """The first setting that doesn't come into effect, and what does."""
        if drop_in is None:
            return None
        own = self._ask(drop_in, None, name=sshd_config.DROP_IN)
        common = self._ask(main, drop_in, sshd_config.without_match)
        return sshd_config.overridden(self.settings, own, common)

    def _judge(self, main, drop_in):
        if self.session is None:
            self.values = self._ask(main, drop_in)
            return
        user = self._user()
        self.values = self._ask(main, drop_in)
        refused = sshd_config.login_refused(self.values, user, atomic.read_text)
        if refused and self.settings:
            raise DoorError("these settings would lock out the user of this connection: " + refused)

    def _user(self):
        session, name = self.session, self.session.user
        entry = pwd.getpwnam(name)
        groups = []
        for number in os.getgrouplist(name, entry.pw_gid):
            try:
                groups.append(grp.getgrgid(number).gr_name)
            except KeyError:
                groups.append(str(number))
        shadow = [
            line.split(":")
            for line in (atomic.read_text("/etc/shadow") or "").splitlines()
            if line.startswith(name + ":")
        ]
        # Who is not in the file has the password elsewhere, which only a login can tell.
        password = not shadow or (shadow[0][1] != "" and shadow[0][1][0] not in "!*")
        return sshd_config.User(name, entry.pw_uid, groups, entry.pw_dir, password, session.address)

    def _ask(self, main, drop_in, only=lambda text: text, name=sshd_config.MAIN):
        """What all files mean together for this connection, by sshd's own judgement."""
        stage = tempfile.mkdtemp(prefix="sshd.", dir=self.box.module.tmpdir)
        folder = os.path.join(stage, "sshd_config.d")
        try:
            os.mkdir(folder)
            others = os.listdir(sshd_config.FOLDER) if os.path.isdir(sshd_config.FOLDER) else []
            texts = {
                name: atomic.read_text(os.path.join(sshd_config.FOLDER, name))
                for name in others
                if os.path.isfile(os.path.join(sshd_config.FOLDER, name))
            }
            texts.pop(os.path.basename(sshd_config.DROP_IN), None)
            if drop_in is not None:
                texts[os.path.basename(sshd_config.DROP_IN)] = drop_in
            path = os.path.join(stage, "sshd_config")
            for staged, text in [(os.path.join(folder, name), text) for name, text in texts.items()] + [(path, main)]:
                with open(staged, "w", encoding="utf-8", errors="surrogateescape") as stream:
                    stream.write(sshd_config.staged(only(text), folder))
            specification = []
            if self.session is not None:
                specification = [
                    "-C",
                    f"user={self.session.user},host={self.session.address},addr={self.session.address},laddr={self.session.server_address},lport={self.session.server_port}",
                ]
            code, out, said = self.box.call(self.box.sshd, "-t", "-f", path)
            if not code:
                code, out, said = self.box.call(self.box.sshd, "-T", "-f", path, *specification)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        if code:
            said = said.replace(folder, sshd_config.FOLDER).replace(path, name)
            line = re.search(re.escape(sshd_config.DROP_IN) + r":? line (\d+)", said)
            lines = (main if name == sshd_config.DROP_IN else drop_in or "").splitlines()
            which = f" ({lines[int(line.group(1)) - 1]})" if line and 0 < int(line.group(1)) <= len(lines) else ""
            raise DoorError(f"sshd refuses its configuration with these settings{which}: {said}")
        return sshd_config.effective(out)


class Firewall:
    """The table as it is and as it is to be."""

    def __init__(self, box, allowed, session):
        self.box, self.allowed, self.session = box, allowed, session
        self.kept = atomic.read_text(ssh_door_change.FIREWALL)
        self.text = None
        try:
            ssh_door_firewall.networks(allowed)
        except ValueError as error:
            raise DoorError(f"allowed: {error}") from error

    def plan(self, ports):
        self.text = ssh_door_firewall.text(self.allowed, ports)
        if (
            self.session is not None
            and self.allowed
            and not ssh_door_firewall.allows(self.allowed, self.session.address)
        ):
            raise DoorError(
                f"allowed doesn't hold {self.session.address}, which is where this connection comes from: it would be the last one. Allowed are {', '.join(self.allowed)}"
            )
        if self.text is None and self.kept is None:
            return
        if self.box.nft is None and not self.box.module.check_mode:
            raise DoorError("there is no nft on this box: the package nftables brings it")
        if self.text is not None and self.box.nft is not None:
            descriptor, path = tempfile.mkstemp(prefix="firewall.", dir=self.box.module.tmpdir)
            try:
                with os.fdopen(descriptor, "w") as stream:
                    stream.write(self.text)
                code, _out, said = self.box.call(self.box.nft, "-c", "-f", path)
            finally:
                os.unlink(path)
            if code:
                raise DoorError("nft refuses the table: " + said.replace(path, ssh_door_change.FIREWALL))

    def listing(self):
        """The table that is at work, None if there is none."""
        if self.box.nft is None:
            return None
        # In numbers: the names that nft has for them come from /etc/protocols, which a package may bring at any time.
        code, out, _said = self.box.call(self.box.nft, "-s", "-n", "list", "table", *ssh_door_firewall.TABLE.split())
        return None if code else out

    def changed(self, listing):
        if self.text != self.kept:
            return True
        return listing is not None if self.text is None else listing != atomic.read_text(ssh_door_change.LISTING)


class Door:
    def __init__(self, module):
        self.module, self.box = module, Box(module)
        self.session = ssh_door_session.find(os.getpid())
        self.unit, self.pid, self.listens = "", 0, []

    def look(self):
        """Who serves SSH."""
        units = self.box.units(*_UNITS, *_SOCKETS, where.FIREWALL_UNIT)
        for name in _UNITS:
            if name in units and units[name]["ActiveState"] in ("active", "reloading"):
                self.unit, self.pid = units[name]["Id"], int(units[name]["MainPID"])
                break
        self.listens = [
            int(listen.rpartition(":")[2])
            for name in _SOCKETS
            if name in units and units[name]["ActiveState"] == "active"
            for listen in units[name]["Listen"]
            if listen.rpartition(":")[2].isdecimal()
        ]
        return units

    def describe(self):
        session = self.session
        return None if session is None else {"user": session.user, "address": session.address}

    # --- the first call ---------------------------------------------------------------------------------------------

    def arm(self):
        units = self.look()
        self._end_orphan()
        sshd = Sshd(self.box, self.module.params["settings"], self.session)
        sshd.plan()
        firewall = Firewall(self.box, self.module.params["allowed"], self.session)
        ports = sshd_config.ports(sshd.values) | set(self.listens)
        if self.session is not None:
            ports.add(int(self.session.server_port))
        firewall.plan(ports or {22})
        listing = firewall.listing()
        closes = firewall.changed(listing)
        result = {
            "connection": self.describe(),
            "ports": sorted(ports),
            "changed": False,
            "armed": False,
            "diff": self._diff(sshd, firewall),
        }
        if not sshd.files and not closes:
            result["changed"] = result["needed"] = self._settle(units, firewall)
            return result
        result["changed"] = result["needed"] = True
        if self.session is None:
            raise DoorError("this doesn't run over SSH, so that no new connection could confirm that SSH still works")
        if self.module.check_mode:
            return result
        self._install()
        change = ssh_door_change.Change(
            sshd.files,
            (firewall.text or ssh_door_firewall.REMOVAL) if closes else None,
            ssh_door_firewall.REMOVAL + (listing or ""),
            self.unit if sshd.files else "",
        )
        change.prepare(self.session.connection)
        try:
            self._arm_timer()
            if closes:
                self.box.must(self.box.nft, "-f", os.path.join(ssh_door_change.ARMED, "firewall.nft"))
            change.replace()
            if sshd.files:
                self._reload()
            self._greeting()
            ssh_door_change.note_mark(ssh_door_session.now())
        except (OSError, DoorError) as error:
            change.discard()
            self._restore()
            raise DoorError(f"{error}. All is as it was before") from error
        return dict(result, armed=True, token=change.token)

    def _diff(self, sshd, firewall):
        files = [(path, sshd.present[path], text) for path, text in sorted(sshd.files.items())]
        if firewall.text != firewall.kept:
            files.append((ssh_door_change.FIREWALL, firewall.kept, firewall.text))
        return [
            {"before_header": path, "after_header": path, "before": before or "", "after": after or ""}
            for path, before, after in files
        ]

    def _end_orphan(self):
        """Put back a change whose run is gone and whose timer is, too; wait for one that may still be confirmed."""
        if ssh_door_change.noted("token") is None:
            return
        states = self.box.call("systemctl", "is-active", where.RESTORE_TIMER, where.RESTORE_UNIT)[1].split()
        if any(state in ("active", "activating") for state in states):
            raise Busy("another run has changed how SSH is reached, and has not confirmed it yet")
        if not self.module.check_mode:
            self._restore()

    def _install(self):
        """Have the way back on the disk, and known to systemd, before anything is changed."""
        changed = [path for path, (text, _mode) in self._files().items() if atomic.read_text(path) != text]
        for path in changed:
            text, mode = self._files()[path]
            atomic.replace(path, text, mode)
        if changed:
            self.box.must("systemctl", "daemon-reload")
        if self.box.units(where.BOOT_UNIT).get(where.BOOT_UNIT, {}).get("UnitFileState") != "enabled":
            self.box.must("systemctl", "enable", where.BOOT_UNIT)
            return True
        return bool(changed)

    def _files(self):
        return where.files(self.box.nft)

    def _arm_timer(self):
        # One that has elapsed, or one of a change that was put back at once, has the name still.
        self.box.call("systemctl", "stop", where.RESTORE_TIMER)
        self.box.call("systemctl", "reset-failed", where.RESTORE_TIMER, where.RESTORE_UNIT)
        self.box.must(
            "systemd-run",
            "--quiet",
            f"--on-active={int(self.module.params['window'])}",
            "--timer-property=AccuracySec=1s",
            "--unit=" + where.RESTORE_UNIT,
        )
        self.box.must("systemctl", "is-active", where.RESTORE_TIMER)

    def _reload(self):
        if self.unit:
            before = ssh_door_session.program_of(self.pid)
            self.box.must("systemctl", "reload", self.unit)
            # It answers before it has done so, and a connection of that moment would still meet the old settings.
            ssh_door_session.wait_for_new_program(self.pid, before, 5)

    def _greeting(self):
        """Wait until sshd itself greets a connection."""
        deadline = time.monotonic() + 10
        while True:
            said = "it says nothing"
            try:
                with socket.create_connection(
                    (self.session.server, int(self.session.server_port)), timeout=5
                ) as stream:
                    said = stream.recv(255).decode("utf-8", "replace").strip() or said
                    if said.startswith("SSH-"):
                        return
            except OSError as error:
                said = str(error)
            if time.monotonic() > deadline:
                raise DoorError(
                    f"after the change sshd doesn't answer at {self.session.server} port {self.session.server_port}: {said}"
                )
            time.sleep(0.1)

    def _restore(self):
        """Don't wait for the timer."""
        self.box.call(where.RESTORE, "locked")

    def _settle(self, units, firewall):
        """What else has to be so, and needs no proof."""
        if not self.module.check_mode and (firewall.text is not None or os.path.exists(where.RESTORE)):
            changed = self._install()
        else:
            changed = (
                any(atomic.read_text(path) != text for path, (text, _mode) in self._files().items())
                and firewall.text is not None
            )
        return self._enable(units, firewall.text is not None) or changed

    def _enable(self, units, wanted):
        unit = units.get(where.FIREWALL_UNIT, {})
        enabled, active = unit.get("UnitFileState") == "enabled", unit.get("ActiveState") == "active"
        if wanted and not (enabled and active):
            if not self.module.check_mode:
                self.box.must("systemctl", "enable", "--now", where.FIREWALL_UNIT)
            return True
        if not wanted and (enabled or active):
            if not self.module.check_mode:
                self.box.must("systemctl", "disable", "--now", where.FIREWALL_UNIT)
            return True
        return False

    # --- the second call --------------------------------------------------------------------------------------------

    def confirm(self, token):
        if ssh_door_change.noted("token") != token:
            raise DoorError("the changes are no longer there to be confirmed: the box has put back how it was")
        known = ssh_door_change.noted("connection")
        if self.session is None or not self.session.is_new(known, int(ssh_door_change.noted("mark"))):
            self._restore()
            raise DoorError(
                f"this is no new connection, so that it proves nothing: it is {self.session.connection if self.session else 'no SSH connection'} still. The box has put back how it was"
            )
        ssh_door_change.keep_firewall()
        ssh_door_change.forget_armed()
        self.box.call("systemctl", "stop", where.RESTORE_TIMER)
        closed = atomic.read_text(ssh_door_change.FIREWALL) is not None
        if closed:
            atomic.replace(ssh_door_change.LISTING, Firewall(self.box, [], None).listing() or "", 0o600)
        self._enable(self.box.units(where.FIREWALL_UNIT), closed)
        return {"connection": self.describe(), "changed": True, "confirmed": True}


def main():
    module = AnsibleModule(
        argument_spec={
            "allowed": {"type": "list", "elements": "str", "default": []},
            "settings": {"type": "dict", "default": {}},
            "window": {"type": "int", "default": 60},
            "packages": {"type": "list", "elements": "str", "default": []},
            "confirm": {"type": "str", "no_log": False},
        },
        supports_check_mode=True,
    )
    if os.geteuid() != 0:
        module.fail_json(msg="only root can change how SSH is reached: use become")
    if not 10 <= module.params["window"] <= 600:
        module.fail_json(msg=f"window is {int(module.params['window'])}: it must be from 10 to 600 seconds")
    missing = _packages.missing(module, module.params["packages"])
    door = Door(module)
    token = module.params["confirm"]
    try:
        with ssh_door_change.lock():
            result = door.arm() if token is None else door.confirm(token)
    except Busy as error:
        module.fail_json(msg=str(error), busy=True)
    except (DoorError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(missing=missing, **result)


if __name__ == "__main__":
    main()
