# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation that modules for actions, and modules without Python on the host, share."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Whether it can predict its changes.
    support: full
  diff_mode:
    description: Whether it shows differences.
    support: none
"""

    SHELL = r"""
options: {}
attributes:
  connection:
    description: The connection plugins that it works with.
    support: full
    details:
      - All that can run a command in a POSIX shell.
"""

    CONTROLLER = r"""
options: {}
attributes:
  connection:
    description: The connection plugins that it works with.
    support: none
    details:
      - It runs on the controller and never connects to the host.
"""
