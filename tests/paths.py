# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name the paths of the repository that several tests use."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BOXES = ROOT / "tests" / "boxes"
HUNG_MOUNTS = ROOT / "tests" / "unit" / "helpers" / "hung_mounts.py"
