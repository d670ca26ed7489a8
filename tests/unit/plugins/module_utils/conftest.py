# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose programs answer what a test tells them, and that records every command."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands


class Host:
    """Records the commands of the code under test in `calls`, each as one line, and answers them.

    A command that no answer was given for succeeds and prints nothing.
    """

    def __init__(self, tmpdir):
        self.calls, self.inputs, self.programs, self._answers = [], [], {}, []
        self.commands = Commands(self._run, self._find, str(tmpdir))

    def install(self, *names):
        for name in names:
            self.programs[name] = "/usr/sbin/" + name

    def answer(self, start, out="", code=0, err="", then=None):
        """Answer commands that begin with `start`; the answer that was given last counts.

        `then` is called with the words, and may return another answer.
        """
        self._answers.insert(0, (start, (code, out, err), then))

    def fail(self, start, err, code=1):
        self.answer(start, code=code, err=err)

    def called(self, start):
        """Return the commands that begin with `start`, in their order."""
        return [call for call in self.calls if call.startswith(start)]

    def _find(self, name, opt_dirs=()):
        return self.programs.get(name)

    def _run(self, argv, data=None, environ_update=None):
        line = " ".join(argv)
        self.calls.append(line)
        self.inputs.append(data)
        for start, answer, then in self._answers:
            if line.startswith(start):
                return (then(argv) if then is not None else None) or answer
        return 0, "", ""


@pytest.fixture
def host(tmp_path):
    folder = tmp_path / "tmp"
    folder.mkdir()
    return Host(folder)
