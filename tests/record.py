# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record a host for the tests: run the probe of health on it and write what it read to a folder below tests/boxes.

    python3 tests/record.py debian-13 ssh root@host
    python3 tests/record.py this-machine sh -c

The command gets the probe's script as its last argument. Read the files before you publish them: they contain the
host's command lines.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".cache" / "collections"))

from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import health as health_probe, health_answer  # noqa: E402 - the path comes first


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    name, command = sys.argv[1], sys.argv[2:]
    done = subprocess.run([*command, health_probe.script(timeout=2)], stdout=subprocess.PIPE, check=True)
    for source, text in health_answer.sources(done.stdout.decode("utf-8", "surrogateescape")).items():
        path = ROOT / "tests" / "boxes" / name / source.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
