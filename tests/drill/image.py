# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the drill's disks: a Debian box with a leaking worker, and the same box after the collection's playbook.

Each is made once and kept below .cache/drill, under a name with a hash of its contents. Once they exist, the drill
needs no internet: the packages that the roles install are in a folder on the box.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import subprocess

import yaml
from lab.machine import LabError, bootstrap_command, offering_hooks, run, say

from . import probes, virtual

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache" / "drill"
SIZE = "2500M"

# The packages of a small server, and the worker with its queue.
PACKAGES = [
    "systemd",
    "systemd-sysv",
    "dbus",
    "libpam-systemd",
    "udev",
    "kmod",
    "linux-image-cloud-amd64",
    "initramfs-tools",
    "zstd",
    "ifupdown",
    "openssh-server",
    "sudo",
    "cron",
    "python3",
    "python3-apt",
    "ruby-sidekiq",
    "redis-server",
]
# The packages that the roles install. The tools of diagnostic_tools are in the image, because they are no services.
OFFERED = ["monit", "earlyoom", "fail2ban", "nftables", "python3-systemd", "netbase"]
TOOLS = yaml.safe_load((ROOT / "roles/diagnostic_tools/vars/main.yml").read_text())["__diagnostic_tools_seed"]

MODULES = "virtio_pci virtio_blk virtio_net ext4"
HOOKS = (
    f"copy-in {HERE}/box/etc {HERE}/box/opt /",
    'chroot "$1" chown -R root:root /etc/fstab /etc/network/interfaces /etc/sysctl.d /etc/systemd/system /opt/crawler',
    'chroot "$1" useradd --system --home-dir /var/lib/crawler --create-home --key HOME_MODE=0755 crawler',
    # The operator who opens connections has no privileges, like the first user of a cloud image.
    'chroot "$1" useradd --create-home --shell /bin/bash ops',
    'chroot "$1" systemctl enable sidekiq.service redis-server.service',
    "echo box > $1/etc/hostname",
    f'printf "%s\\n" {MODULES} >> "$1/etc/initramfs-tools/modules"',
    "sed -i s/^MODULES=.*/MODULES=list/ $1/etc/initramfs-tools/initramfs.conf",
    'chroot "$1" update-initramfs -u',
    *offering_hooks([OFFERED]),
)


@dataclasses.dataclass(frozen=True)
class Image:
    """A box's disk, the kernel that boots it, and the SSH key for it."""

    path: pathlib.Path

    @property
    def disk(self):
        return self.path / "disk.img"

    @property
    def kernel(self):
        return self.path / "vmlinuz"

    @property
    def initrd(self):
        return self.path / "initrd.img"

    @property
    def key(self):
        return self.path / "key"

    @property
    def there(self):
        return self.path.exists()


def digest(*parts):
    """Return the name of an image: a hash of the texts and files that it is made of."""
    state = hashlib.sha256()
    for part in parts:
        if isinstance(part, pathlib.Path):
            state.update(str(part.relative_to(ROOT)).encode() + b"\0" + part.read_bytes())
        else:
            state.update(part.encode())
        state.update(b"\0")
    return state.hexdigest()[:12]


def files(*folders):
    return sorted(
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )


def shipped(suite):
    """Return the box as the distribution ships it, with the operator's worker. Make it if it doesn't exist."""
    tools = [tool["name"] for tool in TOOLS]
    image = Image(CACHE / f"shipped-{digest(suite, SIZE, *PACKAGES, *tools, *HOOKS[1:], *files('tests/drill/box'))}")
    if image.there:
        return image
    if os.geteuid() != 0:
        raise LabError("making the drill's disk needs root. Try again with sudo.")
    if run("dpkg", "--print-architecture") != "amd64":
        raise LabError("the drill's box is an amd64 one, and its packages can only be unpacked on such a machine")
    say("making the box's disk (once; about a minute)", "drill")
    with making(image) as made:
        root = made.path / "root"
        key = made.path / "key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lifeline-drill", "-f", str(key))
        opened = [
            (
                'for home in /root /home/ops; do mkdir -p "$1$home/.ssh" && '
                f'cp {key}.pub "$1$home/.ssh/authorized_keys"; done'
            ),
            'chroot "$1" chown -R ops:ops /home/ops',
            'chmod -R go= "$1/root/.ssh" "$1/home/ops/.ssh"',
        ]
        run(*bootstrap_command(suite, str(root), PACKAGES + tools, [*HOOKS, *opened], "--skip=cleanup/apt/lists"))
        for name in ("vmlinuz", "initrd.img"):
            shutil.copy(root / name, made.path / name)
        run("mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", str(root), str(made.disk), SIZE)
        shutil.rmtree(root)
    return image


def provisioned(shipped_image, folder, settings):
    """Return the same box after the user's playbook with a user's inventory. Make it if it doesn't exist."""
    sources = files("plugins", "roles", "playbooks", "tests/drill/inventory")
    image = Image(CACHE / f"provisioned-{digest(shipped_image.path.name, *sources)}")
    if image.there:
        return image
    say("making a copy of it by lifeline.fleet.crawler (once for each state of the collection)", "drill")
    with making(image) as made:
        for name in ("disk.img", "vmlinuz", "initrd.img", "key"):
            run("cp", "--sparse=always", str(shipped_image.path / name), str(made.path / name))
        with virtual.Machine("after", made, folder / "provisioning", settings["box"], writable=True) as machine:
            play(machine)
            machine.power_off()
    return image


def play(machine):
    """Run the playbook on the box, and print the role that is playing."""
    argv = ["ansible-playbook", *probes.connection(machine), "lifeline.fleet.crawler"]
    lines, role = [], None
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=probes.environment(),
    ) as playing:
        for line in playing.stdout:
            lines.append(line)
            at_work = re.match(r"TASK \[lifeline\.fleet\.(\w+) : ", line)
            if at_work and at_work[1] != role:
                role = at_work[1]
                say(f"role {role}", "drill")
    if playing.returncode:
        raise LabError(f"lifeline.fleet.crawler failed:\n{''.join(lines)[-5000:]}")


@contextlib.contextmanager
def making(image):
    """Yield a folder for a new image, which gets its name and replaces older images when it is complete."""
    unfinished = Image(image.path.with_name(f"{image.path.name}.{os.getpid()}"))
    unfinished.path.mkdir(parents=True)
    try:
        yield unfinished
    except BaseException:
        shutil.rmtree(unfinished.path, ignore_errors=True)
        raise
    for old in image.path.parent.glob(image.path.name.split("-")[0] + "-*"):
        if old != unfinished.path:
            shutil.rmtree(old)
    unfinished.path.rename(image.path)
