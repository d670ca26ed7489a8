# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup lifeline.fleet.metrics_program."""

from __future__ import annotations

DOCUMENTATION = r"""
name: metrics_program
author:
  - The Lifeline authors (@lifeline-fleet)
short_description: Returns a Python program with the modules of this collection that it imports
version_added: 0.1.0
description:
  - Finds the modules of this collection that a program imports, directly and indirectly, so the parsers of the fact
    modules and of M(lifeline.fleet.health) can run on a host without Ansible. The rest of the collection is left out.
options:
  _terms:
    description: The path of the program on the controller.
    required: true
    type: list
    elements: path
  folder:
    description:
      - The program's folder on the host. The program becomes C(__main__.py) there, so C(python3 FOLDER) runs it.
    required: true
    type: path
"""

EXAMPLES = r"""
- name: Install the program that exports metrics
  lifeline.fleet.config_files:
    files: "{{ lookup('lifeline.fleet.metrics_program', 'files/program.py', folder='/usr/local/lib/program') }}"
"""

RETURN = r"""
_raw:
  description: One list of files with C(path) and C(content), as the module M(lifeline.fleet.config_files) takes them.
  type: list
  elements: list
"""

from pathlib import Path

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _program
from ansible_collections.lifeline.fleet.plugins.plugin_utils._lookup import SettingsLookup


class LookupModule(SettingsLookup):
    """Return the files of a program."""

    names_host = False

    def find(self, terms, variables):
        folder = self.get_option("folder").rstrip("/")
        return [self._files(Path(term), folder) for term in terms]

    @staticmethod
    def _files(program, folder):
        try:
            text = program.read_text(encoding="utf-8")
        except OSError as error:
            raise SettingsError(
                f"cannot read the program {program} ({error.strerror}); install the collection again"
            ) from error
        texts = {"__main__.py": text, **_program.modules(text)}
        return [{"path": f"{folder}/{name}", "content": content} for name, content in texts.items()]
