# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the running fail2ban follow its configuration, and prove that a banned address cannot connect."""

from __future__ import annotations

import json
import os
import time
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple, TypeVar

from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands, words
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban import config, control_socket
from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic, trusted

# Both are reserved for documentation, so no client has them.
PROBES = ("192.0.2.254", "2001:db8::fe")
_RULE_SECONDS = 5
_MOST_BYTES_OF_LOG = 1 << 20

Jail = Dict[str, Any]
Result = TypeVar("Result")


class DaemonError(Exception):
    """fail2ban does not do what its configuration says; the text says what it does or says instead."""


class Options(NamedTuple):
    """The user's options. `jails` are dictionaries of a name and settings, `timeout` is in seconds."""

    directory: str
    socket: str
    settings: Mapping[str, Any]
    jails: Sequence[Mapping[str, Any]]
    ignored: Sequence[str]
    timeout: int


class Daemon:
    """The running fail2ban. `ask` takes the socket's path and the words of a command, and returns the answer."""

    def __init__(
        self,
        commands: Commands,
        options: Options,
        check_mode: bool = False,
        ask: Callable[[str, Sequence[str]], Any] = control_socket.ask,
    ) -> None:
        self._commands, self._options, self._check_mode, self._ask = commands, options, check_mode, ask
        self._deadline = time.monotonic() + options.timeout
        client = commands.find("fail2ban-client")
        if client is None:
            raise DaemonError("fail2ban-client is not installed on this host; install the package fail2ban")
        self._client, self._nft = client, commands.find("nft")
        self._wanted = {jail["name"]: {**options.settings, **jail["settings"]} for jail in options.jails}
        # systemd clears the folder of the socket when the daemon ends.
        self._mark = os.path.join(os.path.dirname(options.socket), "lifeline")

    def run(self) -> Dict[str, Any]:
        """Reload fail2ban if needed, lift wrong bans and prove that bans work; return the module's result.

        Raises DaemonError if fail2ban does not answer in time or does not do what it is told.
        """
        jails = self._wait(self._read)
        stale = self._is_stale() or bool(self._wrong(jails))
        looked = None
        if stale and not self._check_mode:
            looked, jails = self._reload_all(jails)
        freed = self._free(jails)
        by_nftables = self._by_nftables(jails)
        # In check mode, freed addresses still have their rules.
        restored = [name for name in by_nftables if self._lack(name)]
        proved = []
        if not self._check_mode:
            for name in restored:
                self._restore(name, jails[name]["banned"])
            if stale or not os.path.exists(self._mark):
                for name in by_nftables:
                    self._probe(name)
                    proved.append(name)
                self._remember(looked)
            jails = self._wait(self._read)
        return {
            "changed": bool(stale or freed or restored),
            "reloaded": stale,
            "freed": freed,
            "restored": restored,
            "proved": proved,
            "jails": jails,
            "version": str(self._tell("version")),
        }

    def _tell(self, *command: str) -> Any:
        return self._ask(self._options.socket, command)

    # --- waiting ----------------------------------------------------------------------------------------------------

    def _wait(self, attempt: Callable[[], Tuple[str, Result]]) -> Result:
        """Return the second value of `attempt` as soon as the first, a complaint, is empty. Raises DaemonError."""
        while True:
            try:
                said, answer = attempt()
                if not said:
                    return answer
            except (OSError, control_socket.Refusal) as error:
                said = f"fail2ban does not answer at {self._options.socket}: {error}"
                self._fail_if_dead(said)
            if time.monotonic() > self._deadline:
                raise DaemonError(f"after {self._options.timeout} s {said}{self._log_errors()}")
            time.sleep(0.2)

    def _fail_if_dead(self, said: str) -> None:
        """Raise DaemonError with what the configuration test says if systemd has given up the daemon."""
        systemctl = self._commands.find("systemctl")
        if systemctl is None:
            return
        state = self._commands.run(systemctl, "is-active", "fail2ban.service")[1].strip()
        if state in ("failed", "inactive"):
            _code, out, err = self._commands.run(self._client, "-c", self._options.directory, "-t")
            tested = " ".join((err + out).split())
            raise DaemonError(f"{said}, and its unit is {state}. fail2ban-client -t says: {tested}")

    def _log_errors(self) -> str:
        """Return the last errors of fail2ban's log, if it has one in a file."""
        try:
            with trusted.open_regular(str(self._tell("get", "logtarget"))) as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - _MOST_BYTES_OF_LOG))
                text = log.read(_MOST_BYTES_OF_LOG).decode("utf-8", "replace")
        except (OSError, control_socket.Refusal):
            return ""
        # Names of users that tried to log in are in the log.
        lines = [escape(line.strip()) for line in text.split("\n") if " ERROR " in line]
        return ". Its log says: " + " | ".join(lines[-5:]) if lines else ""

    # --- jails ------------------------------------------------------------------------------------------------------

    def _read(self) -> Tuple[str, Dict[str, Jail]]:
        """Return no complaint, and all jails as the daemon has them."""
        self._tell("ping")
        names = dict(self._tell("status"))["Jail list"]
        return "", {name: self._jail(name) for name in names.replace(",", " ").split()}

    def _jail(self, name: str) -> Jail:
        jail: Jail = {key: self._tell("get", name, key) for key in config.THRESHOLDS}
        jail["ignored"] = [str(entry) for entry in self._tell("get", name, "ignoreip")]
        jail["actions"] = [str(entry) for entry in self._tell("get", name, "actions")]
        jail["banned"] = [str(entry) for entry in self._tell("get", name, "banip")]
        return jail

    def _wrong(self, jails: Mapping[str, Jail]) -> str:
        """Return how the jails differ from what was asked for."""
        found = []
        for name, settings in self._wanted.items():
            if not settings.get("enabled"):
                found += [f"jail {name} runs"] if name in jails else []
            elif name not in jails:
                found.append(f"jail {name} does not run")
            else:
                found += [f"jail {name}: {difference}" for difference in config.differences(settings, jails[name])]
        for name, jail in jails.items():
            missing = config.missing(self._options.ignored, jail["ignored"])
            if missing:
                found.append(f"jail {name} would ban {', '.join(missing)}")
        return "; ".join(found)

    def _free(self, jails: Mapping[str, Jail]) -> Dict[str, List[str]]:
        """Lift the bans of addresses that must be ignored; return these addresses by jail."""
        freed = {}
        for name, jail in jails.items():
            found = [banned for banned in jail["banned"] if config.is_ignored(banned, self._options.ignored)]
            if found:
                freed[name] = found
            if not self._check_mode:
                for banned in found:
                    self._tell("set", name, "unbanip", banned)
        return freed

    # --- reloading --------------------------------------------------------------------------------------------------

    def _is_stale(self) -> bool:
        """Return whether a file of the configuration is newer than the daemon or the last proof."""
        since = max(
            (os.stat(path).st_mtime for path in (self._options.socket, self._mark) if os.path.exists(path)), default=0
        )
        return any(
            os.stat(os.path.join(folder, name)).st_mtime > since
            for folder, _folders, names in os.walk(self._options.directory)
            for name in [".", *names]
            if os.path.exists(os.path.join(folder, name))
        )

    def _remember(self, looked: Optional[float]) -> None:
        """Note that the configuration was proved as it was at the time `looked`."""
        atomic.replace(self._mark, "", durable=False)
        if looked is not None:
            os.utime(self._mark, (looked, looked))

    def _reload_all(self, jails: Mapping[str, Jail]) -> Tuple[float, Dict[str, Jail]]:
        """Have fail2ban read its configuration again; return when that began, and the jails afterwards."""
        started = time.time()
        for name in self._outdated(jails):
            self._reload("--restart", name)
        self._reload()

        def settled() -> Tuple[str, Dict[str, Jail]]:
            jails = self._read()[1]
            return self._wrong(jails), jails

        return started, self._wait(settled)

    def _reload(self, *arguments: str) -> None:
        answer = self._commands.run(self._client, "reload", *arguments)
        if answer[0]:
            raise DaemonError(f"fail2ban refuses to read its configuration again: {words(answer)}{self._log_errors()}")

    def _outdated(self, jails: Mapping[str, Jail]) -> List[str]:
        """Return the jails whose actions change. A reload alone leaves their rules as they are, with the old ports."""
        out = self._commands.run(self._client, "-c", self._options.directory, "-d")[1]
        found: List[str] = []
        for (jail, action), properties in config.actions(config.commands(out)).items():
            known = jail in jails and jail not in found and action in jails[jail]["actions"]
            if known and any(not self._has(jail, action, key, value) for key, value in properties):
                found.append(jail)
        return found

    def _has(self, jail: str, action: str, key: str, value: object) -> bool:
        try:
            return str(self._tell("get", jail, "action", action, key)).strip() == str(value).strip()
        except control_socket.Refusal:
            return False

    # --- rules of nftables ------------------------------------------------------------------------------------------

    def _by_nftables(self, jails: Mapping[str, Jail]) -> List[str]:
        """Return the jails of this role that ban by nftables only."""
        return [
            name
            for name, jail in jails.items()
            if name in self._wanted
            and jail["actions"]
            and all(action.startswith("nftables") for action in jail["actions"])
        ]

    def _rules(self, name: str) -> config.Rules:
        """Return what nftables has of a jail. Raises DaemonError."""
        if self._nft is None:
            raise DaemonError(
                f"nft is not installed on this host, so jail {name} bans no address; install the package nftables"
            )
        answer = self._commands.run(self._nft, "-j", "list", "ruleset")
        if answer[0]:
            raise DaemonError(f"nft cannot list its rules, so the bans cannot be proved: {words(answer)}")
        return config.Rules(json.loads(answer[1]), name)

    def _lack(self, name: str, known: Sequence[str] = ()) -> str:
        """Return what the rules of a jail lack. A ban that has just begun gets a few seconds to appear.

        `known` are addresses that were banned before; by now, some bans may have ended.
        """
        deadline = time.monotonic() + _RULE_SECONDS
        while True:
            rules = self._rules(name)
            missing = set(self._tell("get", name, "banip")) - rules.addresses
            if not missing and not set(known) - rules.addresses or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        return _no_rule(name, missing) or self._other_ports(name, rules)

    def _other_ports(self, name: str, rules: config.Rules) -> str:
        for action in self._tell("get", name, "actions"):
            try:
                ports = str(self._tell("get", name, "action", action, "port"))
            except control_socket.Refusal:
                continue
            if rules.differ(ports):
                return f"jail {name} bans from the ports {ports}, and the rule of nftables is for others"
        return ""

    def _restore(self, name: str, known: Sequence[str]) -> None:
        """Make a jail load its rules into nftables again."""
        self._reload("--restart", name)
        self._wait(lambda: (self._lack(name, known), None))

    def _probe(self, name: str) -> None:
        """Make a jail ban addresses that no client has, check the rules, and unban them. Raises DaemonError."""
        probes = [probe for probe in PROBES if ":" not in probe or os.path.exists("/proc/net/if_inet6")]
        try:
            for address in probes:
                self._tell("set", name, "banip", address)
            self._wait(lambda: (_no_rule(name, set(probes) - self._rules(name).addresses), None))
        finally:
            for address in probes:
                self._tell("set", name, "unbanip", address)


def _no_rule(name: str, addresses: Iterable[str]) -> str:
    listed = ", ".join(sorted(addresses))
    return f"jail {name} bans {listed}, and nftables has no rule for that" if listed else ""
