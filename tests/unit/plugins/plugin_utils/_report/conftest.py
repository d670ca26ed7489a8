# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History


@pytest.fixture
def history(tmp_path):
    """Return an open history without a bound on the age of its readings."""
    with History(str(tmp_path / "history.db"), create=True, days=None) as opened:
        yield opened
