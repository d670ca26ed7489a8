# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell which mounts are file systems of their own, what kind they are, and which of them may hang."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Set, Tuple, Union

from ansible_collections.lifeline.fleet.plugins.module_utils._proc.mountinfo import Mount, unescape

# Names of types may end in a star, because the probe's script uses them in a shell's `case`.

# Views of the kernel and of programs hold no data and are never asked. To touch autofs would mount something.
PSEUDO_TYPES = (
    "autofs",
    "bdev",
    "binder",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "cpuset",
    "debugfs",
    "devfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "functionfs",
    "fuse.gvfsd-fuse",
    "fuse.lxcfs",
    "fuse.portal",
    "fuse.rofiles-fuse",
    "fusectl",
    "hugetlbfs",
    "ipathfs",
    "kernfs",
    "mqueue",
    "nfsd",
    "none",
    "nsfs",
    "openpromfs",
    "proc",
    "pstore",
    "resctrl",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "spufs",
    "subfs",
    "sysfs",
    "tracefs",
    "usbfs",
    "xenfs",
)

_REMOTE_TYPES = (
    "9p",
    "acfs",
    "afs",
    "auristorfs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "fhgfs",
    "fuse.ceph*",
    "fuse.cvmfs*",
    "fuse.davfs*",
    "fuse.gcsfuse",
    "fuse.gluster*",
    "fuse.juicefs",
    "fuse.mfs*",
    "fuse.moosefs",
    "fuse.rclone",
    "fuse.s3*",
    "fuse.seaweedfs",
    "fuse.sshfs",
    "fuse.JuiceFS",
    "gfs",
    "gfs2",
    "gpfs",
    "ibrix",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "pvfs2",
    "smb3",
    "smbfs",
    "vboxsf",
    "virtiofs",
    "vmhgfs",
    "vxfs",
)

# These answer only if another machine or program does, so only a process that may hang asks them.
NETWORK_TYPES = _REMOTE_TYPES + ("fuse", "fuse.*", "fuseblk")

# Images, which are full from the start.
ALWAYS_FULL_TYPES = (
    "cramfs",
    "erofs",
    "fuse.archivemount",
    "fuse.erofs*",
    "fuse.snapfuse",
    "fuse.squashfuse*",
    "iso9660",
    "romfs",
    "squashfs",
)

_OVERLAY_TYPES = ("aufs", "fuse.fuse-overlayfs", "fuse.unionfs*", "overlay", "overlayfs", "unionfs")
_MEMORY_TYPES = ("ramfs", "rootfs", "tmpfs")

# Mounts below these belong to the kernel, to systemd's credentials or to containers.
HIDDEN_PREFIXES = (
    "/proc",
    "/sys",
    "/run/containerd",
    "/run/credentials",
    "/run/docker",
    "/run/k3s/containerd",
    "/run/netns",
    "/var/lib/containers/storage",
    "/var/lib/docker/aufs",
    "/var/lib/docker/btrfs",
    "/var/lib/docker/containers",
    "/var/lib/docker/devicemapper",
    "/var/lib/docker/overlay",
    "/var/lib/docker/overlay2",
    "/var/lib/docker/zfs",
)

# Container engines mount single files, which are poor names for the disk that they lie on.
_FILE_MOUNTS = (
    "/.dockerenv",
    "/dev/termination-log",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/localtime",
    "/etc/machine-id",
    "/etc/mtab",
    "/etc/resolv.conf",
    "/etc/timezone",
    "/run/.containerenv",
)


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Return whether one of the patterns is the name, or begins it if the pattern ends in a star."""
    return name in patterns or any(name.startswith(pattern[:-1]) for pattern in patterns if pattern.endswith("*"))


def kind(mount: Mount) -> str:
    """Return where the data of a mount is: local, network, memory, overlay or image."""
    if matches(mount.type, ALWAYS_FULL_TYPES):
        return "image"
    if mount.type in _MEMORY_TYPES:
        return "memory"
    if matches(mount.type, _OVERLAY_TYPES):
        lower_only = mount.type == "overlay" and upper_directory(mount) is None
        return "image" if lower_only and "ro" in mount.super_options else "overlay"
    if _is_remote(mount):
        return "network"
    if "ro" in mount.super_options and mount.source.startswith(("/dev/loop", "/dev/sr")):
        return "image"
    return "local"


def is_always_full(mount: Mount) -> bool:
    """Return whether nothing can be added to it, as to an image or to sealed memory."""
    found = kind(mount)
    return found == "image" or (found == "memory" and "ro" in mount.super_options)


def can_be_written(mount: Mount) -> bool:
    """Return whether neither the mount nor its file system is read-only."""
    return not {"ro", "emergency_ro"} & {*mount.options, *mount.super_options}


def is_read_only_by_error(mount: Mount) -> bool:
    """Return whether the kernel made the file system read-only. The mount's own options still allow writing then."""
    return "ro" not in mount.options and bool({"ro", "emergency_ro"} & set(mount.super_options))


def visible(mounts: Sequence[Mount]) -> List[Mount]:
    """Return the mounts that their mount point leads to. The others are covered by a later mount there or above."""
    tree = MountTree(mounts)
    return [mount for mount in mounts if tree.at(mount.point) is mount]


def at(path: str, mounts: Sequence[Mount]) -> Optional[Mount]:
    """Return the mount that a path leads to, or None. For several paths, use a MountTree."""
    return MountTree(mounts).at(path)


def upper_directory(mount: Mount) -> Optional[str]:
    """Return the folder that holds the writes to an overlay, or None."""
    return next((unescape(option[9:]) for option in mount.super_options if option.startswith("upperdir=")), None)


# The kernel takes no path that is longer than 4096 bytes.
_LONGEST_PATH = 4096


class MountTree:
    """The mounts of a namespace, for looking up which of them a path leads to."""

    def __init__(self, mounts: Sequence[Mount]) -> None:
        known = {mount.id for mount in mounts}
        self._children = {
            (mount.parent if mount.parent in known and mount.parent != mount.id else None, mount.point): mount
            for mount in mounts
        }
        self._tops: Dict[Tuple[Optional[int], str], Optional[Mount]] = {}

    def at(self, path: str) -> Optional[Mount]:
        """Return the mount that a path leads to, or None."""
        if len(path) > _LONGEST_PATH:
            return None
        reached: Optional[Mount] = None
        here = ""
        for name in ["", *(name for name in path.split("/") if name)]:
            here = f"{here.rstrip('/')}/{name}"
            reached = self._top(None if reached is None else reached.id, here) or reached
        return reached

    def _top(self, above: Optional[int], path: str) -> Optional[Mount]:
        """Return the last of the mounts that lie on each other at a path inside the mount `above`, or None."""
        place = (above, path)
        if place not in self._tops:
            passed: Set[int] = set()
            top = None
            while (above, path) in self._children:
                following = self._children[above, path]
                if following.id in passed:
                    break
                passed.add(following.id)
                top, above = following, following.id
            self._tops[place] = top
        return self._tops[place]


def guarded(mounts: Sequence[Mount]) -> Set[int]:
    """Return the ids of the mounts that may never answer: those of the network, and all mounted inside them."""
    by_id = {mount.id: mount for mount in mounts}
    # Whether mounts inside a mount may hang, by the id of that mount.
    inside: Dict[int, bool] = {}
    for mount in mounts:
        ancestors: List[Mount] = []
        above: Optional[Mount] = mount
        while above is not None and above.id not in inside:
            # A circle of parents is impossible, but would end here: a mount inside it hangs only if one of the circle
            # does.
            inside[above.id] = False
            ancestors.append(above)
            above = by_id.get(above.parent)
        hangs = above is not None and inside[above.id]
        for ancestor in reversed(ancestors):
            hangs = hangs or _may_hang(ancestor) or ancestor.type == "autofs"
            inside[ancestor.id] = hangs
    return {mount.id for mount in mounts if _may_hang(mount) or inside.get(mount.parent, False)}


def file_systems(mounts: Sequence[Mount]) -> List[List[Mount]]:
    """Return each real file system once, as the list of the mounts that show it; the first one stands for it."""
    groups: Dict[Union[str, Tuple[str, str]], List[Mount]] = {}
    for mount in visible(mounts):
        if _is_of_its_own(mount):
            # Two exports of one server may have the same device, but are two file systems to their users.
            network = kind(mount) == "network"
            key: Union[str, Tuple[str, str]] = (mount.device, mount.source) if network else mount.device
            groups.setdefault(key, []).append(mount)
    found = []
    for group in groups.values():
        group.sort(key=_rank)
        if group[0].point not in _FILE_MOUNTS:
            found.append(group)
    return found


def _rank(mount: Mount) -> Tuple[bool, bool, int, int]:
    """Order mounts of a file system: the root of the host, the whole before a part of it, the shorter mount point."""
    return mount.point != "/", mount.point in _FILE_MOUNTS, len(mount.root), len(mount.point)


def _is_of_its_own(mount: Mount) -> bool:
    point = mount.point
    if matches(mount.type, PSEUDO_TYPES) or point.startswith(tuple(prefix + "/" for prefix in HIDDEN_PREFIXES)):
        return False
    if point.endswith("//deleted"):
        return False
    found = kind(mount)
    if found == "memory":
        # Devices, secrets of pods and the shared memory of containers.
        engine = point.startswith("/var/lib/kubelet/") or "/overlay-containers/" in point
        return not engine and (not (point + "/").startswith("/dev/") or (point + "/").startswith("/dev/shm/"))
    # An overlay's space is that of the folder under it, which is listed itself unless this is the root of a container.
    return point == "/" or not matches(mount.type, _OVERLAY_TYPES)


def _is_remote(mount: Mount) -> bool:
    return (
        matches(mount.type, _REMOTE_TYPES)
        or mount.source.startswith("//")
        or mount.source == "-hosts"
        or (":" in mount.source and not mount.source.startswith("/") and mount.type != "zfs")
    )


def _may_hang(mount: Mount) -> bool:
    return matches(mount.type, NETWORK_TYPES) or _is_remote(mount)
