# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test sanity, without ignores, on the oldest supported ansible-core and on the newest.

A core is left out, and named, if this machine has no Python for it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import interpreters

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / ".cache" / "sanity"

# Each ansible-core with the Pythons that run it on the controller, in order of preference.
CORES = {"2.19": ("3.11", "3.12", "3.13"), "2.21": ("3.13", "3.12", "3.14")}


def main():
    ran = [core for core, pythons in CORES.items() if sanity(core, pythons)]
    if not ran:
        sys.exit("no ansible-core could be tested: this needs Python 3.11 or newer, with venv")


def sanity(core, pythons):
    """Run the sanity tests of an ansible-core; return False if this machine has no Python for it."""
    version = next((version for version in pythons if interpreters.find(version)), None)
    if version is None:
        print(
            f"==> left out: ansible-core {core}, for which this machine has none of Python {', '.join(pythons)}",
            flush=True,
        )
        return False
    print(f"==> ansible-test sanity of ansible-core {core} on Python {version}", flush=True)
    place = PLACE / core
    ansible_test = place / "venv" / "bin" / "ansible-test"
    if not ansible_test.exists():
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([interpreters.find(version), "-m", "venv", place / "venv"], check=True)
        subprocess.run(
            [place / "venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", f"ansible-core=={core}.*"],
            check=True,
        )
    lend_pip(place)
    ran = subprocess.Popen(
        [ansible_test, "sanity", "--venv", "--python", version, "--color", "no"],
        cwd=copy(place),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(os.environ, HOME=str(place / "home"), PATH=f"{place / 'venv/bin'}:{os.environ['PATH']}"),
    )
    left_out = []
    for line in ran.stdout:
        print(line, end="", flush=True)
        # It skips tests that it cannot run, with a warning and exit code 0.
        if "All targets skipped" in line or "Required program" in line:
            left_out.append(line.strip())
    if ran.wait() != 0 or left_out:
        reasons = "".join(f"; {line}" for line in dict.fromkeys(left_out))
        sys.exit(f"ansible-test sanity of ansible-core {core} failed{reasons}")
    return True


def copy(place):
    """Copy the collection to a folder of the name that ansible-test wants, which may be no link; return that folder."""
    collection = place / "ansible_collections" / "lifeline" / "fleet"
    shutil.rmtree(collection, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, target = ROOT / name, collection / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    # ansible-test asks git for the files, and this repository ignores the copy.
    subprocess.run(["git", "init", "--quiet"], cwd=collection, check=True)
    return collection


def lend_pip(place):
    """Put Python's own pip where ansible-test caches the one that it would download."""
    requirements = next(place.glob("venv/lib/python3.*/site-packages/ansible_test/_internal/python_requirements.py"))
    for version in re.findall(r"\bpip='([\d.]+)'", requirements.read_text()):
        cached = place / "home/.ansible/test/cache" / (f"get_pip_{version.replace('.', '_')}.py")
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_text("import ensurepip\nensurepip.bootstrap(upgrade=True)\n")


if __name__ == "__main__":
    main()
