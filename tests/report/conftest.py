# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide a small fleet, its page, and a browser."""

from __future__ import annotations

import pytest
from report import simulated
from report.browser import Browser
from report.pages import END, page_of


@pytest.fixture(scope="session")
def history(tmp_path_factory):
    """Write the history of a small fleet with one host of each kind, and return its path."""
    path = tmp_path_factory.mktemp("history") / "small.db"
    simulated.write(path, END, boxes=12, step=900)
    return path


@pytest.fixture(scope="session")
def page(history, tmp_path_factory):
    """Write the page of the small fleet, and return its path."""
    path = tmp_path_factory.mktemp("page") / "fleet.html"
    path.write_text(page_of(history), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.driver.quit()
