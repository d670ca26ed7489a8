# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.fd_facts. Its manual is modules/fd_facts.py, which does the work on the box."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.facts_action import FactsAction


class ActionModule(FactsAction):
    pass
