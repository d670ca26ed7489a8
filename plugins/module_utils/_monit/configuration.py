# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace the configuration of monit as a whole, and only by one that monit accepts."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import shutil
import tempfile
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence

from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands
from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic, trusted
from ansible_collections.lifeline.fleet.plugins.module_utils._files.aside import Aside
from ansible_collections.lifeline.fleet.plugins.module_utils._monit import others

STORE = "/var/lib/lifeline/monit"
# The statements of a control file that was there before, if they stay in force.
_KEPT = "kept-monitrc"
_NAME = re.compile(r"[\w.@-]+\Z")
_MODE = 0o600
_WRITTEN = re.compile(
    r"^\s*set\s+(?:log(?:file)?|(?:id|state|pid)(?:file)?|httpd\s+unixsocket|eventqueue\s+basedir)\s+[\"']?([^\s\"']+)",
    re.IGNORECASE | re.MULTILINE,
)


class ConfigurationError(Exception):
    """The configuration is refused, and nothing was written; the text says why."""


class Options(NamedTuple):
    """The user's options: the text of the control file, None to leave it, and checks with a name and a text.

    `takeover` says what happens to files of others that would be lost, or whose checks would be doubled: `refuse` is an
    error, `keep` leaves them in force, and `take` keeps them aside in the folder `store`.
    """

    control_file: str
    control: Optional[str]
    directory: str
    owner: str
    checks: Sequence[Mapping[str, str]]
    takeover: str = "refuse"
    store: str = STORE


class Configuration:
    """The files as they are and as they will be.

    `files` are the paths of the owner's checks, `changed` the paths that will change, `left_out` the checks that a file
    of others already has, and `kept` the files of others that are kept aside. Raises ConfigurationError if the name of
    a check cannot be a file's name, or is there twice, or if a file of others may not be replaced.
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
        self.left_out: List[str] = []
        self.kept: List[str] = []
        # None removes a check that is no longer wanted.
        self._wanted: Dict[str, Optional[str]] = dict.fromkeys(glob.glob(glob.escape(self._prefix) + "*"))
        if options.control is not None:
            self._settle_control(options.control)
        checks = self._settle_checks({check["name"]: check["text"] for check in options.checks})
        if len({check["name"] for check in options.checks}) < len(options.checks):
            raise ConfigurationError("checks: two checks have the same name; rename one of them")
        texts = {self._path(name): text.rstrip("\n") + "\n" for name, text in checks.items()}
        self.files = sorted(texts)
        self._wanted.update(texts)
        self._present = {path: atomic.read_text(path) for path in self._wanted}
        self.changed = [path for path in sorted(self._wanted) if self._differs(path)]

    def _settle_control(self, control: str) -> None:
        """Decide what happens to a control file that this role has not written. Raises ConfigurationError."""
        options = self._options
        self._wanted[options.control_file] = control
        if options.takeover == "take":
            self._wanted.update(dict.fromkeys(glob.glob(os.path.join(glob.escape(options.directory), _KEPT))))
        present = atomic.read_text(options.control_file)
        if present is None or self._is_ours(present):
            return
        self.kept.append(options.control_file)
        if self._is_of_package(present) or options.takeover == "take":
            return
        if options.takeover == "refuse":
            raise ConfigurationError(
                f"{options.control_file} was changed by hand or by another tool, and would be replaced; set "
                "monit_takeover: keep (its statements stay in force) or take (it is kept aside). Nothing was written"
            )
        ours = set(others.INCLUDE.findall(control))
        lines = [line for line in present.splitlines() if not ours & set(others.INCLUDE.findall(line))]
        self._wanted[os.path.join(options.directory, _KEPT)] = "\n".join(lines) + "\n"

    def _settle_checks(self, checks: Mapping[str, str]) -> Dict[str, str]:
        """Return the checks to write, once it is decided what happens to those that others have too."""
        options = self._options
        control = options.control or atomic.read_text(options.control_file) or ""
        doubled = others.doubled(checks, control, options.directory)
        if doubled and options.takeover == "refuse":
            found = "; ".join(
                f"check {name}: {other.path}:{other.line} has the check {other.name}, which would be there twice"
                for name, other in doubled.items()
            )
            raise ConfigurationError(
                f"{found}; remove it there, or set monit_takeover: keep (that one stays) or take (that one is removed "
                "and kept aside). Nothing was written"
            )
        if options.takeover == "keep":
            self.left_out = sorted(doubled)
        else:
            for path in sorted({other.path for other in doubled.values()}):
                names = [other.name for other in doubled.values() if other.path == path]
                self._wanted[path] = others.without(atomic.read_text(path) or "", names) or None
                self.kept.append(path)
        return {name: text for name, text in checks.items() if name not in self.left_out}

    def _is_ours(self, control: str) -> bool:
        return self._options.directory in map(os.path.dirname, others.INCLUDE.findall(control))

    def _is_of_package(self, control: str) -> bool:
        query = self._commands.find("dpkg-query")
        if query is None:
            return False
        listing = self._commands.run(query, "-W", "-f", "${Conffiles}\n", "monit")[1]
        # MD5 is what dpkg has; it only tells whether the file is the package's own.
        checksum = hashlib.md5(control.encode("utf-8", "surrogateescape")).hexdigest()  # noqa: S324
        return others.conffile_checksum(listing, self._options.control_file) == checksum

    def _path(self, name: str) -> str:
        if not _NAME.match(name):
            raise ConfigurationError(f"checks: not a name ({name!r}); use letters, digits and . _ @ -")
        return self._prefix + name

    def _differs(self, path: str) -> bool:
        if self._wanted[path] != self._present[path]:
            return True
        return self._present[path] is not None and os.stat(path).st_mode & 0o777 != _MODE

    def validate(self, monit: str, programs: Optional[Mapping[str, bytes]] = None) -> List[str]:
        """Make monit parse everything that it would read; return its warnings. Raises ConfigurationError.

        `programs` are the contents, by path, of programs that will be installed: monit insists that they are there.
        """
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
        staged = {path: os.path.join(stage, "bin", os.path.basename(path)) for path in programs or ()}
        try:
            for path, content in (programs or {}).items():
                atomic.replace(staged[path], content, 0o755, durable=False)
            _write(main, include.sub(lambda match: f"{match.group(1)}{checks}/", self._without_changed(control, stage)))
            os.mkdir(checks, 0o700)
            for path, text in self._all_checks().items():
                _write(os.path.join(checks, os.path.basename(path)), _replaced(text, staged))
            code, out, err = self._commands.run(monit, "-t", "-c", main)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        said = _replaced(out + err, {copy: program for program, copy in staged.items()})
        said = said.replace(checks + "/", options.directory + "/").replace(main, options.control_file)
        warnings = _warnings(said)
        # monit only warns of a program that is missing, and would then fail to start it.
        if code or any("Program does not exist" in line or "not executable" in line for line in warnings):
            raise ConfigurationError(
                "monit refuses the new configuration, so the old one stays: " + "; ".join(map(self.readable, warnings))
            )
        return warnings

    def _without_changed(self, control: str, stage: str) -> str:
        """Return the control file with copies of the files of others that will change."""
        changed = [path for path in self.kept if path != self._options.control_file]
        if not changed:
            return control
        lines = []
        for line in control.splitlines():
            patterns = others.INCLUDE.findall(line)
            if not patterns or os.path.dirname(patterns[0]) == self._options.directory:
                lines.append(line)
                continue
            for path in others.included(line, self._options.directory):
                text = self._wanted.get(path, "")
                if path in changed and text:
                    _write(os.path.join(stage, os.path.basename(path)), text)
                    lines.append(f"include {stage}/{os.path.basename(path)}")
                elif path not in changed:
                    lines.append(f"include {path}")
        return "\n".join(lines) + "\n"

    def _all_checks(self) -> Dict[str, str]:
        """Return the texts of the checks of all owners as they will be, by path."""
        present = glob.glob(os.path.join(glob.escape(self._options.directory), "*"))
        texts = {path: atomic.read_text(path) for path in present if path not in self._wanted}
        texts.update(self._wanted)
        return {
            path: text
            for path, text in texts.items()
            if text is not None and os.path.dirname(path) == self._options.directory
        }

    def readable(self, warning: str) -> str:
        """Return a warning with the check's name and the line in front, if it is about a file of the owner."""
        match = re.match(re.escape(self._prefix) + r"([\w.@-]+):(\d+): (.*)", warning)
        return "check {}, line {}: {}".format(*match.groups()) if match else warning

    def replace(self) -> None:
        """Write the files that change and remove those that are no longer wanted; first keep those of others aside.

        Raises OSError or AsideError.
        """
        for path in self.kept:
            Aside(self._options.store).keep(path)
        os.makedirs(self._options.directory, mode=0o700, exist_ok=True)
        for path in self.changed:
            text = self._wanted[path]
            if text is None and self._present[path] is not None:
                os.unlink(path)
            elif text is None:
                continue
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


def revert(options: Options, check_mode: bool) -> List[str]:
    """Put back the files of others and remove those of all owners; return the paths. Raises OSError or AsideError."""
    aside = Aside(options.store)
    own = glob.glob(os.path.join(glob.escape(options.directory), "*"))
    found = sorted({*aside.entries, *own})
    if not check_mode:
        for path in own:
            os.unlink(path)
        aside.restore()
    return found


def _replaced(text: str, words: Mapping[str, str]) -> str:
    for word, instead in words.items():
        text = text.replace(word, instead)
    return text


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
