# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible asks each box from a fork of its own, which begins with all that the run has in its memory."""

from __future__ import annotations

import gc


def spare():
    """Have forks leave alone what is there now, when an action is loaded and before the first of them.

    Python looks through all of it for garbage every so many objects. Where that falls to the forks, and it does so to all of them or to
    none, each makes a copy of it: 25 ms of CPU time a box.
    """
    gc.freeze()
