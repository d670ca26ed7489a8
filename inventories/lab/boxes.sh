#!/usr/bin/env python3
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boxes of the lab that are up now, as podman knows them."""

from __future__ import annotations

import os
import pathlib
import sys

lab = pathlib.Path(__file__).resolve().parent.parent.parent / "tests" / "lab" / "lab.py"
os.execv(sys.executable, [sys.executable, str(lab), "inventory"])
