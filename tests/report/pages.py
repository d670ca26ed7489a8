# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render pages for the tests, independently of this machine's clock."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import gather, page as report_page

END = 1795257600.0
MADE = END + 40


def page_of(path, names=None, fresh=None, days=7, groups=None):
    """Return the page of a history."""
    with History(path) as history:
        return report_page.render(gather.gather(names or history.boxes(), fresh or {}, history, MADE, days, groups))
