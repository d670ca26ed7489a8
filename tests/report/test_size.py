# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A large fleet: 200 boxes that were read every five minutes for a week."""

from __future__ import annotations

from report import simulated
from report.pages import END, page_of


def test_a_week_of_200_boxes_is_less_than_3_mb(browser, tmp_path):
    names = simulated.write(tmp_path / "large.db", END)
    page = page_of(tmp_path / "large.db")
    assert len(page.encode()) < 3_000_000
    file = tmp_path / "large.html"
    file.write_text(page, encoding="utf-8")
    browser.open(file)
    assert browser.ask("document.querySelectorAll('#fleet tbody tr').length") == len(names) == 200
    assert browser.ask("document.querySelectorAll('details.box').length") == 200
    assert browser.messages() == []
