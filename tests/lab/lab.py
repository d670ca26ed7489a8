# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot a few real hosts to look at: Debian with systemd and a real sshd, some of them in trouble.

    python tests/lab/lab.py up [--set lab|facts|bench] [--suites bookworm,trixie]
    python tests/lab/lab.py status|inventory|down [--set ...]
    python tests/lab/lab.py images|missing [--set ...] [--suites ...]
    python tests/lab/lab.py down --images       also drops the images, which are kept otherwise

boxes.toml describes the sets. A host is a podman container of an image that mmdebstrap makes from this machine's own
apt source. podman is the lab's only memory. Keys, known hosts and control sockets are in /run/lifeline-lab and end with
the lab; images are kept. Everything that this tool makes carries the label lifeline-lab. It touches nothing else, but
raises fs.inotify.max_user_instances while a lab is up, if it is too low for this many systemds.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys

import booting
import images
from inventory import inventory
from machine import LabError, require, run, say
from sets import LABEL, RUN, TABLE, Lab, alone_with, cgroup_version, podman

INOTIFY = pathlib.Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_WANTED = 2048
INOTIFY_BEFORE = RUN / "max_user_instances.before"


def check_machine():
    """Refuse to go on without root or a program that the lab needs."""
    if os.geteuid() != 0:
        raise LabError("this needs root: it boots hosts with systemd and mounts a disk; try again with sudo")
    needed = {"podman": "podman", "mmdebstrap": "mmdebstrap", "ssh": "openssh-client", "mkfs.ext4": "e2fsprogs"}
    if cgroup_version() == 1:
        needed["runc"] = "runc"  # crun refuses cgroup v1
    require(needed)


def raise_inotify():
    """Raise the limit of inotify instances. Each systemd takes a dozen, all as root: with 128, the sixth host fails."""
    before = int(INOTIFY.read_text())
    if before < INOTIFY_WANTED:
        say(f"fs.inotify.max_user_instances: {before} -> {INOTIFY_WANTED} (lab down restores it)")
        if not INOTIFY_BEFORE.exists():
            INOTIFY_BEFORE.write_text(str(before))
        INOTIFY.write_text(str(INOTIFY_WANTED))


def restore_inotify():
    """Restore the limit when no lab is left; a lab has a network before it has hosts."""
    if INOTIFY_BEFORE.exists() and not podman("network", "ls", "--quiet", "--filter", f"label={LABEL}"):
        say(f"fs.inotify.max_user_instances: back to {INOTIFY_BEFORE.read_text()}")
        INOTIFY.write_text(INOTIFY_BEFORE.read_text())
        INOTIFY_BEFORE.unlink()


def up(lab, suites):
    """Boot the hosts of a set that do not run yet."""
    check_machine()
    boxes = lab.boxes(suites)
    # Ansible and the tests' own ssh share these sockets.
    (lab.run / "cp").mkdir(parents=True, exist_ok=True)
    if not lab.key.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", lab.id, "-f", str(lab.key))
    with alone_with("machine"):
        raise_inotify()
        if subprocess.run(["podman", "network", "exists", lab.id], check=False).returncode:
            # Without a name server: the hosts don't call each other.
            podman("network", "create", "--disable-dns", "--label", f"{LABEL}={lab.id}", lab.id)
    subnet = json.loads(podman("network", "inspect", lab.id))[0]["subnets"][0]["subnet"]
    addresses = [subnet.rsplit(".", 1)[0] + f".{10 + number}" for number in range(len(boxes))]
    existing = lab.containers()
    for stray in existing.keys() - {box.name for box in boxes}:
        podman("rm", "--force", "--time", "0", existing[stray]["container"])
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(images.build, sorted({box.suite for box in boxes})))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        starts = [
            pool.submit(booting.start, lab, box, number, addresses[number], existing.get(box.name))
            for number, box in enumerate(boxes)
        ]
        for started in starts:
            started.result()
    images.drop_old({images.image_of(suite) for suite in suites})
    say(f"{len(boxes)} boxes are up: ansible {lab.name} -i inventories/lab -m lifeline.fleet.health")


def status(lab):
    """Print the hosts of a set."""
    boxes = lab.containers()
    if not boxes:
        print(f"lab {lab.name}: not up" + ("" if os.geteuid() == 0 else " (a lab is root's: to see it, be root)"))
    for name, box in boxes.items():
        print(
            f"{name:16} {box['lifeline-lab.suite']:9} {box['lifeline-lab.address']:15} {box['state']:8} "
            f"{box['lifeline-lab.purpose']}"
        )


def missing(lab, suites):
    """Return the names of the hosts of a set that do not run as they should on these releases."""
    there = {
        name: box["lifeline-lab.suite"]
        for name, box in lab.containers().items()
        if box["state"] in ("running", "created")
    }
    return [box.name for box in lab.boxes(suites) if there.get(box.name) != box.suite]


def down(lab, with_images):
    """Remove the hosts of a set and everything that was made for them."""
    if not shutil.which("podman") or os.geteuid() != 0 and not RUN.exists():
        return  # No lab has ever been booted here.
    check_machine()
    for name, box in lab.containers().items():
        podman("rm", "--force", "--time", "0", "--volumes", box["container"])
        say(f"{name}: gone")
    if lab.run.exists():
        for path in sorted(lab.run.iterdir()):
            if path.is_mount():
                run("umount", str(path))  # This frees its loop device.
        booting.close_connections(lab)
        shutil.rmtree(lab.run)
    with alone_with("machine"):
        if subprocess.run(["podman", "network", "exists", lab.id], check=False).returncode == 0:
            podman("network", "rm", lab.id)
        restore_inotify()
    if with_images:
        images.drop_all()


def main():
    parser = argparse.ArgumentParser(description="Boot a few real hosts to look at, some of them in trouble.")
    parser.add_argument("command", choices=("up", "down", "status", "missing", "inventory", "images"))
    parser.add_argument("--set", choices=(*TABLE["sets"], "all"), help="which boxes of boxes.toml (default: lab)")
    parser.add_argument(
        "--suites",
        default=os.environ.get("LAB_SUITES"),
        help="Debian releases, by comma: bullseye, bookworm, trixie, forky (default: $LAB_SUITES, else boxes.toml)",
    )
    parser.add_argument("--images", action="store_true", help="down: drop the images, too")
    options = parser.parse_args()
    reading = options.command in ("status", "inventory")
    chosen = options.set or ("all" if reading else "lab")
    labs = [Lab(name) for name in (TABLE["sets"] if chosen == "all" else [chosen])]
    asked = options.suites.replace(",", " ").split() if options.suites else None
    try:
        if options.command == "inventory":
            print(json.dumps(inventory(labs), indent=2))
        for lab in labs:
            if options.command == "up":
                up(lab, asked or lab.suites)
            elif options.command == "down":
                down(lab, options.images)
            elif options.command == "status":
                status(lab)
            elif options.command == "missing":
                print("\n".join(missing(lab, asked or lab.suites)))
            elif options.command == "images":
                check_machine()
                for box in lab.boxes(asked or lab.suites):
                    images.build(box.suite)
    except (LabError, FileNotFoundError) as error:
        sys.exit(f"lab: {error}")


if __name__ == "__main__":
    main()
