# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine that boxes are made on: its programs, and the Debian archive that it is set up with."""

from __future__ import annotations

import pathlib
import shlex
import shutil
import subprocess
import sys
import threading
import time

# Documentation is half of what the boxes' packages hold.
UNPACKED_NOT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/ri/*")

_START = time.monotonic()
_PRINT = threading.Lock()


class LabError(Exception):
    """Something that the user can put right; the text says how."""


def say(text, who="lab"):
    with _PRINT:
        print(f"{who} {time.monotonic() - _START:5.1f}s  {text}", file=sys.stderr, flush=True)


def run(*argv, check=True, **options):
    """The standard output of a program, stripped. A failure tells what the program said."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, **options)
    if check and done.returncode:
        said = done.stderr.strip()[-2000:]
        raise LabError(f"{shlex.join(map(str, argv[:4]))} ... failed with {done.returncode}:\n{said}")
    return done.stdout.strip()


def require(programs):
    """Refuse to go on without these programs; the dictionary says which package brings each."""
    missing = sorted({package for program, package in programs.items() if not shutil.which(program)})
    if not pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg").exists():
        missing.append("debian-archive-keyring")
    if missing:
        raise LabError(f"this needs what is missing here: apt-get install {' '.join(missing)}")


def ssh_arguments(key, known_hosts):
    """How SSH reaches a box that was made just now, by nothing that the user has set up for other hosts."""
    return (
        f"-F /dev/null -i {key} -o IdentitiesOnly=yes -o StrictHostKeyChecking=accept-new "
        f"-o UserKnownHostsFile={known_hosts} -o LogLevel=ERROR"
    )


def apt_source():
    """The address of the Debian archive that this machine is set up with, None where it has none (Ubuntu)."""
    lines = pathlib.Path("/etc/os-release").read_text().splitlines()
    release = dict(line.replace('"', "").split("=", 1) for line in lines if "=" in line)
    if release.get("ID") != "debian":
        return None
    codename = release.get("VERSION_CODENAME")
    listed = run(
        "apt-get",
        "indextargets",
        "--format",
        "$(ORIGIN)|$(LABEL)|$(RELEASE)|$(COMPONENT)|$(REPO_URI)",
        "Identifier: Packages",
    )
    targets = [line.split("|") for line in listed.splitlines()]
    # ORIGIN and LABEL come from the archive itself; they are unknown until the first apt-get update.
    for known in (lambda t: t[:2] == ["Debian", "Debian"], lambda t: t[2:4] == [codename, "main"]):
        for target in filter(known, targets):
            return target[4]
    return None


def bootstrap_command(suite, target, packages, hooks, *options):
    """The mmdebstrap command for a root file system of a Debian release, with what the hooks add to it, but no documentation."""
    command = [
        "nice",
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={','.join(packages)}",
        # Old and testing releases' lists can be past their date.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        '--aptopt=APT::Install-Recommends "false"',
    ]
    command += [f"--dpkgopt=path-exclude={path}" for path in UNPACKED_NOT]
    command += [f"--customize-hook={hook}" for hook in hooks]
    source = apt_source()
    return [*command, *options, suite, target, *([source] if source else [])]
