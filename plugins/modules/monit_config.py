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
  - Files of others are never lost. See O(takeover).
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
        description:
          - The check in monit's language. C(@SSHD_ADDRESS@) stands for an address that sshd listens at on the host. A
            line with C(@SSHD_PORT@) is repeated for each of its ports.
        type: str
        required: true
  programs:
    description: Programs that the checks run. They are installed with the checks.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The program's path.
        type: path
        required: true
      content:
        description: The program.
        type: str
        required: true
  takeover:
    description:
      - What to do with a control file that neither this module nor monit's package has written, and with an included
        file that has a check of the same name or of the same process as one of O(checks).
      - V(refuse) is an error that names the file and the line, and nothing is written. V(keep) leaves the statements of
        the control file and the check of the other file in force, and leaves out the own check. V(take) lets O(control)
        and O(checks) count.
      - What is replaced is kept in O(store) with its owner and mode, and comes back with O(state=reverted).
    type: str
    choices: [refuse, keep, take]
    default: refuse
  store:
    description: The folder for files of others that are replaced.
    type: path
    default: /var/lib/lifeline/monit
  state:
    description: V(reverted) removes the checks of all owners and puts back the files of others.
    type: str
    choices: [present, reverted]
    default: present
  validate:
    description: Whether to have monit check the new configuration. Without it, only conflicts with others are found.
    type: bool
    default: true
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
kept:
  description: The files of others that are kept aside.
  returned: success
  type: list
  elements: str
left_out:
  description: The checks that a file of others has already, with O(takeover=keep).
  returned: success
  type: list
  elements: str
restored:
  description: The files that were put back or removed.
  returned: with O(state=reverted)
  type: list
  elements: str
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
from ansible_collections.lifeline.fleet.plugins.module_utils._files import together
from ansible_collections.lifeline.fleet.plugins.module_utils._files.aside import AsideError
from ansible_collections.lifeline.fleet.plugins.module_utils._monit.configuration import (
    STORE,
    Configuration,
    ConfigurationError,
    Options,
    revert,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import listening

ARGUMENTS = {
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
    "programs": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "path", "required": True},
            "content": {"type": "str", "required": True},
        },
    },
    "takeover": {"type": "str", "choices": ["refuse", "keep", "take"], "default": "refuse"},
    "store": {"type": "path", "default": STORE},
    "state": {"type": "str", "choices": ["present", "reverted"], "default": "present"},
    "validate": {"type": "bool", "default": True},
    "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
    "packages": {"type": "list", "elements": "str", "default": []},
}


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    commands = Commands.of_module(module)
    _expand(module.params["checks"], commands)
    options = Options(*(module.params[name] for name in Options._fields))
    try:
        if module.params["state"] == "reverted":
            restored = revert(options, module.check_mode)
            module.exit_json(changed=bool(restored), restored=restored)
        configuration = Configuration(commands, options)
        missing = _packages.missing(module, module.params["packages"])
        if missing and not module.check_mode:
            module.exit_json(
                changed=False, files=configuration.files, missing=missing, kept=[], left_out=configuration.left_out
            )
        programs = [together.File(one["path"], one["content"], 0o755) for one in module.params["programs"]]
        programs = [program for program in programs if program.changed]
        warnings = []
        if configuration.changed or programs:
            monit = commands.find("monit") if module.params["validate"] else None
            warnings = _change(configuration, programs, monit, module.check_mode)
    except (ConfigurationError, AsideError, together.FilesError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename} cannot be written: {error.strerror}")
    for warning in warnings:
        module.warn("monit: " + configuration.readable(warning))
    module.exit_json(
        changed=bool(configuration.changed or programs),
        files=configuration.files,
        missing=missing,
        kept=configuration.kept,
        left_out=configuration.left_out,
        diff=configuration.diff() + [program.diff() for program in programs],
    )


def _expand(checks, commands):
    """Put the place of sshd into the checks that ask for it."""
    asking = [check for check in checks if listening.PORT in check["text"] or listening.ADDRESS in check["text"]]
    if asking:
        address, ports = listening.place(commands)
        for check in asking:
            check["text"] = listening.expand(check["text"], address, ports)


def _change(configuration, programs, monit, check_mode):
    """Validate the files, and write them unless in check mode; return monit's warnings."""
    if monit is None and not check_mode:
        raise ConfigurationError(
            "monit is not installed on this host, so the new configuration cannot be validated; install it"
        )
    contents = {program.path: program.content for program in programs}
    warnings = configuration.validate(monit, contents) if monit else []
    if not check_mode:
        together.replace(programs)
        configuration.replace()
    return warnings


if __name__ == "__main__":
    main()
