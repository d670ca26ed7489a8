# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boots a few real boxes to look at: Debian with systemd and a real sshd, some of them in trouble.

    python tests/lab/lab.py up [--set lab|facts|bench] [--suites bookworm,trixie]
    python tests/lab/lab.py status|inventory|down [--set ...]
    python tests/lab/lab.py down --images       also drops the images, which are kept otherwise

Which boxes there are, boxes.toml says. A box is a podman container of an image that mmdebstrap makes of this machine's
own apt source. What podman knows is the lab's only memory: the inventory is read from the containers' labels, so that
it can't go stale. Key, known hosts and control sockets are in /run/lifeline-lab and end with the lab; images are kept.
What this tool makes carries the label lifeline-lab, and it touches nothing else, but for fs.inotify.max_user_instances,
which is raised while a lab is up where it is too low for this many systemds.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import itertools
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import threading
import time
import tomllib

from machine import UNPACKED_NOT, LabError, bootstrap_command, require, run, say, ssh_arguments

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# Two clones of the project on one machine don't get into each other's way.
CLONE = hashlib.sha256(str(ROOT).encode()).hexdigest()[:4]
RUN = pathlib.Path("/run/lifeline-lab")
LABEL = "lifeline-lab"
IMAGE = "localhost/lifeline-lab"
TABLE = tomllib.loads((HERE / "boxes.toml").read_text())

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
# Apt knows what there is to install, as on a box that has been up for a day: each box would spend seconds on finding out.
IMAGE_OPTIONS = ('--aptopt=Acquire::Languages "none"', "--skip=cleanup/apt/lists")
IMAGE_HOOKS = (
    f"copy-in {HERE}/box/opt {HERE}/box/etc {HERE}/box/usr /",
    'chroot "$1" chown -R root:root /opt /etc/sudoers.d /etc/systemd/system /usr/local/lib/lab',
    'chroot "$1" chmod 0440 /etc/sudoers.d/ops',
    'chroot "$1" useradd --create-home --shell /bin/bash ops',
    'chroot "$1" useradd --system crawler',
    'chroot "$1" systemctl disable redis-server.service',
)

# A box's first process: its own machine-id, keys and units, then init. On a host with cgroup v1, systemd gets a cgroup
# v2 tree of its own, and the box's v1 memory controller is where it is on a machine that has one.
BOOT = r"""
set -e
tr -d - < /proc/sys/kernel/random/uuid > /etc/machine-id
for home in /root /home/ops; do
    mkdir -p "$home/.ssh"
    echo "$LAB_KEY" > "$home/.ssh/authorized_keys"
    chmod -R go= "$home/.ssh"
    chown -R "$(stat -c %u:%g "$home")" "$home/.ssh"
done
mkdir -p /etc/systemd/system/multi-user.target.wants
for unit in $LAB_UNITS; do
    for folder in /etc /usr/lib /lib; do
        [ ! -e "$folder/systemd/system/$unit" ] || path="$folder/systemd/system/$unit"
    done
    ln -sf "$path" /etc/systemd/system/multi-user.target.wants/
done
if [ "$LAB_CGROUP" = 2 ]; then exec /sbin/init; fi
umount -R /sys/fs/cgroup
exec unshare --cgroup sh -ec '
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mkdir /sys/fs/cgroup/memory
    mount -t cgroup -o memory cgroup /sys/fs/cgroup/memory
    exec /sbin/init'
"""
# What root of a real box may do, and a container's may not by default. A capability that this machine doesn't have
# itself is left out by the runtime: without CAP_SYS_RESOURCE, sshd can't protect itself from the OOM killer.
CAPABILITIES = "SYS_ADMIN,NET_ADMIN,NET_RAW,SYS_PTRACE,SYS_RESOURCE"

_KNOWN_HOSTS = threading.Lock()


def podman(*argv, **options):
    return run("podman", *argv, **options)


@contextlib.contextmanager
def alone_with(what):
    """Keep other runs of this tool from doing the same meanwhile."""
    RUN.mkdir(exist_ok=True)
    with (RUN / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@functools.cache
def cgroup_version():
    return 2 if pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1


@dataclasses.dataclass
class Kind:
    name: str
    purpose: str
    memory: str
    suite: str | None = None
    units: list[str] = dataclasses.field(default_factory=list)
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    vars: dict[str, str] = dataclasses.field(default_factory=dict)
    ready: str = "true"
    kernel_log: bool = False  # may read the kernel log: the whole host's, so no other box may
    disk_mib: int = 0  # size of the ext4 file system of its own at /data
    power: bool = True  # False: made, but never started


@dataclasses.dataclass
class Box:
    name: str
    kind: Kind
    suite: str


class Lab:
    """The boxes of one set, for one clone of the project."""

    def __init__(self, name):
        self.name = name
        self.id = f"{LABEL}-{CLONE}-{name}"
        self.run = RUN / f"{CLONE}-{name}"
        self.key = self.run / "key"
        self.known_hosts = self.run / "known_hosts"

    def boxes(self, suites):
        entry = TABLE["sets"][self.name]
        kinds = {name: Kind(name, **fields) for name, fields in TABLE["kinds"].items()}
        boxes = [
            Box(f"{self.name}-{suite}", kinds[entry["each_suite"]], suite)
            for suite in (suites if "each_suite" in entry else ())
        ]
        taken = itertools.cycle(suites)
        count = {name: itertools.count(1) for name in kinds}
        for name in entry["boxes"]:
            label = name if entry["boxes"].count(name) == 1 else str(next(count[name]))
            boxes.append(Box(f"{self.name}-{label}", kinds[name], kinds[name].suite or next(taken)))
        return boxes

    def containers(self, listed=None):
        """What podman knows of this lab: each box's labels, with its state and its container's name added."""
        listed = [one for one in (podman_lists() if listed is None else listed) if one["Labels"][LABEL] == self.id]
        # podman believes that a box runs on whose monitor was killed, as at the end of some CI jobs.
        boxes = [
            {
                **one["Labels"],
                "container": one["Names"][0],
                "state": "gone"
                if one["State"] == "running" and not pathlib.Path(f"/proc/{one['Pid']}").exists()
                else one["State"],
            }
            for one in listed
        ]
        return {box["lifeline-lab.box"]: box for box in sorted(boxes, key=lambda box: int(box["lifeline-lab.number"]))}


def podman_lists():
    """The boxes of all labs on this machine, as podman has them."""
    if os.geteuid() != 0 or not shutil.which("podman"):
        return []
    return json.loads(podman("ps", "--all", "--filter", f"label={LABEL}", "--format", "json") or "[]")


# --- images ---------------------------------------------------------------------------------------------------------


def image_of(suite):
    """The image's name: its tag is what goes into it, so that a change of any of it makes another."""
    parts = [suite, *PACKAGES, *UNPACKED_NOT, *IMAGE_HOOKS[1:], *IMAGE_OPTIONS]
    for path in sorted((HERE / "box").rglob("*")):
        if path.is_file():
            parts += [str(path.relative_to(HERE)), path.read_text()]
    return f"{IMAGE}:{suite}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:12]}"


def build_image(suite):
    with alone_with(suite):
        make_image(suite, image_of(suite))


def make_image(suite, image):
    if subprocess.run(["podman", "image", "exists", image], check=False).returncode == 0:
        return
    say(f"{suite}: making the image (once; about a minute)")
    command = bootstrap_command(suite, "-", PACKAGES, IMAGE_HOOKS, *IMAGE_OPTIONS)
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
    say(f"{suite}: image ready")


def drop_old_images(kept):
    """Drop what a day of changes to the recipe has left behind; an image that a box still uses stays."""
    for image in json.loads(podman("images", "--format", "json", "--filter", f"reference={IMAGE}") or "[]"):
        if time.time() - image["Created"] > 86400 and not kept & set(image["Names"]):
            podman("rmi", image["Id"], check=False)


# --- the machine ----------------------------------------------------------------------------------------------------


def check_machine():
    if os.geteuid() != 0:
        raise LabError(
            "the lab needs root: it boots boxes with systemd, and mounts a disk for one of them. Try again with sudo."
        )
    needed = {"podman": "podman", "mmdebstrap": "mmdebstrap", "ssh": "openssh-client", "mkfs.ext4": "e2fsprogs"}
    if cgroup_version() == 1:
        needed["runc"] = "runc"  # crun refuses cgroup v1
    require(needed)


INOTIFY = pathlib.Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_WANTED = 2048
INOTIFY_BEFORE = RUN / "max_user_instances.before"


def raise_inotify():
    """Each systemd takes a dozen inotify instances, all of them root's: at 128, the sixth box dies."""
    before = int(INOTIFY.read_text())
    if before < INOTIFY_WANTED:
        say(f"fs.inotify.max_user_instances: {before} -> {INOTIFY_WANTED} (lab down restores it)")
        if not INOTIFY_BEFORE.exists():
            INOTIFY_BEFORE.write_text(str(before))
        INOTIFY.write_text(str(INOTIFY_WANTED))


def restore_inotify():
    # A lab has a network before it has boxes.
    if INOTIFY_BEFORE.exists() and not podman("network", "ls", "--quiet", "--filter", f"label={LABEL}"):
        say(f"fs.inotify.max_user_instances: back to {INOTIFY_BEFORE.read_text()}")
        INOTIFY.write_text(INOTIFY_BEFORE.read_text())
        INOTIFY_BEFORE.unlink()


# --- up -------------------------------------------------------------------------------------------------------------


def mount_disk(lab, box):
    """The mount point, on this machine, of the box's own disk: an ext4 image, made and mounted where it isn't yet."""
    point = lab.run / box.name
    if not point.is_mount():
        image = lab.run / f"{box.name}.img"
        with image.open("wb") as stream:
            stream.truncate(box.kind.disk_mib << 20)
        run("mkfs.ext4", "-q", "-F", str(image))
        point.mkdir(parents=True, exist_ok=True)
        run("mount", "-o", "loop", str(image), str(point))
    return point


def create_arguments(lab, box, number, address):
    kind = box.kind
    environment = {
        **kind.env,
        "LAB_UNITS": " ".join(kind.units),
        "LAB_CGROUP": str(cgroup_version()),
        "LAB_KEY": lab.key.with_suffix(".pub").read_text().strip(),
    }
    labels = {
        LABEL: lab.id,
        **{
            f"lifeline-lab.{name}": value
            for name, value in (
                ("box", box.name),
                ("kind", kind.name),
                ("number", number),
                ("suite", box.suite),
                ("purpose", kind.purpose),
                ("address", address),
                ("vars", json.dumps(kind.vars)),
            )
        },
    }
    # With a MAC of its own after a boot, nobody would find it until this machine has forgotten the one before, half a minute later.
    mac = "02:00:" + ":".join(f"{int(octet):02x}" for octet in address.split("."))
    arguments = [
        "--hostname",
        box.name,
        "--network",
        lab.id,
        "--ip",
        address,
        "--mac-address",
        mac,
        "--systemd=always",
        # Equal limits: no swap for the box, whatever this machine has.
        "--memory",
        kind.memory,
        "--memory-swap",
        kind.memory,
        "--cap-add",
        CAPABILITIES,
        "--security-opt",
        "apparmor=unconfined",
        # runc cannot raise the limits that it would set by default.
        "--ulimit",
        "nofile=1024:20000",
        "--ulimit",
        "nproc=4096:8192",
    ]
    if kind.kernel_log:
        arguments += ["--cap-add", "SYSLOG", "--device", "/dev/kmsg"]
    if kind.disk_mib:
        arguments += ["--volume", f"{lab.run / box.name}:/data"]
    for name, value in environment.items():
        arguments += ["--env", f"{name}={value}"]
    for name, value in labels.items():
        arguments += ["--label", f"{name}={value}"]
    return [*arguments, image_of(box.suite), "/bin/sh", "-c", BOOT]


def start_box(lab, box, number, address, existing):
    arguments = create_arguments(lab, box, number, address)
    spec = hashlib.sha256("\0".join(map(str, arguments)).encode()).hexdigest()[:12]
    name = f"{LABEL}-{CLONE}-{box.name}"
    if existing and (existing["lifeline-lab.spec"] != spec or box.kind.power and existing["state"] != "running"):
        podman("rm", "--force", "--time", "0", name)
        existing = None
    if box.kind.disk_mib:
        mount_disk(lab, box)
    if not existing:
        forget(lab, address)
        runtime = ["--runtime", "runc"] if cgroup_version() == 1 else []
        podman(*runtime, "create", "--name", name, "--label", f"lifeline-lab.spec={spec}", *map(str, arguments))
        if box.kind.power:
            # Where an OOM kill comes, conmon leaves a file "oom" in the directory that it was started from.
            podman(*runtime, "start", name, cwd=lab.run)
    if box.kind.power:
        wait_ready(lab, box, address)
    say(f"{box.name} ({box.suite}, {address}): {box.kind.purpose}")


def forget(lab, address):
    """Let nothing remember the box that had this address before: neither its host key nor a connection to it."""
    with _KNOWN_HOSTS:
        if lab.known_hosts.exists():
            run("ssh-keygen", "-q", "-R", address, "-f", str(lab.known_hosts), check=False)
        close_connections(lab)


def close_connections(lab):
    for socket in lab.run.glob("cp/*"):
        run("ssh", "-F", "/dev/null", "-O", "exit", "-o", f"ControlPath={socket}", "lab", check=False)


def wait_ready(lab, box, address, patience=120):
    """Wait until the box lets us in by SSH, has booted, and is in the trouble that it is meant to be in."""
    command = [
        "ssh",
        *shlex.split(ssh_arguments(lab.key, lab.known_hosts)),
        "-o",
        "ConnectTimeout=5",
        "-o",
        "BatchMode=yes",
        f"root@{address}",
        f"systemctl is-system-running --wait >/dev/null; {box.kind.ready}",
    ]
    deadline = time.monotonic() + patience
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
                f"{box.name} is not ready after {patience} s; look at it with: podman exec -it "
                f"{LABEL}-{CLONE}-{box.name} journalctl -b\n{done.stdout.strip()[-500:]}"
            )
        time.sleep(0.5)


def up(lab, suites):
    check_machine()
    boxes = lab.boxes(suites)
    # Whoever connects first, Ansible or a test's own ssh, keeps its socket here.
    (lab.run / "cp").mkdir(parents=True, exist_ok=True)
    if not lab.key.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", lab.id, "-f", str(lab.key))
    with alone_with("machine"):
        raise_inotify()
        if subprocess.run(["podman", "network", "exists", lab.id], check=False).returncode:
            # No name server for the lab: one daemon less, and the boxes don't call each other.
            podman("network", "create", "--disable-dns", "--label", f"{LABEL}={lab.id}", lab.id)
    subnet = json.loads(podman("network", "inspect", lab.id))[0]["subnets"][0]["subnet"]
    addresses = [subnet.rsplit(".", 1)[0] + f".{10 + number}" for number in range(len(boxes))]
    existing = lab.containers()
    for stray in existing.keys() - {box.name for box in boxes}:
        podman("rm", "--force", "--time", "0", existing[stray]["container"])
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(build_image, sorted({box.suite for box in boxes})))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(
            pool.map(
                lambda item: start_box(lab, item[1], item[0], addresses[item[0]], existing.get(item[1].name)),
                enumerate(boxes),
            )
        )
    drop_old_images({image_of(suite) for suite in suites})
    say(f"{len(boxes)} boxes are up: ansible {lab.name} -i inventories/lab -m lifeline.fleet.health")


# --- what is there, and the end of it -------------------------------------------------------------------------------


def can_protect_sshd():
    """Whether this machine has CAP_SYS_RESOURCE to give, which sshd needs to keep the OOM killer off itself."""
    status = pathlib.Path("/proc/self/status").read_text()
    return bool(int(status.split("CapBnd:", 1)[1].split()[0], 16) >> 24 & 1)


def inventory(labs):
    """Ansible's inventory of what podman knows: a group for each set that is up, in it one for each kind of box."""
    groups = {"_meta": {"hostvars": {}}, "all": {"children": []}}
    listed = podman_lists()
    for lab in labs:
        boxes = lab.containers(listed)
        if not boxes:
            continue
        groups["all"]["children"].append(lab.name)
        groups[lab.name] = {
            "children": [],
            "vars": {
                "ansible_user": "root",
                "ansible_python_interpreter": "/usr/bin/python3",
                "ansible_pipelining": True,
                "ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=60s",
                "ansible_ssh_common_args": ssh_arguments(lab.key, lab.known_hosts),
                # Sockets of the lab's own, so that they end with it: their box's address will be another box's.
                "ansible_control_path_dir": str(lab.run / "cp"),
            },
        }
        # Boxes share this machine with all that runs here, and its kernel tells all of them how busy it is.
        thresholds = {
            name: {"warning": None, "critical": None}
            for name in ("load_per_cpu", "steal_percent", "memory_pressure_percent")
        }
        if not can_protect_sshd():
            thresholds["sshd_killable"] = {"warning": None}
        groups[lab.name]["vars"]["lifeline_thresholds"] = thresholds
        for name, box in boxes.items():
            kind = f"{lab.name}_{box['lifeline-lab.kind']}"
            groups.setdefault(kind, {"hosts": []})["hosts"].append(name)
            if kind not in groups[lab.name]["children"]:
                groups[lab.name]["children"].append(kind)
            groups["_meta"]["hostvars"][name] = {
                "ansible_host": box["lifeline-lab.address"],
                "lab_suite": box["lifeline-lab.suite"],
                "lab_kind": box["lifeline-lab.kind"],
                "lab_purpose": box["lifeline-lab.purpose"],
                "lab_container": box["container"],
                **json.loads(box["lifeline-lab.vars"]),
            }
    if not groups["_meta"]["hostvars"]:
        # No error: Ansible would go on to read this program's text as a list of hosts.
        print("No lab is up: boot one with make lab. (A lab is root's: to see it, be root.)", file=sys.stderr)
    return groups


def status(lab):
    boxes = lab.containers()
    if not boxes:
        print(f"lab {lab.name}: not up" + ("" if os.geteuid() == 0 else " (a lab is root's: to see it, be root)"))
    for name, box in boxes.items():
        print(
            f"{name:16} {box['lifeline-lab.suite']:9} {box['lifeline-lab.address']:15} {box['state']:8} "
            f"{box['lifeline-lab.purpose']}"
        )


def down(lab, images):
    if not shutil.which("podman") or os.geteuid() != 0 and not RUN.exists():
        return  # Nobody has ever booted a lab here.
    check_machine()
    for name, box in lab.containers().items():
        podman("rm", "--force", "--time", "0", "--volumes", box["container"])
        say(f"{name}: gone")
    if lab.run.exists():
        for path in sorted(lab.run.iterdir()):
            if path.is_mount():
                run("umount", str(path))  # which frees its loop device
        close_connections(lab)
        shutil.rmtree(lab.run)
    with alone_with("machine"):
        if subprocess.run(["podman", "network", "exists", lab.id], check=False).returncode == 0:
            podman("network", "rm", lab.id)
        restore_inotify()
    if images:
        for image in podman("images", "--quiet", "--filter", f"reference={IMAGE}").split():
            podman("rmi", image, check=False)
            say(f"image {image}: gone")


def main():
    parser = argparse.ArgumentParser(description="Boots a few real boxes to look at, some of them in trouble.")
    parser.add_argument("command", choices=("up", "down", "status", "inventory"))
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
    try:
        if options.command == "inventory":
            print(json.dumps(inventory(labs), indent=2))
        for lab in labs:
            if options.command == "up":
                up(
                    lab,
                    options.suites.replace(",", " ").split() if options.suites else TABLE["sets"][lab.name]["suites"],
                )
            elif options.command == "down":
                down(lab, options.images)
            elif options.command == "status":
                status(lab)
    except (LabError, FileNotFoundError) as error:
        sys.exit(f"lab: {error}")


if __name__ == "__main__":
    main()
