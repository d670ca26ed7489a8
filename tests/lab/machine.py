# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine that hosts are made on: its programs, and the Debian archive that it is set up with."""

from __future__ import annotations

import pathlib
import shlex
import shutil
import subprocess
import sys
import threading
import time

# Documentation is half of the hosts' packages.
UNPACKED_NOT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/ri/*")

_START = time.monotonic()
_PRINT = threading.Lock()


class LabError(Exception):
    """A failure that the user can fix; the text says how."""


def say(text, who="lab"):
    """Print what is being done, with the seconds since the start."""
    with _PRINT:
        print(f"{who} {time.monotonic() - _START:5.1f}s  {text}", file=sys.stderr, flush=True)


def run(*argv, check=True, **options):
    """Return the standard output of a program, stripped; raise LabError with its error output if it fails."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, **options)
    if check and done.returncode:
        said = done.stderr.strip()[-2000:]
        raise LabError(f"{shlex.join(map(str, argv[:4]))} ... failed with {done.returncode}:\n{said}")
    return done.stdout.strip()


def require(programs):
    """Raise LabError if a program is missing; the dictionary has the package of each program."""
    missing = sorted({package for program, package in programs.items() if not shutil.which(program)})
    if not pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg").exists():
        missing.append("debian-archive-keyring")
    if missing:
        raise LabError(f"packages are missing: apt-get install {' '.join(missing)}")


def ssh_arguments(key, known_hosts):
    """Return the options with which ssh reaches a new host and ignores the user's own configuration."""
    return (
        f"-F /dev/null -i {key} -o IdentitiesOnly=yes -o StrictHostKeyChecking=accept-new "
        f"-o UserKnownHostsFile={known_hosts}"
    )


def apt_source():
    """Return the address of the Debian archive that this machine uses, or None if it uses none (Ubuntu)."""
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
    """Return the mmdebstrap command for a root file system of a Debian release, with the hooks' additions."""
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


def offering_hooks(groups):
    """Return mmdebstrap hooks that give the root file system an apt archive with these packages, and no other.

    A package that the release does not have is left out. Those of a group are downloaded with what they need beyond the
    root file system, as if they were installed together.
    """
    known = 'chroot "$1" apt-cache pkgnames > "$1/known"'
    download = "apt-get install --yes --download-only --no-install-recommends"
    groups = [f'chroot "$1" {download} $(printf "%s\\n" {" ".join(group)} | grep -Fxf "$1/known")' for group in groups]
    # Without the version: apt would take the %3a of an epoch for a colon.
    named = 'rm "$1/known"; mkdir "$1/srv/packages" && cd "$1/var/cache/apt/archives" && '
    named += 'for deb in *.deb; do mv "$deb" "$1/srv/packages/${deb%%_*}.deb"; done'
    # An index as apt-ftparchive would write it, with nothing but dpkg.
    index = 'cd "$1/srv/packages" && for deb in *.deb; do dpkg-deb --field "$deb" && '
    index += 'printf "Filename: ./%s\\nSize: %s\\nSHA256: %s\\n\\n" "$deb" '
    index += '"$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -c-64)"; done > Packages'
    return (
        known,
        *groups,
        named,
        index,
        'rm -rf "$1"/etc/apt/sources.list.d/* "$1"/var/lib/apt/lists/*',
        "echo 'deb [trusted=yes] file:/srv/packages ./' > $1/etc/apt/sources.list",
        'chroot "$1" apt-get -q update',
    )
