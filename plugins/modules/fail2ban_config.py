#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.fail2ban_config."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fail2ban_config
short_description: Writes fail2ban's jails, only if fail2ban takes the whole of its configuration, and never against its operator
version_added: 0.1.0
description:
  - Writes one file of jails and one file of the daemon's own settings. Files of others stay as they are.
  - Before anything is replaced, the configuration as it would be, with the files of everybody else, is put together in a place of its own.
    C(fail2ban-client -t) must take it, and so must fail2ban's own code, which the test leaves out and which is what refuses
    regular expressions and spans of time once it is too late. Each jail must come out as it was asked for.
  - No jail, of whomever it is, will ban the loopback, O(ignore), or the address that this very connection comes from.
  - Where a package of O(packages) is missing, only the addresses that must never be banned are written, so that a fail2ban which starts
    as soon as it is installed knows them from its first moment on. Then install the packages, and run the module again.
  - The running daemon is left alone. M(lifeline.fleet.fail2ban_daemon) has it read what was written.
attributes:
  check_mode:
    description: Can run in check mode and say what would change. The new configuration is validated there too, if fail2ban is there.
    support: full
  diff_mode:
    description: Shows what changes in each file.
    support: full
options:
  directory:
    description: Where fail2ban's configuration is.
    type: path
    default: /etc/fail2ban
  daemon:
    description: The daemon's own settings, such as C(dbpurgeage).
    type: dict
    default: {}
  settings:
    description: Settings that hold for all jails, by fail2ban's names.
    type: dict
    default: {}
  jails:
    description: The jails.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The jail's name.
        type: str
        required: true
      settings:
        description:
          - The jail's settings, by fail2ban's names. A list has a line each.
          - C(enabled) says whether it runs. Where C(port) is V(sshd), it stands for all ports that sshd listens on.
        type: dict
        required: true
  ignore:
    description: Addresses and networks that are never banned, besides the loopback and where this connection comes from.
    type: list
    elements: str
    default: []
  packages:
    description: Packages without which the jails would not work.
    type: list
    elements: str
    default: []
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Ban who guesses passwords
  lifeline.fleet.fail2ban_config:
    settings:
      bantime: 10m
    jails:
      - name: sshd
        settings:
          enabled: true
          backend: systemd
          port: sshd
    ignore: [192.0.2.0/24]
"""

RETURN = r"""
ignored:
  description: All addresses and networks that are never banned.
  returned: success
  type: list
  elements: str
  sample: [127.0.0.0/8, 192.0.2.7, "::1"]
connection:
  description: The address that this connection comes from, null where it is not SSH.
  returned: success
  type: str
missing:
  description: The packages that are not installed.
  returned: success
  type: list
  elements: str
"""

import json
import os
import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils import _packages
from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban import config as fail2ban_config
from ansible_collections.lifeline.fleet.plugins.module_utils._files import together
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import session, sshd_config
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import parse_show, stream_addresses

# fail2ban itself tries each command that would configure its daemon. Nothing is started, and no file of the daemon is opened.
_TRIAL = r"""
import json, logging, sys
from fail2ban.server.server import Server
from fail2ban.server.transmitter import Transmitter
logging.disable(logging.CRITICAL)
transmitter = Transmitter(Server())
refused = []
for command in json.load(sys.stdin):
    # What is said of the daemon itself, that a jail shall run, and actions that are programs of their own.
    if command[0] not in ("add", "set", "multi-set") or command[0] == "set" and len(command) < 4:
        continue
    if command[2] == "addaction" and len(command) > 4:
        continue
    failed, said = transmitter.proceed(command)
    if failed:
        refused.append([command[1], command[2], str(said)])
print(json.dumps(refused))
sys.stdout.flush()
import os
os._exit(0)
"""


class Box:
    """The box's side: what is installed, what listens, who is connected."""

    def __init__(self, module):
        self.module = module
        self.client = module.get_bin_path("fail2ban-client")
        self.session = session.find(os.getpid())

    def ssh_ports(self):
        """Where sshd listens: by its own word, by its socket's, and where this connection came in."""
        ports = set()
        sshd = self.module.get_bin_path("sshd", opt_dirs=["/usr/sbin"])
        if sshd:
            code, out, _err = self.module.run_command([sshd, "-T"])
            ports = sshd_config.ports(sshd_config.effective(out)) if not code else ports
        systemctl = self.module.get_bin_path("systemctl")
        if systemctl:
            _code, out, _err = self.module.run_command(
                [systemctl, "show", "-p", "ActiveState", "-p", "Listen", "ssh.socket"]
            )
            for properties in parse_show(out):
                if properties.get("ActiveState") == "active":
                    listened = (address.rpartition(":")[2] for address in stream_addresses(properties))
                    ports.update(int(port) for port in listened if port.isdecimal())
        if self.session is not None:
            ports.add(int(self.session.server_port))
        return sorted(ports or {22})


class Configuration:
    """The files as they are and as they are to be."""

    def __init__(self, module, box):
        self.module, self.box = module, box
        self.directory = module.params["directory"]
        # Beyond the letters of whatever name somebody else's file has.
        self.jail_file = os.path.join(self.directory, "jail.d", "zz-lifeline.local")
        self.daemon_file = os.path.join(self.directory, "fail2ban.d", "zz-lifeline.local")
        self.connection = None if box.session is None else fail2ban_config.address(box.session.address)
        try:
            self.ignored = fail2ban_config.ignored(
                module.params["ignore"], [] if self.connection is None else [self.connection]
            )
            self.jails = [(jail["name"], self._settings(jail)) for jail in module.params["jails"]]
        except ValueError as error:
            module.fail_json(msg=f"ignore: {error}")

    def _settings(self, jail):
        settings = dict(jail["settings"])
        if settings.get("port") == "sshd":
            settings["port"] = ",".join(map(str, self.box.ssh_ports()))
        if "ignoreip" in settings:
            settings["ignoreip"] = " ".join(fail2ban_config.ignored(self.ignored, settings["ignoreip"]))
        return settings

    def files(self, jails, others=()):
        """The files with these jails. V(others) are jails of somebody else, and whom those ignore already."""
        settings = {"ignoreip": " ".join(self.ignored), **(self.module.params["settings"] if jails else {})}
        sections = [("DEFAULT", settings), *jails]
        sections += [
            (name, {"ignoreip": " ".join([*own, *fail2ban_config.missing(self.ignored, own)])}) for name, own in others
        ]
        wanted = [(self.jail_file, fail2ban_config.text(sections))]
        if self.module.params["daemon"] and jails:
            wanted.append((self.daemon_file, fail2ban_config.text([("Definition", self.module.params["daemon"])])))
        return [
            together.File(self.module, {"path": path, "content": text, "mode": "0644", "validate": [], "secret": False})
            for path, text in wanted
        ]

    def guard(self):
        """Only who must never be banned, where nothing is written yet."""
        return [file for file in self.files([]) if file.present is None]

    def wanted(self):
        """The files that fail2ban has taken for good."""
        files = self.files(self.jails)
        if self.box.client is None:
            return files
        stage = tempfile.mkdtemp(prefix="fail2ban.", dir=self.module.tmpdir)
        try:
            stream = self._stream(stage, files)
            others = self._deaf(stream)
            if others:
                files = self.files(self.jails, others)
                stream = self._stream(stage, files)
            self._insist(stream)
            self._try(stream)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        return files

    def _stream(self, stage, files):
        """What the daemon would be told, if fail2ban takes all files together."""
        root = os.path.join(stage, "etc")
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(self.directory, root, ignore_dangling_symlinks=True)
        for file in files:
            path = os.path.join(root, os.path.relpath(file.path, self.directory))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as stream:
                stream.write(file.content)
        # In one go they would take a log file that doesn't exist.
        code, tested, err = self.module.run_command([self.box.client, "-c", root, "-t"])
        _code, out, _err = self.module.run_command([self.box.client, "-c", root, "-d"])
        stream = fail2ban_config.commands(out)
        said = [line.replace(root, self.directory) for line in (err + "\n" + tested).splitlines() if line.strip()]
        # What is wrong in a file, the log says; what it led to, the rest.
        said = [_message(line) for line in said if "OK: configuration test" not in line]
        said += [error.replace(root, self.directory) for error in fail2ban_config.errors(stream)]
        wrong = [
            line
            for line in said
            if "rong value for" in line and any(f"'{name}'" in line for name, _settings in self.jails)
        ]
        if code or fail2ban_config.errors(stream) or wrong:
            self._refuse("; ".join(wrong or dict.fromkeys(said)))
        return stream

    def _deaf(self, stream):
        """Jails of somebody else that have a list of their own of whom to ignore, and would ban whom they must not."""
        own = {name for name, _settings in self.jails}
        return [
            (name, jail["ignoreip"])
            for name, jail in fail2ban_config.jails(stream).items()
            if name not in own and fail2ban_config.missing(self.ignored, jail["ignoreip"])
        ]

    def _insist(self, stream):
        """Each jail must come out as it was asked for, whatever other files say of it."""
        running = fail2ban_config.jails(stream)
        for name, settings in self.jails:
            if not settings.get("enabled"):
                if name in running:
                    self._refuse(f"another file has the last word on jail {name}, and runs it")
                continue
            if not running.get(name, {}).get("started"):
                self._refuse(f"jail {name} would not run")
            differ = fail2ban_config.differences({**self.module.params["settings"], **settings}, running[name])
            if differ:
                self._refuse(f"another file has the last word on jail {name}: its {', '.join(differ)}")
        for name, jail in running.items():
            missing = fail2ban_config.missing(self.ignored, jail["ignoreip"])
            if missing:
                self._refuse(f"another file has the last word on jail {name}, which would ban {', '.join(missing)}")

    def _try(self, stream):
        with open(self.box.client, encoding="utf-8", errors="replace") as script:
            first = script.readline()
        python = first[2:].split() if first.startswith("#!") and "python" in first else ["/usr/bin/python3"]
        code, out, err = self.module.run_command([*python, "-c", _TRIAL], data=json.dumps(stream))
        try:
            refused = json.loads(out.splitlines()[-1])
        except (ValueError, IndexError):
            self.module.warn(
                f"fail2ban's code could not be tried on the new configuration: {(err or out).strip()[-500:]}"
            )
            return
        if refused:
            self._refuse("; ".join("jail %s, %s: %s" % tuple(one) for one in refused))

    def _refuse(self, why):
        self.module.fail_json(msg="fail2ban's configuration is refused, and nothing was written: " + why)


def _message(line):
    """A line of fail2ban's log without its date and its process."""
    return line.split("]: ", 1)[1].strip() if "]: " in line and line[:2].isdigit() else line.strip()


def main():
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "default": "/etc/fail2ban"},
            "daemon": {"type": "dict", "default": {}},
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
            "ignore": {"type": "list", "elements": "str", "default": []},
            "packages": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    box = Box(module)
    configuration = Configuration(module, box)
    missing = _packages.missing(module, module.params["packages"])
    # What check mode shows of a bare box is what will stand there in the end.
    if not missing:
        files = configuration.wanted()
    else:
        files = configuration.files(configuration.jails) if module.check_mode else configuration.guard()
    changed = [file for file in files if file.changed]
    if not module.check_mode:
        together.replace(changed, module.fail_json)
    module.exit_json(
        changed=bool(changed),
        ignored=configuration.ignored,
        connection=configuration.connection,
        missing=missing,
        diff=[file.diff() for file in changed],
    )


if __name__ == "__main__":
    main()
