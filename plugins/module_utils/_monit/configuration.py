# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace the configuration of monit as a whole, and only by one that monit accepts."""

from __future__ import annotations

import glob
import os
import re
import shutil
import tempfile
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence

from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands
from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic, trusted

_NAME = re.compile(r"[\w.@-]+\Z")
_MODE = 0o600
_WRITTEN = re.compile(
    r"^\s*set\s+(?:log(?:file)?|(?:id|state|pid)(?:file)?|httpd\s+unixsocket|eventqueue\s+basedir)\s+[\"']?([^\s\"']+)",
    re.IGNORECASE | re.MULTILINE,
)


class ConfigurationError(Exception):
    """The configuration is refused, and nothing was written; the text says why."""


class Options(NamedTuple):
    """The user's options: the text of the control file, None to leave it, and checks with a name and a text."""

    control_file: str
    control: Optional[str]
    directory: str
    owner: str
    checks: Sequence[Mapping[str, str]]


class Configuration:
    """The files as they are and as they will be.

    `files` are the paths of the owner's checks, `changed` the paths that will change. Raises ConfigurationError if the
    name of a check cannot be a file's name, or is there twice.
    """

    def __init__(self, commands: Commands, options: Options) -> None:
        self._commands, self._options = commands, options
        for path in (
            options.control_file,
            os.path.join(options.directory, "check"),
            *_own_files(options.control or ""),
        ):
            reason = trusted.distrust(path)
            if reason:
                raise ConfigurationError(
                    f"{path} is not safe to write: {reason}; use a folder that belongs to root alone"
                )
        self._prefix = os.path.join(options.directory, options.owner + "-")
        checks = {self._path(check["name"]): check["text"].rstrip("\n") + "\n" for check in options.checks}
        if len(checks) < len(options.checks):
            raise ConfigurationError("checks: two checks have the same name; rename one of them")
        self.files = sorted(checks)
        # None removes a check that is no longer wanted.
        self._wanted: Dict[str, Optional[str]] = dict.fromkeys(glob.glob(glob.escape(self._prefix) + "*"))
        self._wanted.update(checks)
        if options.control is not None:
            self._wanted[options.control_file] = options.control
        self._present = {path: atomic.read_text(path) for path in self._wanted}
        self.changed = [path for path in sorted(self._wanted) if self._differs(path)]

    def _path(self, name: str) -> str:
        if not _NAME.match(name):
            raise ConfigurationError(f"checks: not a name ({name!r}); use letters, digits and . _ @ -")
        return self._prefix + name

    def _differs(self, path: str) -> bool:
        if self._wanted[path] != self._present[path]:
            return True
        return self._present[path] is not None and os.stat(path).st_mode & 0o777 != _MODE

    def validate(self, monit: str) -> List[str]:
        """Make monit parse everything that it would read; return its warnings. Raises ConfigurationError."""
        options = self._options
        control = self._wanted.get(options.control_file) or atomic.read_text(options.control_file)
        if control is None:
            raise ConfigurationError(f"control: {options.control_file} does not exist; give its text")
        include = re.compile(rf"^(\s*include\s+[\"']?){re.escape(options.directory)}/", re.IGNORECASE | re.MULTILINE)
        if not include.search(control):
            raise ConfigurationError(
                f"{options.control_file} does not include {options.directory}/*, so monit would not read the checks; "
                "add the statement"
            )
        stage = tempfile.mkdtemp(prefix="monit.", dir=self._commands.tmpdir)
        main, checks = os.path.join(stage, "monitrc"), os.path.join(stage, "checks")
        try:
            _write(main, include.sub(lambda match: f"{match.group(1)}{checks}/", control))
            os.mkdir(checks, 0o700)
            for path, text in self._all_checks().items():
                _write(os.path.join(checks, os.path.basename(path)), text)
            code, out, err = self._commands.run(monit, "-t", "-c", main)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        said = (out + err).replace(checks + "/", options.directory + "/").replace(main, options.control_file)
        warnings = _warnings(said)
        # monit only warns of a program that is missing, and would then fail to start it.
        if code or any("Program does not exist" in line or "not executable" in line for line in warnings):
            raise ConfigurationError(
                "monit refuses the new configuration, so the old one stays: " + "; ".join(map(self.readable, warnings))
            )
        return warnings

    def _all_checks(self) -> Dict[str, str]:
        """Return the texts of the checks of all owners as they will be, by path."""
        others = glob.glob(os.path.join(glob.escape(self._options.directory), "*"))
        texts = {path: atomic.read_text(path) for path in others if path not in self._wanted}
        texts.update(self._wanted)
        texts.pop(self._options.control_file, None)
        return {path: text for path, text in texts.items() if text is not None}

    def readable(self, warning: str) -> str:
        """Return a warning with the check's name and the line in front, if it is about a file of the owner."""
        match = re.match(re.escape(self._prefix) + r"([\w.@-]+):(\d+): (.*)", warning)
        return "check {}, line {}: {}".format(*match.groups()) if match else warning

    def replace(self) -> None:
        """Write the files that change and remove those that are no longer wanted. Raises OSError."""
        os.makedirs(self._options.directory, mode=0o700, exist_ok=True)
        for path in self.changed:
            text = self._wanted[path]
            if text is None:
                os.unlink(path)
            else:
                # monit accepts only files that no other user may read.
                atomic.replace(path, text, _MODE)

    def diff(self) -> List[Dict[str, str]]:
        """Return what changes, as Ansible shows it."""
        return [
            {
                "before_header": path,
                "after_header": path,
                "before": self._present[path] or "",
                "after": self._wanted[path] or "",
            }
            for path in self.changed
        ]


def _own_files(control: str) -> List[str]:
    """Return the files that monit itself writes, by the text of its control file."""
    return [path for path in _WRITTEN.findall(control) if os.path.isabs(path)]


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(text)


def _warnings(said: str) -> List[str]:
    lines = [line.strip() for line in said.splitlines()]
    return [
        line
        for line in lines
        if line and "syntax OK" not in line and "onit id" not in line and not line.startswith("Stored in")
    ]
