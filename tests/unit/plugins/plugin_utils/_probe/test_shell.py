# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A script goes to the host by its standard input, or as a command where that can't be."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import shell


class Action:
    def __init__(self, pipelining):
        self._connection = SimpleNamespace(is_pipelining_enabled=lambda: pipelining)
        self.called = None

    def _low_level_execute_command(self, command, **options):
        self.called = command, options
        return {"stdout": "x", "stderr": "", "rc": 0}


def test_with_pipelining_the_script_is_on_standard_input():
    action = Action(True)
    assert shell.run(action, "{ echo; }") == {"stdout": "x", "stderr": "", "rc": 0}
    assert action.called == ("/bin/sh", {"in_data": b"{ echo; }\n", "executable": False})


def test_without_pipelining_the_script_is_the_command():
    action = Action(False)
    shell.run(action, "{ echo; }")
    assert action.called == ("{ echo; }", {})


@pytest.mark.parametrize("error", [AttributeError(), AnsibleConnectionFailure("x")])
def test_a_connection_that_cannot_be_reset_is_no_error(error):
    def reset():
        raise error

    assert shell.reset(SimpleNamespace(reset=reset)) is None


def test_a_connection_is_reset():
    done = []
    shell.reset(SimpleNamespace(reset=lambda: done.append(True)))
    assert done == [True]
