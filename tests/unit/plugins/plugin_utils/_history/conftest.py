# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest


@pytest.fixture
def path(tmp_path):
    """Return the path of a history that does not exist yet."""
    return str(tmp_path / "history.db")
