# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules that do something, or look without Python, say of themselves in the same words."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Whether it can tell what would be done.
    support: full
  diff_mode:
    description: Whether it shows what differs.
    support: none
"""

    SHELL = r"""
options: {}
attributes:
  connection:
    description: The connection plugins that it works through.
    support: full
    details:
      - All that can run a command in a POSIX shell.
"""

    CONTROLLER = r"""
options: {}
attributes:
  connection:
    description: The connection plugins that it works through.
    support: none
    details:
      - It runs on the controller, and never connects to the box.
"""
