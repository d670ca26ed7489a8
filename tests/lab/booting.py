# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot the hosts of a set: one podman container each, ready when it accepts SSH and is in its kind's state."""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
import threading
import time

from images import image_of
from machine import LabError, run, say, ssh_arguments
from sets import CLONE, LABEL, cgroup_version, podman

# A host's first process: its own machine-id, keys and units, then init. On a machine with cgroup v1, systemd gets a
# cgroup v2 tree of its own, and the host's v1 memory controller is at its usual place.
BOOT = r"""
set -e
tr -d - < /proc/sys/kernel/random/uuid > /etc/machine-id
for home in /root /home/ops; do
    mkdir -p "$home/.ssh"
    echo "$LAB_KEY" > "$home/.ssh/authorized_keys"
    chmod -R go= "$home/.ssh"
    chown -R "$(stat -c %u:%g "$home")" "$home/.ssh"
done
units=/etc/systemd/system
for unit in $LAB_UNITS $LAB_INSTALLED; do
    [ ! -e "/usr/local/lib/lab/units/$unit" ] || cp "/usr/local/lib/lab/units/$unit" $units/
done
mkdir -p $units/multi-user.target.wants
for unit in $LAB_UNITS; do
    for folder in /etc /usr/lib /lib; do
        [ ! -e "$folder/systemd/system/$unit" ] || path="$folder/systemd/system/$unit"
    done
    ln -sf "$path" $units/multi-user.target.wants/
done
if [ "$LAB_CGROUP" = 2 ]; then exec /sbin/init; fi
umount -R /sys/fs/cgroup
exec unshare --cgroup sh -ec '
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mkdir /sys/fs/cgroup/memory
    mount -t cgroup -o memory cgroup /sys/fs/cgroup/memory
    exec /sbin/init'
"""
# Capabilities of root on a real host that a container lacks by default. The runtime leaves out a capability that this
# machine does not have itself: without CAP_SYS_RESOURCE, sshd cannot protect itself from the OOM killer.
CAPABILITIES = "SYS_ADMIN,NET_ADMIN,NET_RAW,SYS_PTRACE,SYS_RESOURCE"

# Seconds until a host counts as broken. A busy machine takes a minute for what an idle one does in five seconds.
PATIENCE = 600

_KNOWN_HOSTS = threading.Lock()


def start(lab, box, number, address, existing):
    """Boot a host, unless it runs already as it should, and wait until it is ready."""
    arguments = _create_arguments(lab, box, number, address)
    spec = hashlib.sha256("\0".join(map(str, arguments)).encode()).hexdigest()[:12]
    name = f"{LABEL}-{CLONE}-{box.name}"
    if existing and (existing["lifeline-lab.spec"] != spec or box.kind.power and existing["state"] != "running"):
        podman("rm", "--force", "--time", "0", name)
        existing = None
    if box.kind.disk_mib:
        _mount_disk(lab, box)
    if not existing:
        _forget(lab, address)
        runtime = ["--runtime", "runc"] if cgroup_version() == 1 else []
        podman(*runtime, "create", "--name", name, "--label", f"lifeline-lab.spec={spec}", *map(str, arguments))
        if box.kind.power:
            # After an OOM kill, conmon leaves a file "oom" in the directory that it was started from.
            podman(*runtime, "start", name, cwd=lab.run)
    if box.kind.power:
        _wait_ready(lab, box, address)
    say(f"{box.name} ({box.suite}, {address}): {box.kind.purpose}")


def close_connections(lab):
    """End the SSH connections that stay open between two commands."""
    for socket in lab.run.glob("cp/*"):
        run("ssh", "-F", "/dev/null", "-O", "exit", "-o", f"ControlPath={socket}", "lab", check=False)


def _create_arguments(lab, box, number, address):
    kind = box.kind
    environment = {
        **kind.env,
        "LAB_UNITS": " ".join(kind.units),
        "LAB_INSTALLED": " ".join(kind.installed),
        "LAB_CGROUP": str(cgroup_version()),
        "LAB_KEY": lab.key.with_suffix(".pub").read_text().strip(),
    }
    told = {
        "box": box.name,
        "kind": kind.name,
        "number": number,
        "suite": box.suite,
        "purpose": kind.purpose,
        "address": address,
        "login": box.login,
        "vars": json.dumps(kind.vars),
    }
    # After a reboot with a new MAC, the host would be unreachable for half a minute, until the old one is forgotten.
    mac = "02:00:" + ":".join(f"{int(octet):02x}" for octet in address.split("."))
    arguments = ["--hostname", box.name, "--network", lab.id, "--ip", address, "--mac-address", mac, "--systemd=always"]
    # Equal limits: no swap for the host, whatever this machine has.
    arguments += ["--memory", kind.memory, "--memory-swap", kind.memory]
    arguments += ["--cap-add", CAPABILITIES, "--security-opt", "apparmor=unconfined"]
    # runc cannot raise the limits that it would set by default.
    arguments += ["--ulimit", "nofile=1024:20000", "--ulimit", "nproc=4096:8192"]
    if kind.kernel_log:
        arguments += ["--cap-add", "SYSLOG", "--device", "/dev/kmsg"]
    if kind.disk_mib:
        arguments += ["--volume", f"{lab.run / box.name}:/data"]
    for name, value in environment.items():
        arguments += ["--env", f"{name}={value}"]
    for name, value in {LABEL: lab.id, **{f"{LABEL}.{name}": value for name, value in told.items()}}.items():
        arguments += ["--label", f"{name}={value}"]
    return [*arguments, image_of(box.suite), "/bin/sh", "-c", BOOT]


def _mount_disk(lab, box):
    """Mount the host's own disk on this machine: an ext4 image, made if it is missing."""
    point = lab.run / box.name
    if not point.is_mount():
        image = lab.run / f"{box.name}.img"
        with image.open("wb") as stream:
            stream.truncate(box.kind.disk_mib << 20)
        run("mkfs.ext4", "-q", "-F", str(image))
        point.mkdir(parents=True, exist_ok=True)
        run("mount", "-o", "loop", str(image), str(point))


def _forget(lab, address):
    """Forget the host key of the host that had this address before, and close the connection to it."""
    with _KNOWN_HOSTS:
        if lab.known_hosts.exists():
            run("ssh-keygen", "-q", "-R", address, "-f", str(lab.known_hosts), check=False)
        close_connections(lab)


def _wait_ready(lab, box, address):
    """Wait until the host accepts SSH, has booted, and is in the trouble that its kind wants."""
    command = ["ssh", *shlex.split(ssh_arguments(lab.key, lab.known_hosts)), "-o", "ConnectTimeout=5"]
    command += ["-o", "BatchMode=yes", f"root@{address}"]
    command += [f"systemctl is-system-running --wait >/dev/null; {box.kind.ready}"]
    deadline = time.monotonic() + PATIENCE
    while True:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode == 0:
            return
        if time.monotonic() > deadline:
            raise LabError(
                f"{box.name} is not ready after {PATIENCE} s; look at it with: podman exec -it "
                f"{LABEL}-{CLONE}-{box.name} journalctl -b\n{done.stdout.strip()[-500:]}"
            )
        time.sleep(0.5)
