# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's images: Debian releases with systemd, sshd, Redis and Sidekiq, and an apt archive of their own.

The archive holds what the roles and the scenarios install. apt on a host knows no other: a role installs through apt as
everywhere, and no scenario waits for the registry.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
import time

from machine import UNPACKED_NOT, LabError, bootstrap_command, offering_hooks, say
from sets import HERE, TABLE, alone_with, podman

IMAGE = "localhost/lifeline-lab"

PACKAGES = [
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "sudo",
    "python3",
    "python3-apt",
    "iproute2",
    "procps",
    "lsof",
    "ruby-sidekiq",
    "redis-server",
]
OPTIONS = ('--aptopt=Acquire::Languages "none"', "--skip=cleanup/apt/lists")
HOOKS = (
    f"copy-in {HERE}/box/opt {HERE}/box/etc {HERE}/box/usr /",
    'chroot "$1" chown -R root:root /opt /etc/sudoers.d /etc/systemd/system /usr/local/lib/lab',
    'chroot "$1" chmod 0440 /etc/sudoers.d/ops',
    'chroot "$1" useradd --create-home --shell /bin/bash ops',
    'chroot "$1" useradd --system crawler',
    'chroot "$1" systemctl disable redis-server.service',
    *offering_hooks(TABLE["offered"]),
)


def image_of(suite):
    """Return the image's name. Its tag depends on the recipe, so a change of the recipe makes another image."""
    parts = [suite, *PACKAGES, *UNPACKED_NOT, *HOOKS[1:], *OPTIONS]
    for path in sorted((HERE / "box").rglob("*")):
        if path.is_file():
            parts += [str(path.relative_to(HERE)), path.read_text()]
    return f"{IMAGE}:{suite}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:12]}"


def build(suite):
    """Make the image of a release if it is not there."""
    with alone_with(suite):
        image = image_of(suite)
        if subprocess.run(["podman", "image", "exists", image], check=False).returncode:
            say(f"{suite}: making the image (once; about a minute)")
            _make(suite, image)
            say(f"{suite}: image ready")


def _make(suite, image):
    command = bootstrap_command(suite, "-", PACKAGES, HOOKS, *OPTIONS)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as made:
        errors = []
        reader = threading.Thread(target=lambda: errors.append(made.stderr.read()))
        reader.start()
        imported = subprocess.run(
            ["podman", "import", "--quiet", "-", image],
            stdin=made.stdout,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        made.stdout.close()
        reader.join()
    if made.returncode or imported.returncode:
        podman("rmi", "--force", image, check=False)
        text = (errors[0] + imported.stderr).decode(errors="replace").strip()
        raise LabError(f"{suite}: no image, mmdebstrap said:\n{text[-2000:]}")


def drop_old(kept):
    """Drop images of older recipes after a day; podman keeps an image that a host still uses."""
    for image in json.loads(podman("images", "--format", "json", "--filter", f"reference={IMAGE}") or "[]"):
        if time.time() - image["Created"] > 86400 and not kept & set(image["Names"]):
            podman("rmi", image["Id"], check=False)


def drop_all():
    """Drop all images of the lab."""
    for image in podman("images", "--quiet", "--filter", f"reference={IMAGE}").split():
        podman("rmi", image, check=False)
        say(f"image {image}: gone")
