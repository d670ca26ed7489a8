# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what is generated from the code: the rules for Prometheus, and the table of metrics in docs/metrics.md.

PYTHONPATH=tests:.cache/collections python -m metrics
"""

from __future__ import annotations

from pathlib import Path

from metrics import document, rules

ROOT = Path(__file__).resolve().parents[2]


def main():
    (ROOT / "extensions" / "prometheus" / "lifeline.rules.yml").write_text(rules.text(), encoding="utf-8")
    page = ROOT / "docs" / "metrics.md"
    page.write_text(document.updated(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
