# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tmux session with a window for each box: boxes in, files out, for tmuxinator and for a shell."""

from __future__ import annotations

import re
import shlex

import yaml


def windows(groups, hostvars):
    """Triples of a group, a host and the command that logs in there: each host once, in the first of V(groups) that has it.

    V(groups) maps a group to its hosts; V(hostvars) a host to its variables, templates resolved.
    """
    seen, found = set(), []
    for group, hosts in groups.items():
        for host in hosts:
            if host not in seen and hostvars[host].get("ansible_connection", "ssh") in ("ssh", "ansible.builtin.ssh", "smart"):
                seen.add(host)
                found.append((group, host, command(host, hostvars[host])))
    return found


def command(host, variables):
    """The words of ssh that lead where Ansible's own connection leads."""
    words = ["ssh"]
    for name, option in (("ansible_user", "-l"), ("ansible_port", "-p"), ("ansible_ssh_private_key_file", "-i")):
        # The older names of the same.
        value = variables.get(name, variables.get(name.replace("ansible_", "ansible_ssh_", 1)))
        if value not in (None, ""):
            words += [option, str(value)]
    for name in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
        words += shlex.split(str(variables.get(name) or ""))
    return [*words, "--", str(variables.get("ansible_host", variables.get("ansible_ssh_host", host)))]


def tmuxinator(session, boxes):
    """The session as tmuxinator's YAML."""
    listed = [{title(group, host): shlex.join(words)} for group, host, words in boxes]
    text = yaml.safe_dump({"name": session, "windows": listed}, sort_keys=False, width=1000)
    # tmuxinator reads the file as a template first.
    return text.replace("<%", "<%%")


def script(session, boxes):
    """The session as a shell script, which goes back into a session that is there already."""
    lines = ["#!/bin/sh", "session=%s" % shlex.quote(session), 'if ! tmux has-session -t "=$session" 2> /dev/null; then']
    group = None
    for number, (its_group, host, words) in enumerate(boxes):
        if its_group != group:
            group = its_group
            lines.append("    # %s" % title(group))
        # A window stays when the connection ends, so that its last words can be read.
        login = shlex.quote("%s; exec ${SHELL:-/bin/sh}" % shlex.join(words))
        start = 'tmux new-session -d -s "$session"' if number == 0 else 'tmux new-window -d -t "=$session:"'
        lines.append("    %s -n %s %s" % (start, shlex.quote(title(its_group, host)), login))
    lines += ["fi", 'if [ -n "${TMUX:-}" ]; then exec tmux switch-client -t "=$session"; fi', 'exec tmux attach-session -t "=$session"']
    return "\n".join(lines) + "\n"


def title(*names):
    """A name that tmux takes for nothing but a name."""
    return "/".join(re.sub(r"[^\w.-]", "_", name, flags=re.ASCII) for name in names)
