#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.monit_daemon."""

from __future__ import annotations

DOCUMENTATION = r"""
module: monit_daemon
short_description: Has the running monit watch what its configuration says, and waits until it says so itself
version_added: 0.1.0
description:
  - Has monit read its configuration again where a file of it is newer than what the daemon runs with, whoever changed it.
  - Monitors checks again that somebody, or a rule of their own, has put out of monitoring.
  - Then waits until the daemon itself reports each of O(checks) as monitored, and fails with what it says where it doesn't.
attributes:
  check_mode:
    description: Can run in check mode and say whether monit would read its configuration or monitor a check again.
    support: full
  diff_mode:
    description: There is no file that changes.
    support: none
options:
  control_file:
    description: Monit's control file. It must have C(set httpd unixsocket).
    type: path
    default: /etc/monit/monitrc
  checks:
    description: The checks that must be monitored.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait for the daemon to answer, and to report all O(checks) as monitored.
    type: int
    default: 120
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Have monit watch the worker
  lifeline.fleet.monit_daemon:
    checks: [crawler]
"""

RETURN = r"""
version:
  description: Monit's version.
  returned: success
  type: str
  sample: 5.33.0
reloaded:
  description: Whether monit read its configuration again.
  returned: success
  type: bool
monitored_again:
  description: The checks that were out of monitoring.
  returned: success
  type: list
  elements: str
checks:
  description: All checks of the daemon by name.
  returned: success
  type: dict
  contains:
    kind:
      description: What it watches, such as V(process).
      type: str
    monitored:
      description: One of V(yes), V(no), V(initializing), V(waiting).
      type: str
    waits:
      description: Whether an action is waiting to be done.
      type: bool
    ok:
      description: Whether no rule of it strikes.
      type: bool
    message:
      description: What monit says of it.
      type: str
    pid:
      description: The process's number.
      type: int
    memory_total_bytes:
      description: Resident set size of the process and its children.
      type: int
"""

import glob
import http.client
import math
import os
import re
import socket
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils._monit import status as monit_status

_INCLUDE = re.compile(r"^\s*include\s+[\"']?([^\s\"']+)", re.IGNORECASE | re.MULTILINE)
_SOCKET = re.compile(r"^\s*set\s+httpd\s+unixsocket\s+[\"']?([^\s\"']+)", re.IGNORECASE | re.MULTILINE)


class Connection(http.client.HTTPConnection):
    """HTTP through monit's socket."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def status(path, timeout=10):
    """What monit says of itself. Raises OSError or ValueError with why it doesn't."""
    connection = Connection(path, timeout)
    try:
        connection.request("GET", "/_status?format=xml")
        answer = connection.getresponse()
        body = answer.read()
    except http.client.HTTPException as error:
        raise ValueError(f"it broke off its answer: {error!r}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise ValueError(f"it answers {answer.status} {answer.reason}")
    return monit_status.parse(body)


def newest(control_file, text):
    """The second in which anything was last changed that monit reads: a file, or what a directory holds."""
    paths = [control_file]
    for pattern in _INCLUDE.findall(text):
        paths += [os.path.dirname(pattern), *glob.glob(pattern)]
    return max(os.stat(path).st_mtime for path in paths if os.path.exists(path))


class Daemon:
    def __init__(self, module):
        self.module = module
        self.deadline = time.monotonic() + module.params["timeout"]
        self.control_file = module.params["control_file"]
        try:
            with open(self.control_file, encoding="utf-8", errors="surrogateescape") as stream:
                self.text = stream.read()
        except OSError as error:
            module.fail_json(msg=f"{self.control_file}: {error.strerror}")
        found = _SOCKET.search(self.text)
        if found is None:
            module.fail_json(
                msg=f"{self.control_file} has no 'set httpd unixsocket', through which monit could be asked"
            )
        self.socket = found.group(1)
        self.monit = module.get_bin_path("monit", required=True)

    def command(self, *arguments):
        code, out, err = self.module.run_command([self.monit, "-c", self.control_file, *arguments])
        if code:
            self.module.fail_json(msg=f"monit {' '.join(arguments)} failed: {' '.join((err or out).split())}")

    def wait(self, done, complaint):
        """What monit says as soon as V(done) says of it that it will do."""
        said = "it says nothing"
        while True:
            try:
                answer = status(self.socket)
                if done(answer):
                    return answer
                said = complaint(answer)
            except (OSError, ValueError) as error:
                said = f"monit doesn't answer at {self.socket}: {error}"
            if time.monotonic() > self.deadline:
                self.module.fail_json(msg=f"after {int(self.module.params['timeout'])} s {said}")
            time.sleep(0.2)

    def answer(self):
        return self.wait(lambda answer: True, str)

    def reload(self, changed):
        # Monit knows the second in which it read its configuration, and no fraction of it.
        time.sleep(max(0.0, math.floor(changed) + 1 - time.time()))
        self.command("reload")
        return self.wait(
            lambda answer: answer["incarnation"] > changed,
            lambda answer: "monit still runs with the configuration of before",
        )


def complaints(answer, names):
    """Why not each of V(names) is monitored, in words, by name."""
    found = {}
    for name in names:
        check = answer["checks"].get(name)
        if check is None:
            found[name] = "monit doesn't know it"
        elif check["monitored"] != "yes":
            found[name] = {"no": "it is not monitored", "waiting": "it waits for what it depends on"}.get(
                check["monitored"], "it is still initializing"
            ) + (": " + check["message"] if check["message"] else "")
    return found


def main():
    module = AnsibleModule(
        argument_spec={
            "control_file": {"type": "path", "default": "/etc/monit/monitrc"},
            "checks": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    daemon, names = Daemon(module), module.params["checks"]
    changed = newest(daemon.control_file, daemon.text)
    answer = daemon.answer()
    stale = answer["incarnation"] <= changed
    if stale and not module.check_mode:
        answer = daemon.reload(changed)
    forgotten = [name for name in names if name in answer["checks"] and answer["checks"][name]["monitored"] == "no"]
    if not module.check_mode:
        for name in forgotten:
            daemon.command("monitor", name)
        answer = daemon.wait(
            lambda answer: not complaints(answer, names),
            lambda answer: "; ".join("check %s: %s" % item for item in complaints(answer, names).items()),
        )
    module.exit_json(
        changed=bool(stale or forgotten),
        reloaded=stale,
        monitored_again=forgotten,
        version=answer["version"],
        checks=answer["checks"],
    )


if __name__ == "__main__":
    main()
