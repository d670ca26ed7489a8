# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages are installed, by dpkg's own word. Apt would read all that it could install before it answered."""

from __future__ import annotations


def missing(module, packages):
    """Those of V(packages) that are not installed as a whole. Where there is no dpkg to ask, V(module) fails."""
    if not packages:
        return []
    query = module.get_bin_path("dpkg-query")
    if query is None:
        module.fail_json(msg="there is no dpkg-query on this box: packages are known on Debian and its like only")
    # It ends with an error where it doesn't know one of them, and has told of the others.
    _code, out, _err = module.run_command([query, "-W", "-f", "${db:Status-Status} ${Package}\n", *packages])
    installed = {line.partition(" ")[2] for line in out.splitlines() if line.startswith("installed ")}
    return [package for package in packages if package not in installed]
