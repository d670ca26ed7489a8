# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write fail2ban's jails only if fail2ban accepts all files together and no jail would ban the operator."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands, words
from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban import config, firewalls, origins
from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban.config import Command
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import sshd, sshd_config
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door.session import Session
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import units

# fail2ban itself tries each command that would configure its daemon. It starts nothing and opens no file of the daemon.
_TRIAL = r"""
import json, logging, sys
from fail2ban.server.server import Server
from fail2ban.server.transmitter import Transmitter
logging.disable(logging.CRITICAL)
transmitter = Transmitter(Server())
refused = []
for command in json.load(sys.stdin):
    # Skip commands about the daemon itself, those that start a jail, and actions that are programs of their own.
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
_NAME = "zz-lifeline.local"
_TAKEN = (*config.THRESHOLDS, "banaction", "banaction_allports")

Settings = Mapping[str, Any]
Jails = Sequence[Tuple[str, Settings]]


class ConfigurationError(Exception):
    """The configuration is refused, and nothing was written; the text says why."""


class Options(NamedTuple):
    """The user's options. `jails` are dictionaries of a name and settings.

    `takeover` says which settings count if another file sets a jail of ours: `take` ours, `keep` the other file's, and
    `refuse` is an error.
    """

    directory: str
    daemon: Settings
    settings: Settings
    jails: Sequence[Mapping[str, Any]]
    ignore: Sequence[str]
    takeover: str = "refuse"


def ssh_ports(commands: Commands, session: Optional[Session], warn: Callable[[str], None]) -> List[int]:
    """Return where sshd listens: by its own configuration, by its socket unit, and by this connection."""
    ports = set()
    program = commands.find("sshd")
    if program:
        sshd.make_privilege_separation_folder()
        answer = commands.run(program, "-T")
        if answer[0]:
            warn(f"sshd -T failed, so the ports of jails may be incomplete: {words(answer)}")
        else:
            ports = sshd_config.ports(sshd_config.effective(answer[1]))
    systemctl = commands.find("systemctl")
    if systemctl:
        out = commands.run(systemctl, "show", "-p", "ActiveState", "-p", "Listen", "ssh.socket")[1]
        for unit in units.parse_show(out):
            listens = units.stream_addresses(unit) if unit.get("ActiveState") == "active" else []
            written = [address.rpartition(":")[2] for address in listens]
            ports.update(int(port) for port in written if port.isdecimal())
    if session is not None:
        ports.add(int(session.server_port))
    return sorted(ports or {22})


class Configuration:
    """fail2ban's files as they will be. `ignored` are the addresses and networks that no jail may ban."""

    def __init__(
        self, commands: Commands, options: Options, session: Optional[Session], warn: Callable[[str], None]
    ) -> None:
        self._commands, self._options, self._session, self._warn = commands, options, session, warn
        self._client = commands.find("fail2ban-client")
        # These names come after the names of most other files.
        self._jail_file = os.path.join(options.directory, "jail.d", _NAME)
        self._daemon_file = os.path.join(options.directory, "fail2ban.d", _NAME)
        self.connection = None if session is None else config.address(session.address)
        try:
            self.ignored = config.ignored(options.ignore, [] if self.connection is None else [self.connection])
        except ValueError as error:
            raise ConfigurationError(f"ignore: {error}; give IPv4 and IPv6 addresses and networks") from error
        self.jails = [(jail["name"], self._settings(jail)) for jail in options.jails]

    def _settings(self, jail: Mapping[str, Any]) -> Dict[str, Any]:
        settings = dict(jail["settings"])
        if settings.get("port") == "sshd":
            settings["port"] = ",".join(map(str, ssh_ports(self._commands, self._session, self._warn)))
        if "ignoreip" in settings:
            try:
                settings["ignoreip"] = " ".join(config.ignored(self.ignored, settings["ignoreip"]))
            except ValueError as error:
                raise ConfigurationError(f"jail {jail['name']}: ignoreip: {error}") from error
        if self._options.takeover == "take":
            # A section of a jail counts more than the defaults, and this file is read last.
            defaults = {key: value for key, value in self._options.settings.items() if key in _TAKEN}
            settings = {**defaults, **settings}
        return settings

    def texts(self, jails: Jails, others: Jails = ()) -> Dict[str, str]:
        """Return the texts of the files by path.

        `others` are jails of other files, with the addresses that they ignore already as settings; they get the list of
        all that must be ignored.
        """
        options = self._options
        settings = {"ignoreip": " ".join(self.ignored), **(options.settings if jails else {})}
        sections: List[Tuple[str, Settings]] = [("DEFAULT", settings), *jails]
        for name, jail in others:
            own = jail["ignoreip"]
            sections.append((name, {"ignoreip": " ".join([*own, *config.missing(self.ignored, own)])}))
        wanted = {self._jail_file: config.text(sections)}
        if options.daemon and jails:
            wanted[self._daemon_file] = config.text([("Definition", options.daemon)])
        return wanted

    def guard(self) -> Dict[str, str]:
        """Return the file that only says which addresses are never banned, for a fail2ban that is not installed yet."""
        return {path: text for path, text in self.texts([]).items() if not os.path.lexists(path)}

    def validated(self) -> Dict[str, str]:
        """Return the texts of the files by path, once fail2ban has accepted them. Raises ConfigurationError."""
        texts = self.texts(self.jails)
        if self._client is None:
            return texts
        stage = tempfile.mkdtemp(prefix="fail2ban.", dir=self._commands.tmpdir)
        try:
            stream = self._stream(stage, texts)
            others = self._others_that_ban(stream)
            if others:
                texts = self.texts(self.jails, others)
                stream = self._stream(stage, texts)
            self._check(stream)
            self._try(self._client, stream)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        return texts

    def _stream(self, stage: str, texts: Mapping[str, str]) -> List[Command]:
        """Return the commands that would configure the daemon, if fail2ban accepts all files together."""
        directory = self._options.directory
        root = os.path.join(stage, "etc")
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(directory, root, ignore_dangling_symlinks=True)
        for path, text in texts.items():
            staged = os.path.join(root, os.path.relpath(path, directory))
            os.makedirs(os.path.dirname(staged), exist_ok=True)
            with open(staged, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(text)
        # In one call, fail2ban would accept a log file that does not exist.
        code, tested, err = self._commands.run(str(self._client), "-c", root, "-t")
        stream = config.commands(self._commands.run(str(self._client), "-c", root, "-d")[1])
        said = [line for line in (err + "\n" + tested).splitlines() if line.strip()]
        said = [_message(line) for line in said if "OK: configuration test" not in line] + config.errors(stream)
        said = [line.replace(root, directory) for line in said]
        # The log names the wrong value; the other messages only say what it led to.
        wrong = [
            line
            for line in said
            if "rong value for" in line and any(f"'{name}'" in line for name, _settings in self.jails)
        ]
        if code or config.errors(stream) or wrong:
            raise _refusal("; ".join(wrong or dict.fromkeys(said)))
        return stream

    def _others_that_ban(self, stream: Sequence[Command]) -> Jails:
        """Return the jails of other files that have their own list of ignored addresses, and miss one of ours."""
        own = {name for name, _settings in self.jails}
        return [
            (name, {"ignoreip": jail["ignoreip"]})
            for name, jail in config.jails(stream).items()
            if name not in own and config.missing(self.ignored, jail["ignoreip"])
        ]

    def _check(self, stream: Sequence[Command]) -> None:
        """Check that each jail comes out as it was asked for, whatever other files say. Raises ConfigurationError."""
        running = config.jails(stream)
        for name, settings in self.jails:
            if not settings.get("enabled"):
                if name in running:
                    raise self._overridden(name, "enabled", "enables it")
                continue
            if not running.get(name, {}).get("started"):
                raise _refusal(f"jail {name} would not run")
            differ = config.differences({**self._options.settings, **settings}, running[name])
            if differ and self._options.takeover != "keep":
                values = ", ".join(differ.values())
                raise self._overridden(name, next(iter(differ)), f"sets other values ({values})", True)
            if not running[name]["actions"]:
                raise self._overridden(name, "action", "leaves it without an action, so it would ban no address")
            self._check_programs(name, running[name]["actions"])
        for name, jail in running.items():
            missing = config.missing(self.ignored, jail["ignoreip"])
            if missing:
                raise self._overridden(name, "ignoreip", f"would have it ban {', '.join(missing)}")

    def _check_programs(self, jail: str, actions: Sequence[str]) -> None:
        for action in actions:
            program = firewalls.program(action)
            if program and self._commands.find(program) is None:
                place = origins.find(self._options.directory, jail, "banaction", self._jail_file) or "fail2ban_jails"
                raise _refusal(
                    f"jail {jail}: its action {action} ({place}) runs {program}, which is not installed, so it would "
                    f"ban no address; install {program} or set another banaction"
                )

    def _overridden(self, jail: str, key: str, what: str, has_choice: bool = False) -> ConfigurationError:
        """Return the refusal that names the line of another file that wins over ours."""
        place = origins.find(self._options.directory, jail, key, self._jail_file) or "another file"
        ways = "remove it there or set fail2ban_jails"
        if has_choice and self._options.takeover == "refuse":
            ways += "; or set fail2ban_takeover: take (the role counts) or keep (that file counts)"
        return _refusal(f"jail {jail}: {place} overrides this role and {what}; {ways}")

    def _try(self, client: str, stream: Sequence[Command]) -> None:
        """Run the commands in fail2ban's code, which refuses more than its test does. Raises ConfigurationError."""
        with open(client, encoding="utf-8", errors="replace") as script:
            first = script.readline()
        python = first[2:].split() if first.startswith("#!") and "python" in first else ["/usr/bin/python3"]
        _code, out, err = self._commands.run(*python, "-c", _TRIAL, data=json.dumps(stream))
        try:
            refused = json.loads(out.splitlines()[-1])
        except (ValueError, IndexError):
            self._warn(f"fail2ban's code could not be tried on the new configuration: {(err or out).strip()[-500:]}")
            return
        if refused:
            raise _refusal("; ".join(f"jail {jail}, {setting}: {said}" for jail, setting, said in refused))


def _refusal(why: str) -> ConfigurationError:
    return ConfigurationError(f"fail2ban refuses the new configuration, so nothing was written: {why}")


def _message(line: str) -> str:
    """Return a line of fail2ban's log without its date and its process."""
    return line.split("]: ", 1)[1].strip() if "]: " in line and line[:2].isdigit() else line.strip()
