# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mounts of a box: what /proc/self/mountinfo says, and which of them are file systems of their own."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._proc.mountinfo import unescape

# Names of types may end in a star, as in a shell's case: the shell reader makes its cases of them.

# Views of the kernel and of other programs hold no data, and are never asked. To touch autofs would mount something.
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

# What answers only if another machine or another program does, and is therefore asked only by a process that may hang.
NETWORK_TYPES = _REMOTE_TYPES + ("fuse", "fuse.*", "fuseblk")

# Images that were filled when they were made.
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

# What is mounted inside these belongs to the kernel, to systemd's credentials, or to containers.
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

# What container engines mount is often a single file, which is a poor name for the disk that it lies on.
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


def matches(name, patterns):
    """Whether one of the patterns is the name, or its beginning where the pattern ends in a star."""
    return name in patterns or any(name.startswith(pattern[:-1]) for pattern in patterns if pattern.endswith("*"))


def kind(mount):
    """Where the data of a mount is: C(local), C(network), C(memory), C(overlay), or C(image)."""
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


def is_always_full(mount):
    """Whether how full it is says nothing, because nothing can be added: images, and memory that is sealed."""
    found = kind(mount)
    return found == "image" or (found == "memory" and "ro" in mount.super_options)


def can_be_written(mount):
    return not {"ro", "emergency_ro"} & {*mount.options, *mount.super_options}


def is_read_only_by_error(mount):
    """Tell whether the kernel took away the right to write: it is still among the mount's own options then."""
    return "ro" not in mount.options and bool({"ro", "emergency_ro"} & set(mount.super_options))


def visible(mounts):
    """The mounts that their mount point leads to. Others are covered by a later mount there, or above it."""
    children = _children(mounts)
    return [mount for mount in mounts if _reached(mount.point, children) is mount]


def at(path, mounts):
    """The mount that a path leads to, or None."""
    return _reached(path, _children(mounts))


def upper_directory(mount):
    """The directory that holds what is written to an overlay, or None."""
    return next((unescape(option[9:]) for option in mount.super_options if option.startswith("upperdir=")), None)


def _children(mounts):
    known = {mount.id for mount in mounts}
    return {
        (mount.parent if mount.parent in known and mount.parent != mount.id else None, mount.point): mount
        for mount in mounts
    }


def _reached(point, children):
    reached, above = None, None
    names = [name for name in point.split("/") if name]
    for depth in range(len(names) + 1):
        path = "/" + "/".join(names[:depth])
        passed = set()
        while (above, path) in children and path not in passed:
            following = children[above, path]
            if following.id in passed:
                break
            passed.add(following.id)
            reached, above = following, following.id
    return reached


def guarded(mounts):
    """The numbers (id) of the mounts that may hang whoever asks: those of the network, and all mounted inside them."""
    by_id = {mount.id: mount for mount in mounts}
    found = set()
    for mount in mounts:
        seen = set()
        above = mount
        while above is not None and above.id not in seen:
            if _may_hang(above) or (above.type == "autofs" and above is not mount):
                found.add(mount.id)
                break
            seen.add(above.id)
            above = by_id.get(above.parent)
    return found


def file_systems(mounts):
    """Each real file system once, as a list of lists: all the mounts that show it, the one that stands for it first."""
    groups = {}
    for mount in visible(mounts):
        if _is_of_its_own(mount):
            # Two exports of one server may have one device, but each was mounted for its own sake.
            key = (mount.device, mount.source) if kind(mount) == "network" else mount.device
            groups.setdefault(key, []).append(mount)
    found = []
    for group in groups.values():
        group.sort(key=_rank)
        if group[0].point not in _FILE_MOUNTS:
            found.append(group)
    return found


def _rank(mount):
    """The root of the box first; then the whole file system before a part of it, and the shorter mount point."""
    return mount.point != "/", mount.point in _FILE_MOUNTS, len(mount.root), len(mount.point)


def _is_of_its_own(mount):
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
    # An overlay's space is that of the directory under it. Only that of a container's root isn't seen elsewhere.
    return point == "/" or not matches(mount.type, _OVERLAY_TYPES)


def _is_remote(mount):
    return (
        matches(mount.type, _REMOTE_TYPES)
        or mount.source.startswith("//")
        or mount.source == "-hosts"
        or (":" in mount.source and not mount.source.startswith("/") and mount.type != "zfs")
    )


def _may_hang(mount):
    return matches(mount.type, NETWORK_TYPES) or _is_remote(mount)
