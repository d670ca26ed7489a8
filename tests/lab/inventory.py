# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's inventory of the lab, read from the labels of podman's containers, so it is never out of date."""

from __future__ import annotations

import json
import pathlib
import sys

from machine import ssh_arguments
from sets import podman_lists


def inventory(labs):
    """Return the inventory: a group for each set that is up, and in it a group for each kind of host."""
    groups = {"_meta": {"hostvars": {}}, "all": {"children": []}}
    listed = podman_lists()
    for lab in labs:
        boxes = lab.containers(listed)
        if boxes:
            groups["all"]["children"].append(lab.name)
            groups[lab.name] = {"children": [], "vars": _set_vars(lab)}
        for name, box in boxes.items():
            kind = f"{lab.name}_{box['lifeline-lab.kind']}"
            groups.setdefault(kind, {"hosts": []})["hosts"].append(name)
            if kind not in groups[lab.name]["children"]:
                groups[lab.name]["children"].append(kind)
            groups["_meta"]["hostvars"][name] = _host_vars(box)
    if not groups["_meta"]["hostvars"]:
        # No error: Ansible would go on to read this program's text as a list of hosts.
        print("No lab is up: boot one with make lab. (A lab is root's: to see it, be root.)", file=sys.stderr)
    return groups


def _set_vars(lab):
    # The hosts share this machine's kernel, so its load shows on each of them.
    thresholds = {
        name: {"warning": None, "critical": None}
        for name in ("load_per_cpu", "steal_percent", "memory_pressure_percent")
    }
    if not _can_protect_sshd():
        thresholds["sshd_killable"] = {"warning": None}
    return {
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_pipelining": True,
        "ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=60s",
        "ansible_ssh_common_args": ssh_arguments(lab.key, lab.known_hosts),
        # The sockets end with the lab: their host's address will be another host's.
        "ansible_control_path_dir": str(lab.run / "cp"),
        "lifeline_thresholds": thresholds,
    }


def _host_vars(box):
    return {
        "ansible_host": box["lifeline-lab.address"],
        "ansible_user": box["lifeline-lab.login"],
        # Not for root: a variable that is false would win over the keyword of a play.
        **({} if box["lifeline-lab.login"] == "root" else {"ansible_become": True}),
        "lab_suite": box["lifeline-lab.suite"],
        "lab_kind": box["lifeline-lab.kind"],
        "lab_purpose": box["lifeline-lab.purpose"],
        "lab_container": box["container"],
        **json.loads(box["lifeline-lab.vars"]),
    }


def _can_protect_sshd():
    """Return whether this machine can give CAP_SYS_RESOURCE, which sshd needs to keep the OOM killer off itself."""
    status = pathlib.Path("/proc/self/status").read_text()
    return bool(int(status.split("CapBnd:", 1)[1].split()[0], 16) >> 24 & 1)
