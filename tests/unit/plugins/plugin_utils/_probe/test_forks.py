# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forks do not collect the garbage of the run that they come from."""

from __future__ import annotations

import gc

from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import forks


def test_what_is_there_is_frozen():
    before = gc.get_freeze_count()
    kept = [[] for _number in range(1000)]
    try:
        forks.spare()
        assert gc.get_freeze_count() >= before + len(kept)
    finally:
        gc.unfreeze()
