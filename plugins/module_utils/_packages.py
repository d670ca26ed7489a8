# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask dpkg which packages are installed. Apt would first read the lists of all that it could install."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Sequence

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def missing(module: AnsibleModule, packages: Sequence[str]) -> List[str]:
    """Return the packages that are not fully installed. The module fails if there is no dpkg to ask."""
    if not packages:
        return []
    query = module.get_bin_path("dpkg-query")
    if query is None:
        module.fail_json(msg="dpkg-query: not found; packages can be managed on Debian and its derivatives only")
    # It fails if it does not know one of them, but still prints the others.
    _code, out, _err = module.run_command([query, "-W", "-f", "${db:Status-Status} ${Package}\n", *packages])
    installed = {line.partition(" ")[2] for line in out.splitlines() if line.startswith("installed ")}
    return [package for package in packages if package not in installed]
