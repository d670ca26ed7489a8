# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the running fail2ban follow its configuration, and prove that a banned address cannot connect."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple, TypeVar

from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands, words
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban import config, control_socket, firewalls
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
    """The user's options. `jails` are dictionaries of a name and settings, `timeout` is in seconds.

    With the `takeover` `keep`, other files may set thresholds and actions of the jails.
    """

    directory: str
    socket: str
    settings: Mapping[str, Any]
    jails: Sequence[Mapping[str, Any]]
    ignored: Sequence[str]
    timeout: int
    takeover: str = "refuse"


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
        self._client, self._firewalls = client, firewalls.Firewalls(commands)
        self._wanted = {jail["name"]: {**options.settings, **jail["settings"]} for jail in options.jails}
        # systemd clears the folder of the socket when the daemon ends.
        self._mark = os.path.join(os.path.dirname(options.socket), "lifeline")

    def run(self) -> Dict[str, Any]:
        """Reload fail2ban if needed, lift wrong bans and prove that bans work; return the module's result.

        Raises DaemonError if fail2ban does not answer in time or does not obey.
        """
        jails = self._wait(self._read)
        stale = self._is_stale() or bool(self._wrong(jails))
        looked = None
        if stale and not self._check_mode:
            looked, jails = self._reload_all(jails)
        freed = self._free(jails)
        provable, unproved = self._provable(jails)
        # In check mode, freed addresses still have their rules.
        restored = [name for name in provable if self._lack(name)]
        proved = []
        if not self._check_mode:
            for name in restored:
                self._restore(name, jails[name]["banned"])
            if stale or not os.path.exists(self._mark):
                for name in provable:
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
            "unproved": unproved,
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
                differ = {} if self._options.takeover == "keep" else config.differences(settings, jails[name])
                found += [f"jail {name}: {difference}" for difference in differ.values()]
                if not jails[name]["actions"]:
                    found.append(f"jail {name} has no action, so it bans no address")
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
        out = self._commands.run(self._client, "-c", self._options.directory, "-d")[1]
        stream = config.commands(out)
        for name in self._outdated(stream, jails):
            self._reload("--restart", name)
        self._reload()
        configured = config.jails(stream)

        def settled() -> Tuple[str, Dict[str, Jail]]:
            jails = self._read()[1]
            return self._wrong(jails) or _other_actions(configured, jails), jails

        return started, self._wait(settled)

    def _reload(self, *arguments: str) -> None:
        answer = self._commands.run(self._client, "reload", *arguments)
        if answer[0]:
            raise DaemonError(f"fail2ban refuses to read its configuration again: {words(answer)}{self._log_errors()}")

    def _outdated(self, stream: Sequence[config.Command], jails: Mapping[str, Jail]) -> List[str]:
        """Return the jails whose actions change.

        A reload alone drops an action that is new, and leaves the rules of a known one as they are, with the old ports.
        """
        configured = config.jails(stream)
        found = [name for name in jails if name in configured and _actions_differ(configured[name], jails[name])]
        for (jail, action), properties in config.actions(stream).items():
            known = jail in jails and jail not in found and action in jails[jail]["actions"]
            if known and any(not self._has(jail, action, key, value) for key, value in properties):
                found.append(jail)
        return found

    def _has(self, jail: str, action: str, key: str, value: object) -> bool:
        try:
            return str(self._tell("get", jail, "action", action, key)).strip() == str(value).strip()
        except control_socket.Refusal:
            return False

    # --- rules of the firewall --------------------------------------------------------------------------------------

    def _provable(self, jails: Mapping[str, Jail]) -> Tuple[List[str], Dict[str, str]]:
        """Return the jails of this role whose bans can be looked up, and of the others why not.

        A trial ban would also send the mails and notifications of a jail that has any, so there is none.
        """
        provable, unproved = [], {}
        for name, jail in jails.items():
            others = [action for action in jail["actions"] if firewalls.firewall(action) is None]
            if name in self._wanted and others:
                unproved[name] = f"its action {', '.join(others)} does more than block"
            elif name in self._wanted:
                provable.append(name)
        return provable, unproved

    def _blocked(self, name: str) -> Set[str]:
        """Return the addresses that the firewall drops for a jail. Raises DaemonError."""
        try:
            return self._firewalls.blocked(name, self._tell("get", name, "actions"))
        except firewalls.FirewallError as error:
            raise DaemonError(f"{error}{self._log_errors()}") from error

    def _lack(self, name: str, known: Sequence[str] = ()) -> str:
        """Return what the rules of a jail lack. A ban that has just begun gets a few seconds to appear.

        `known` are addresses that were banned before; by now, some bans may have ended.
        """
        deadline = time.monotonic() + _RULE_SECONDS
        while True:
            blocked = self._blocked(name)
            missing = set(self._tell("get", name, "banip")) - blocked
            if not missing and not set(known) - blocked or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        return _no_rule(name, missing) or self._other_ports(name)

    def _other_ports(self, name: str) -> str:
        actions = [str(action) for action in self._tell("get", name, "actions")]
        by_nftables = [action for action in actions if firewalls.firewall(action) == "nftables"]
        rules = self._firewalls.rules(name) if by_nftables else config.Rules({}, name)
        for action in by_nftables:
            try:
                ports = str(self._tell("get", name, "action", action, "port"))
            except control_socket.Refusal:
                continue
            if rules.differ(ports):
                return f"jail {name} bans from the ports {ports}, and the rule of nftables is for others"
        return ""

    def _restore(self, name: str, known: Sequence[str]) -> None:
        """Make a jail load its rules into the firewall again."""
        self._reload("--restart", name)
        self._wait(lambda: (self._lack(name, known), None))

    def _probe(self, name: str) -> None:
        """Make a jail ban addresses that no client has, check the rules, and unban them. Raises DaemonError."""
        probes = [probe for probe in PROBES if ":" not in probe or os.path.exists("/proc/net/if_inet6")]
        try:
            for address in probes:
                self._tell("set", name, "banip", address)
            self._wait(lambda: (_no_rule(name, set(probes) - self._blocked(name)), None))
        finally:
            for address in probes:
                self._tell("set", name, "unbanip", address)


def _no_rule(name: str, addresses: Iterable[str]) -> str:
    listed = ", ".join(sorted(addresses))
    return f"jail {name} bans {listed}, and the firewall has no rule for that" if listed else ""


def _actions_differ(configured: Jail, jail: Jail) -> bool:
    return set(configured["actions"]) != set(jail["actions"])


def _other_actions(configured: Mapping[str, Jail], jails: Mapping[str, Jail]) -> str:
    """Return which jails run with other actions than the files say."""
    return "; ".join(
        f"jail {name} has the actions {', '.join(jail['actions']) or '(none)'} instead of "
        f"{', '.join(configured[name]['actions']) or '(none)'}"
        for name, jail in jails.items()
        if name in configured and _actions_differ(configured[name], jail)
    )
