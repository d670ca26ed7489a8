# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change how SSH is reached: check, arm a timer that restores the previous state, apply, and keep what is confirmed."""

from __future__ import annotations

import os
import socket
import time
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set

from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands, words
from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import (
    change,
    firewall,
    listening,
    restore_units,
    session as ssh_session,
    sshd,
    sshd_config,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door.change import Busy, DoorError
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import units

_SERVICES = ("ssh.service", "sshd.service")
_GREETING_SECONDS = 10
_RELOAD_SECONDS = 5

# A unit's properties by name.
Unit = Dict[str, str]


class Options(NamedTuple):
    """The user's options."""

    allowed: Sequence[str]
    settings: Mapping[str, object]
    window: int


class Server(NamedTuple):
    """The unit that serves SSH, its process, the ports of its socket units, and whether one of these is active."""

    unit: str
    pid: int
    ports: Set[int]
    by_socket: bool


class Door:
    """One run on one host. `session` is the SSH connection that the run came through, None without one."""

    def __init__(self, commands: Commands, session: Optional[ssh_session.Session], check_mode: bool = False) -> None:
        self._commands, self._session, self._check_mode = commands, session, check_mode

    # --- the first call: change and arm -----------------------------------------------------------------------------

    def arm(self, options: Options) -> Dict[str, Any]:
        """Apply the changes and leave them to be confirmed; return the module's result.

        Raises DoorError if something is refused or fails: nothing has changed then, or the previous state is restored.
        Raises Busy if the changes of another run wait to be confirmed.
        """
        known = self._units(*_SERVICES, *listening.SOCKETS, restore_units.FIREWALL_UNIT)
        server = _server(known)
        self._restore_orphan()
        daemon = sshd.Sshd(self._commands, options.settings, self._session)
        daemon.plan()
        table = firewall.Firewall(self._commands, options.allowed, self._session)
        ports = self._ports(daemon, server)
        table.plan(ports, self._check_mode)
        listing = table.listing()
        closes = table.changed(listing)
        result: Dict[str, Any] = {
            "connection": self._connection(),
            "ports": sorted(ports),
            "changed": False,
            "armed": False,
            "diff": _diff(daemon, table),
        }
        if not daemon.files and not closes:
            result["changed"] = result["needed"] = self._settle(known, table)
            return result
        result["changed"] = result["needed"] = True
        if self._session is None:
            raise DoorError(
                "not connected over SSH: a new connection cannot confirm the change, so nothing was changed"
            )
        if self._check_mode:
            return result
        self._install(table.nft)
        token = self._apply(options, daemon, table, listing, closes, server)
        return dict(result, armed=True, token=token)

    def _ports(self, daemon: sshd.Sshd, server: Server) -> Set[int]:
        ports = sshd_config.ports(daemon.values) | server.ports
        if self._session is not None:
            ports.add(int(self._session.server_port))
        return ports or {22}

    def _apply(
        self,
        options: Options,
        daemon: sshd.Sshd,
        table: firewall.Firewall,
        listing: Optional[str],
        closes: bool,
        server: Server,
    ) -> str:
        """Make the changes after the timer has been armed; return the token that confirms them."""
        if self._session is None:
            raise AssertionError("a change was armed without a session to confirm it")
        pending = change.Change(
            daemon.files,
            (table.text or firewall.REMOVAL) if closes else None,
            firewall.REMOVAL + (listing or ""),
            server.unit if daemon.files else "",
        )
        pending.prepare(self._session.connection)
        try:
            self._arm_timer(options.window)
            if closes:
                self._must(str(table.nft), "-f", os.path.join(change.ARMED, "firewall.nft"))
            pending.replace()
            if daemon.files and server.unit:
                self._reload(server)
            _wait_for_greeting(self._session)
            change.note_mark(ssh_session.now())
        except (OSError, DoorError) as error:
            pending.discard()
            self._restore()
            raise DoorError(f"{error}; the previous state was restored") from error
        return pending.token

    def _restore_orphan(self) -> None:
        """Restore the state before a change whose run and timer are gone. Raises Busy if it may still be confirmed."""
        if change.noted("token") is None:
            return
        states = self._commands.run("systemctl", "is-active", restore_units.RESTORE_TIMER, restore_units.RESTORE_UNIT)[
            1
        ]
        if any(state in ("active", "activating") for state in states.split()):
            raise Busy("another run has changed how SSH is reached and has not confirmed it yet; try again in a minute")
        if not self._check_mode:
            self._restore()

    def _install(self, nft: Optional[str]) -> bool:
        """Install the script and the units that restore the previous state; return whether anything changed."""
        files = restore_units.files(nft)
        changed = [path for path, (text, _mode) in files.items() if atomic.read_text(path) != text]
        for path in changed:
            text, mode = files[path]
            atomic.replace(path, text, mode)
        if changed:
            self._must("systemctl", "daemon-reload")
        boot = self._units(restore_units.BOOT_UNIT).get(restore_units.BOOT_UNIT, {})
        if boot.get("UnitFileState") != "enabled":
            self._must("systemctl", "enable", restore_units.BOOT_UNIT)
            return True
        return bool(changed)

    def _arm_timer(self, window: int) -> None:
        # The name is still taken by a timer that has elapsed, or by that of a change that was restored at once.
        self._commands.run("systemctl", "stop", restore_units.RESTORE_TIMER)
        self._commands.run("systemctl", "reset-failed", restore_units.RESTORE_TIMER, restore_units.RESTORE_UNIT)
        self._must(
            "systemd-run",
            "--quiet",
            f"--on-active={window}",
            "--timer-property=AccuracySec=1s",
            "--unit=" + restore_units.RESTORE_UNIT,
        )
        self._must("systemctl", "is-active", restore_units.RESTORE_TIMER)

    def _reload(self, server: Server) -> None:
        if server.by_socket:
            # An sshd that systemd gave its port to ends at a reload: it cannot bind the port again. Sessions survive.
            self._must("systemctl", "restart", server.unit)
            return
        before = ssh_session.program_of(server.pid)
        self._must("systemctl", "reload", server.unit)
        # systemctl returns before sshd has restarted itself; a connection in between would still get the old settings.
        ssh_session.wait_for_new_program(server.pid, before, _RELOAD_SECONDS)

    def _restore(self) -> None:
        """Restore the previous state now instead of waiting for the timer. This run holds the lock already."""
        self._commands.run(restore_units.RESTORE, "locked")

    def _settle(self, known: Mapping[str, Unit], table: firewall.Firewall) -> bool:
        """Do what needs no confirmation: install the files and enable the unit. Return whether anything changed."""
        if not self._check_mode and (table.text is not None or os.path.exists(restore_units.RESTORE)):
            changed = self._install(table.nft)
        else:
            files = restore_units.files(table.nft)
            changed = table.text is not None and any(
                atomic.read_text(path) != text for path, (text, _mode) in files.items()
            )
        return self._enable(known, table.text is not None) or changed

    def _enable(self, known: Mapping[str, Unit], wanted: bool) -> bool:
        """Enable or disable the unit that loads the table at boot; return whether it was otherwise."""
        unit = known.get(restore_units.FIREWALL_UNIT, {})
        state = (unit.get("UnitFileState") == "enabled", unit.get("ActiveState") == "active")
        if all(state) if wanted else not any(state):
            return False
        if not self._check_mode:
            self._must("systemctl", "enable" if wanted else "disable", "--now", restore_units.FIREWALL_UNIT)
        return True

    # --- the second call: confirm -----------------------------------------------------------------------------------

    def confirm(self, token: str) -> Dict[str, Any]:
        """Keep the changes if the connection of this run was opened after them; return the module's result."""
        if change.noted("token") != token:
            raise DoorError("the changes were not confirmed in time: the host has restored the previous state")
        known, mark = change.noted("connection"), int(change.noted("mark") or 0)
        if self._session is None or known is None or not self._session.is_new(known, mark):
            self._restore()
            what = self._session.connection if self._session else "none over SSH"
            raise DoorError(
                f"this is not a new connection ({what}), so it confirms nothing: the host has restored the "
                "previous state"
            )
        change.keep_firewall()
        change.forget_armed()
        self._commands.run("systemctl", "stop", restore_units.RESTORE_TIMER)
        closed = atomic.read_text(change.FIREWALL) is not None
        if closed:
            listing = firewall.Firewall(self._commands, [], None).listing()
            atomic.replace(change.LISTING, listing or "", 0o600)
        self._enable(self._units(restore_units.FIREWALL_UNIT), closed)
        return {"connection": self._connection(), "changed": True, "confirmed": True}

    # --- used by both calls -----------------------------------------------------------------------------------------

    def _connection(self) -> Optional[Dict[str, Optional[str]]]:
        session = self._session
        return None if session is None else {"user": session.user, "address": session.address}

    def _must(self, *argv: str) -> None:
        answer = self._commands.run(*argv)
        if answer[0]:
            raise DoorError(f"{' '.join(argv)} failed: {words(answer)}")

    def _units(self, *names: str) -> Dict[str, Unit]:
        """Return those of the units that exist, by name, with their properties."""
        properties = "--property=Id,LoadState,ActiveState,UnitFileState,MainPID,Listen"
        shown = units.parse_show(self._commands.run("systemctl", "show", properties, "--", *names)[1])
        return {name: unit for name, unit in zip(names, shown) if unit.get("LoadState") == "loaded"}


def _server(known: Mapping[str, Unit]) -> Server:
    """Return what serves SSH."""
    ports = set()
    sockets = [known[name] for name in listening.SOCKETS if known.get(name, {}).get("ActiveState") == "active"]
    for one in sockets:
        ports.update(_ports(units.stream_addresses(one)))
    for name in _SERVICES:
        if known.get(name, {}).get("ActiveState") in ("active", "reloading"):
            return Server(known[name]["Id"], int(known[name]["MainPID"]), ports, bool(sockets))
    return Server("", 0, ports, bool(sockets))


def _ports(addresses: Sequence[str]) -> List[int]:
    ports = [address.rpartition(":")[2] for address in addresses]
    return [int(port) for port in ports if port.isdecimal()]


def _diff(daemon: sshd.Sshd, table: firewall.Firewall) -> List[Dict[str, str]]:
    files = [(path, daemon.present[path], text) for path, text in sorted(daemon.files.items())]
    if table.text != table.kept:
        files.append((change.FIREWALL, table.kept, table.text))
    return [
        {"before_header": path, "after_header": path, "before": before or "", "after": after or ""}
        for path, before, after in files
    ]


def _wait_for_greeting(session: ssh_session.Session) -> None:
    """Wait until sshd itself greets a connection. Raises DoorError."""
    place = f"{session.server} port {session.server_port}"
    deadline = time.monotonic() + _GREETING_SECONDS
    while True:
        said = "it closes the connection"
        try:
            with socket.create_connection((session.server, int(session.server_port)), timeout=5) as stream:
                said = stream.recv(255).decode("utf-8", "replace").strip() or said
                if said.startswith("SSH-"):
                    return
        except OSError as error:
            said = str(error)
        if time.monotonic() > deadline:
            raise DoorError(f"sshd does not answer at {place} after the change: {said}")
        time.sleep(0.1)
