#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the module lifeline.fleet.monit_config."""

from __future__ import annotations

DOCUMENTATION = r"""
module: monit_config
short_description: Replaces monit's configuration as a whole, and only by one that monit accepts
version_added: 0.1.0
description:
  - Writes monit's control file, and one file for each check into a directory that the control file includes. Checks
    of the same O(owner) that are no longer named are removed.
  - Before anything is replaced, a copy of the whole configuration is put together with the new files and checked with
    C(monit -t). A configuration that monit refuses is never written, nor one with a program that does not exist, of
    which monit only warns. The error names the check and the line.
  - The running daemon is left alone. M(lifeline.fleet.monit_daemon) has it read the files.
attributes:
  check_mode:
    description: Can run in check mode and report what would change. The new configuration is validated as well.
    support: full
  diff_mode:
    description: Shows what changes in each file.
    support: full
options:
  control_file:
    description: Monit's control file.
    type: path
    default: /etc/monit/monitrc
  control:
    description: The text of the control file. If it is not set, the control file stays as it is.
    type: str
  directory:
    description: The directory of the checks. The control file must include its files.
    type: path
    default: /etc/monit/lifeline.d
  owner:
    description: A word for the owner of these checks. Checks of other owners stay.
    type: str
    required: true
  checks:
    description: The owner's checks, all of them.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The check's name.
        type: str
        required: true
      text:
        description: The check in monit's language.
        type: str
        required: true
  secrets:
    description: Words of the configuration that no output may show.
    type: list
    elements: str
    default: []
  packages:
    description:
      - Packages that monit needs to check the configuration. If one is missing, nothing is written. Install the
        packages then, and run the module again.
    type: list
    elements: str
    default: []
notes:
  - Does not need root itself, but the files belong to the user that runs it, and monit accepts only files of its own
    user.
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Watch the worker
  lifeline.fleet.monit_config:
    owner: crawler
    checks:
      - name: crawler
        text: |
          check process crawler with pidfile /run/crawler.pid
            if totalmem > 300 MB for 3 cycles then alert
"""

RETURN = r"""
files:
  description: The owner's files, as they are or would be.
  returned: success
  type: list
  elements: str
  sample: [/etc/monit/lifeline.d/crawler-crawler]
missing:
  description: Those of O(packages) that are not installed.
  returned: success
  type: list
  elements: str
warnings:
  description: Warnings of monit about a configuration that it accepts.
  returned: when there are warnings
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils import _packages
from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands
from ansible_collections.lifeline.fleet.plugins.module_utils._monit.configuration import (
    Configuration,
    ConfigurationError,
    Options,
)


def main():
    module = AnsibleModule(
        argument_spec={
            "control_file": {"type": "path", "default": "/etc/monit/monitrc"},
            "control": {"type": "str"},
            "directory": {"type": "path", "default": "/etc/monit/lifeline.d"},
            "owner": {"type": "str", "required": True},
            "checks": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "text": {"type": "str", "required": True},
                },
            },
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "packages": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    options = Options(*(module.params[name] for name in Options._fields))
    commands = Commands.of_module(module)
    try:
        configuration = Configuration(commands, options)
        missing = _packages.missing(module, module.params["packages"])
        if missing and not module.check_mode:
            module.exit_json(changed=False, files=configuration.files, missing=missing)
        warnings = _change(configuration, commands.find("monit"), module.check_mode) if configuration.changed else []
    except ConfigurationError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename} cannot be written: {error.strerror}")
    for warning in warnings:
        module.warn("monit: " + configuration.readable(warning))
    module.exit_json(
        changed=bool(configuration.changed), files=configuration.files, missing=missing, diff=configuration.diff()
    )


def _change(configuration, monit, check_mode):
    """Validate the files, and write them unless in check mode; return monit's warnings."""
    if monit is None and not check_mode:
        raise ConfigurationError(
            "monit is not installed on this host, so the new configuration cannot be validated; install it"
        )
    warnings = configuration.validate(monit) if monit else []
    if not check_mode:
        configuration.replace()
    return warnings


if __name__ == "__main__":
    main()
