# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the files of sshd, and check that sshd accepts them and the connected user could still log in."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import tempfile
from typing import Callable, Dict, List, Mapping, Optional, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands, words
from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic, trusted
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import sshd_config
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door.change import DoorError
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door.session import Session

# These would move the listening socket, or change what the following lines apply to.
_REFUSED = {"port", "listenaddress", "addressfamily", "match", "include"}
_KEYWORD = re.compile(r"[A-Za-z][A-Za-z0-9]*\Z")
_MOST_BYTES_OF_KEYS = 1 << 20
_PRIVILEGE_SEPARATION = "/run/sshd"

Values = Dict[str, List[str]]


def lines(settings: Mapping[str, object]) -> Dict[str, str]:
    """Return the value of each keyword as sshd reads it. Raises DoorError if a keyword or a value cannot be used."""
    found = {}
    for keyword, value in settings.items():
        if value is None:
            continue
        if not _KEYWORD.match(keyword) or keyword.lower() in _REFUSED:
            raise DoorError(
                f"settings: {keyword} cannot be set here; use a keyword of sshd_config(5) other than Port, "
                "ListenAddress, AddressFamily, Match and Include"
            )
        if isinstance(value, dict):
            raise DoorError(
                f"settings: {keyword} is a dictionary ({value!r}); give a text, a number, a boolean or a list of them"
            )
        found[keyword] = " ".join(_word(part) for part in (value if isinstance(value, list) else [value]))
        if not found[keyword].strip() or "\n" in found[keyword]:
            raise DoorError(f"settings: {keyword} is empty or has several lines ({value!r}); give one line")
    return found


def _word(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


class Sshd:
    """sshd's configuration as it is and as it will be.

    After `plan`, `files` maps the paths that change to their new texts (None removes the file), and `values` holds what
    `sshd -T` reports for the new configuration.
    """

    def __init__(
        self,
        commands: Commands,
        settings: Mapping[str, object],
        session: Optional[Session],
        read: Callable[[str], Optional[str]] = atomic.read_text,
        read_keys: Optional[Callable[[str], Optional[str]]] = None,
    ) -> None:
        self._commands, self._session, self._read = commands, session, read
        self._read_keys = read_keys or read_regular
        self._program = commands.find("sshd")
        self.settings = lines(settings)
        self.present = {path: read(path) for path in (sshd_config.MAIN, sshd_config.DROP_IN)}
        self.files: Dict[str, Optional[str]] = {}
        self.values: Values = {}

    def plan(self) -> None:
        """Decide what the files must say. Raises DoorError if sshd refuses it, or the user could no longer log in."""
        if self._program is None:
            if self.settings:
                raise DoorError(
                    "settings: sshd is not installed on this host; install openssh-server or remove the settings"
                )
            return
        main, drop_in = self._choose(sshd_config.drop_in(self.settings))
        self.values = self._ask(main, drop_in)
        self._check_login()
        wanted: Dict[str, Optional[str]] = {sshd_config.MAIN: main, sshd_config.DROP_IN: drop_in}
        present = {**self.present, sshd_config.MAIN: self.present[sshd_config.MAIN] or ""}
        self.files = {path: text for path, text in wanted.items() if text != present[path]}

    def _choose(self, drop_in: Optional[str]) -> Tuple[str, Optional[str]]:
        """Return the main file and the drop-in with which all settings take effect."""
        present = self.present[sshd_config.MAIN] or ""
        plain = sshd_config.without_include(present)
        if drop_in is None:
            return plain, None
        overridden = None
        for main in (plain, sshd_config.with_include(present)):
            own = self._ask(drop_in, None, name=sshd_config.DROP_IN)
            overridden = sshd_config.overridden(self.settings, own, self._ask(main, drop_in, sshd_config.without_match))
            if overridden is None:
                return main, drop_in
        keyword, instead = overridden or ("", "")
        raise DoorError(
            f"settings: sshd would not follow {keyword} {self.settings[keyword]}, "
            f"another line of its configuration says {instead}; remove that line or the setting"
        )

    def _check_login(self) -> None:
        if self._session is None or not self.settings:
            return
        reason = sshd_config.login_refused(self.values, user(self._session, self._read), self._read_keys)
        if reason:
            raise DoorError(f"settings: these would lock out the user of this connection: {reason}")

    def _ask(
        self,
        main: str,
        drop_in: Optional[str],
        only: Callable[[str], str] = lambda text: text,
        name: str = sshd_config.MAIN,
    ) -> Values:
        """Return what sshd makes of all files for this connection. `only` cuts each text to the part that counts."""
        make_privilege_separation_folder()
        stage = tempfile.mkdtemp(prefix="sshd.", dir=self._commands.tmpdir)
        folder, path = os.path.join(stage, "sshd_config.d"), os.path.join(stage, "sshd_config")
        try:
            os.mkdir(folder)
            texts = {os.path.join(folder, other): text for other, text in self._others().items()}
            if drop_in is not None:
                texts[os.path.join(folder, os.path.basename(sshd_config.DROP_IN))] = drop_in
            texts[path] = main
            for staged, text in texts.items():
                with open(staged, "w", encoding="utf-8", errors="surrogateescape") as stream:
                    stream.write(sshd_config.staged(only(text), folder))
            answer = self._commands.run(str(self._program), "-t", "-f", path)
            if not answer[0]:
                answer = self._commands.run(str(self._program), "-T", "-f", path, *self._specification())
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        if answer[0]:
            said = words(answer).replace(folder, sshd_config.FOLDER).replace(path, name)
            raise DoorError(_refusal(said, main if name == sshd_config.DROP_IN else drop_in or ""))
        return sshd_config.effective(answer[1])

    def _others(self) -> Dict[str, str]:
        """Return the drop-ins of others by name."""
        found = {}
        for name in os.listdir(sshd_config.FOLDER) if os.path.isdir(sshd_config.FOLDER) else []:
            path = os.path.join(sshd_config.FOLDER, name)
            text = self._read(path) if os.path.isfile(path) and path != sshd_config.DROP_IN else None
            if text is not None:
                found[name] = text
        return found

    def _specification(self) -> List[str]:
        if self._session is None:
            return []
        session = self._session
        client = f"user={session.user},host={session.address},addr={session.address}"
        return ["-C", f"{client},laddr={session.server_address},lport={session.server_port}"]


def read_regular(path: str) -> Optional[str]:
    """Return the beginning of a file that belongs to a user, None if it is not a regular file or cannot be read.

    The user may have put a FIFO there, which would block, or a file without an end.
    """
    try:
        with trusted.open_regular(path) as stream:
            return stream.read(_MOST_BYTES_OF_KEYS).decode("utf-8", "surrogateescape")
    except OSError:
        return None


def make_privilege_separation_folder() -> None:
    """Make the folder that sshd needs even to check its configuration."""
    # If sshd is started by a socket, systemd removes it after each connection.
    if not os.path.isdir(_PRIVILEGE_SEPARATION):
        os.mkdir(_PRIVILEGE_SEPARATION, 0o755)


def _refusal(said: str, drop_in: str) -> str:
    """Return the message for a configuration that sshd refuses, with the line of the drop-in that it names."""
    found = re.search(re.escape(sshd_config.DROP_IN) + r":? line (\d+)", said)
    own = drop_in.splitlines()
    which = f" ({own[int(found.group(1)) - 1]})" if found and 0 < int(found.group(1)) <= len(own) else ""
    return f"settings: sshd refuses its configuration with these settings{which}: {said}"


def user(session: Session, read: Callable[[str], Optional[str]]) -> sshd_config.User:
    """Return the host's data about the connected user."""
    name = str(session.user)
    entry = pwd.getpwnam(name)
    groups = []
    for number in os.getgrouplist(name, entry.pw_gid):
        try:
            groups.append(grp.getgrgid(number).gr_name)
        except KeyError:
            groups.append(str(number))
    shadow = [line.split(":") for line in (read("/etc/shadow") or "").splitlines() if line.startswith(name + ":")]
    # A user without an entry has the password elsewhere (LDAP, for example), where only a login could tell.
    password = not shadow or (shadow[0][1] != "" and shadow[0][1][0] not in "!*")
    return sshd_config.User(name, entry.pw_uid, groups, entry.pw_dir, password, session.address)
