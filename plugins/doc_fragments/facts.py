# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation that all fact modules share."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
author:
  - The Lifeline authors (@lifeline-fleet)
options: {}
notes:
  - Needs Python 3.8 or newer on the host, and only its standard library. If Python cannot start,
    M(lifeline.fleet.health) reads the same numbers with a POSIX shell.
  - If the variable C(lifeline_history) names a file on the controller, the numbers are recorded there, as by
    M(lifeline.fleet.health), but not in check mode and not if the task runs with C(async).
  - Works without root as far as the kernel allows, and returns how much it could not read.
"""

    ATTRIBUTES = r"""
attributes:
  check_mode:
    description: Runs in check mode and returns the same as without it.
    support: full
  diff_mode:
    description: Returns what has changed, or would change, in check mode.
    support: none
    details:
      - Nothing is ever changed.
  facts:
    description: Returns an C(ansible_facts) dictionary.
    support: full
  platform:
    description: The operating systems that the module runs on.
    support: full
    platforms: linux
"""
