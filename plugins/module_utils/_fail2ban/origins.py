# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the line of fail2ban's configuration that sets a value of a jail."""

from __future__ import annotations

import glob
import os
import re
from typing import List, Optional

from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic

_SECTION = re.compile(r"\[([^\]]+)\]")
_ASSIGNMENT = re.compile(r"([A-Za-z][\w.-]*)\s*[=:]")
# A jail's action is made of these.
_ALSO = {"banaction": ("banaction", "action"), "action": ("action", "banaction")}


def files(directory: str) -> List[str]:
    """Return the files of jails in the order in which fail2ban reads them: a later one counts more."""
    found = []
    for kind in (".conf", ".local"):
        found.append(os.path.join(directory, "jail" + kind))
        found += sorted(glob.glob(os.path.join(glob.escape(directory), "jail.d", "*" + kind)))
    return [path for path in found if os.path.isfile(path)]


def find(directory: str, jail: str, key: str, own: str) -> Optional[str]:
    """Return `path:line` where a setting of a jail gets the value that counts, None if only the file `own` sets it.

    The section of the jail counts more than the defaults, and the defaults only if their file is read after `own`.
    """
    keys = _ALSO.get(key, (key,))
    in_jail = in_defaults = None
    after_own = False
    for path in files(directory):
        if path == own:
            after_own = True
            continue
        section = ""
        for number, line in enumerate((atomic.read_text(path) or "").splitlines(), 1):
            header, assignment = _SECTION.match(line), _ASSIGNMENT.match(line)
            if header:
                section = header.group(1).strip()
            elif assignment and assignment.group(1) in keys:
                if section == jail:
                    in_jail = f"{path}:{number}"
                elif section == "DEFAULT" and after_own:
                    in_defaults = f"{path}:{number}"
    return in_jail or in_defaults
