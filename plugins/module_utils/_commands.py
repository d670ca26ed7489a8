# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run programs of the host. A module passes its own runner, a unit test passes one that records the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Optional, Tuple

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

Answer = Tuple[int, str, str]

# Where daemons are installed on systems whose users don't have these folders on their path.
_SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"]


class Commands:
    """Find and run programs, with messages in English.

    `run` takes a list of words, `data` for standard input and `environ_update`, as `AnsibleModule.run_command` does,
    and returns the exit status, the output and the error output. `find` returns a program's path or None. `tmpdir` is a
    folder of this run only.
    """

    def __init__(self, run: Callable[..., Answer], find: Callable[..., Optional[str]], tmpdir: str) -> None:
        self._run, self._find, self.tmpdir = run, find, tmpdir

    @classmethod
    def of_module(cls, module: AnsibleModule) -> Commands:
        """Return the commands that a module runs on its host."""
        return cls(module.run_command, module.get_bin_path, module.tmpdir)

    def find(self, name: str) -> Optional[str]:
        """Return the path of a program, or None if it is not installed."""
        return self._find(name, opt_dirs=_SYSTEM_FOLDERS)

    def run(self, *argv: str, data: Optional[str] = None) -> Answer:
        """Run a program to its end and return its exit status, output and error output."""
        return self._run(list(argv), data=data, environ_update={"LC_ALL": "C"})


def words(answer: Answer) -> str:
    """Return what a program said on one line: its error output, else its output, else its exit status."""
    code, out, err = answer
    return " ".join((err or out).split()) or f"exit status {code}"
