# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks on a box for who holds files that are deleted, without touching a mount that may hang."""

from __future__ import annotations

import glob
import os
import stat

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._disks import mounts as disks_mounts
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import mountinfo, stat as proc_stat
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.fds import DELETED


def read(mounts):
    """The source C(deleted), whose lines the parser describes. V(mounts) are the box's own."""
    scan = _Scan(mounts)
    for pid in _reader.list_pids():
        scan.process(pid)
    scan.loop_devices()
    scan.swap_files()
    return "".join(f"{line}\n" for line in scan.lines + [f"unreadable {scan.unreadable}"])


class _Scan:
    """One walk over the processes, and what it has learned of the mounts of all their namespaces."""

    def __init__(self, mounts):
        self.lines = []
        self.unreadable = 0
        self._own = mounts
        self._listed = {mount.device: group[0].point for group in disks_mounts.file_systems(mounts) for mount in group}
        self._namespaces = set()
        self._by_id = {}
        self._may_hang = set()
        self._devices = {}
        self._learn(mounts)

    def process(self, pid):
        try:
            links = _links(f"/proc/{pid}/fd")
            process = _stat(pid)
            # Who reads the mappings of a process that waits for a dead mount may have to wait with it.
            skip = process is not None and (process.is_kernel_thread or process.state == "D")
            maps = "" if skip else _reader.read(f"/proc/{pid}/maps")
        except PermissionError:
            process = _stat(pid)
            self.unreadable += process is None or not process.is_kernel_thread
            return
        except OSError:
            return
        links = [(name, link) for name, link in links if link.endswith(DELETED)]
        mappings = _deleted_mappings(maps) if DELETED + "\n" in maps else []
        if links or mappings:
            self._enter(pid)
            name = _comm(pid)
            for descriptor, link in links:
                self._descriptor(pid, name, descriptor, link)
            for addresses, device, link in mappings:
                self._mapping(pid, name, addresses, device, link)

    def loop_devices(self):
        """A loop device holds its file as no process does, and the kernel doesn't tell what the file takes."""
        for path in glob.glob("/sys/block/loop*/loop/backing_file"):
            link = _reader.read_or_none(path)
            if link and link.endswith(DELETED + "\n"):
                self._add_by_path(link[: -len(DELETED) - 1], "-", path.split("/")[3])

    def swap_files(self):
        for line in (_reader.read_or_none("/proc/swaps") or "").splitlines()[1:]:
            fields = line.split()
            path = mountinfo.unescape(fields[0]) if fields else ""
            if path.endswith(DELETED) and fields[2].isdigit():
                self._add_by_path(path[: -len(DELETED)], str(int(fields[2]) * 1024), "swap")

    def _enter(self, pid):
        """Learn the mounts of the process, unless another one in its namespace has told them."""
        try:
            namespace = os.readlink(f"/proc/{pid}/ns/mnt")
        except OSError:
            return
        if namespace not in self._namespaces:
            self._namespaces.add(namespace)
            self._learn(mountinfo.parse(_reader.read_or_none(f"/proc/{pid}/mountinfo")))

    def _learn(self, mounts):
        # The numbers of mounts are unique over all namespaces.
        self._may_hang |= disks_mounts.guarded(mounts)
        for mount in mounts:
            self._by_id.setdefault(mount.id, mount)
            self._devices.setdefault(mount.device, mount)

    def _descriptor(self, pid, name, descriptor, link):
        number = _mount_id(pid, descriptor)
        # Before 3.15 the kernel didn't tell, and only the path shows where a file may be.
        mount = disks_mounts.at(link, self._own) if number is None else self._by_id.get(number)
        self._add(mount, f"/proc/{pid}/fd/{descriptor}", pid, descriptor, name, link, certain=number is not None)

    def _mapping(self, pid, name, addresses, device, link):
        self._add(self._devices.get(device), f"/proc/{pid}/map_files/{addresses}", pid, "-", name, link)

    def _add(self, mount, path, pid, descriptor, name, link, certain=True):
        """Where the mount is unknown, the file is one of the kernel's own, such as a memfd, and lies on no disk."""
        point = self._place(mount)
        if point is None:
            return
        try:
            status = os.stat(path)
        except OSError:
            return
        device = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
        if not certain and device not in self._listed:
            return
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 0 and status.st_blocks:
            self._line(
                f"{status.st_dev}:{status.st_ino}",
                str(status.st_blocks * 512),
                str(pid),
                descriptor,
                name,
                point,
                link[: -len(DELETED)],
            )

    def _add_by_path(self, path, size, name):
        point = self._place(disks_mounts.at(path, self._own))
        if point is not None:
            self._line("-", size, "-", "-", name, point, path)

    def _place(self, mount):
        """The mount point of the listed file system that the files of a mount take their space from, or None."""
        if mount is None or mount.id in self._may_hang:
            return None
        if mount.device not in self._listed:
            upper = disks_mounts.upper_directory(mount)
            mount = None if upper is None else disks_mounts.at(upper, self._own)
        return None if mount is None else self._listed.get(mount.device)

    def _line(self, identity, size, pid, descriptor, name, point, path):
        self.lines.append(" ".join((identity, size, pid, descriptor, _escape(name), _escape(point), _escape(path))))


def _links(directory):
    links = []
    for name in os.listdir(directory):
        try:
            links.append((name, _reader.decode(os.readlink(os.fsencode(f"{directory}/{name}")))))
        except FileNotFoundError:
            continue
    return links


def _deleted_mappings(maps):
    """The address range as map_files spells it, the device, and the link, of each deleted file once."""
    found = {}
    for line in maps.split("\n"):
        if not line.endswith(DELETED):
            continue
        fields = line.split(None, 5)
        if len(fields) < 6 or fields[4] == "0":
            continue
        addresses = "-".join(f"{int(address, 16):x}" for address in fields[0].split("-"))
        device = "%d:%d" % tuple(int(number, 16) for number in fields[3].split(":"))
        found.setdefault((device, fields[4], fields[5]), (addresses, device, fields[5]))
    return list(found.values())


def _mount_id(pid, descriptor):
    for line in (_reader.read_or_none(f"/proc/{pid}/fdinfo/{descriptor}") or "").splitlines():
        if line.startswith("mnt_id:"):
            return int(line[7:])
    return None


def _comm(pid):
    return (_reader.read_or_none(f"/proc/{pid}/comm") or "").rstrip("\n")


def _stat(pid):
    return proc_stat.parse(_reader.read_or_none(f"/proc/{pid}/stat"))


def _escape(text):
    return text.replace("\\", "\\134").replace(" ", "\\040").replace("\n", "\\012")
