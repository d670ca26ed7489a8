# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find deleted files that are still open on the host, without touching a mount that may hang."""

from __future__ import annotations

import glob
import os
import stat
from typing import Dict, List, Optional, Sequence, Set, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._disks.mounts import (
    MountTree,
    file_systems,
    guarded,
    upper_directory,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import mountinfo, stat as proc_stat
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.fds import DELETED
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.mountinfo import Mount


def read(mounts: Sequence[Mount]) -> str:
    """Return the source `deleted`; its parser describes the lines. `mounts` are those of this process's namespace."""
    scan = _Scan(mounts)
    for pid in _reader.list_pids():
        scan.process(pid)
    scan.loop_devices()
    scan.swap_files()
    return "".join(f"{line}\n" for line in [*scan.lines, f"unreadable {scan.unreadable}"])


class _Scan:
    """One walk over the processes, with what it has learned of the mounts of all their namespaces."""

    def __init__(self, mounts: Sequence[Mount]) -> None:
        self.lines: List[str] = []
        self.unreadable = 0
        self._own = MountTree(mounts)
        self._listed = {mount.device: group[0].point for group in file_systems(mounts) for mount in group}
        self._namespaces: Set[str] = set()
        self._by_id: Dict[int, Mount] = {}
        self._may_hang: Set[int] = set()
        self._devices: Dict[str, Mount] = {}
        self._learn(mounts)

    def process(self, pid: int) -> None:
        """Add the deleted files that a process has open or mapped."""
        try:
            links = _links(f"/proc/{pid}/fd")
            process = _stat(pid)
            # Reading the mappings of a process that hangs on a dead mount may hang as well.
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
            name = (_reader.read_or_none(f"/proc/{pid}/comm") or "").rstrip("\n")
            for descriptor, link in links:
                self._descriptor(pid, name, descriptor, link)
            for addresses, device, link in mappings:
                self._mapping(pid, name, addresses, device, link)

    def loop_devices(self) -> None:
        """Add the deleted files of loop devices: no process has them, and the kernel does not tell their size."""
        for path in glob.glob("/sys/block/loop*/loop/backing_file"):
            link = _reader.read_or_none(path)
            if link and link.endswith(DELETED + "\n"):
                self._add_by_path(link[: -len(DELETED) - 1], "-", path.split("/")[3])

    def swap_files(self) -> None:
        """Add the deleted files that are used as swap."""
        for line in (_reader.read_or_none("/proc/swaps") or "").splitlines()[1:]:
            fields = line.split()
            path = mountinfo.unescape(fields[0]) if fields else ""
            if path.endswith(DELETED) and len(fields) > 2 and fields[2].isdecimal():
                self._add_by_path(path[: -len(DELETED)], str(int(fields[2]) * 1024), "swap")

    def _enter(self, pid: int) -> None:
        """Learn the mounts of a process, unless those of its namespace are known."""
        try:
            namespace = os.readlink(f"/proc/{pid}/ns/mnt")
        except OSError:
            return
        if namespace not in self._namespaces:
            self._namespaces.add(namespace)
            self._learn(mountinfo.parse(_reader.read_or_none(f"/proc/{pid}/mountinfo")))

    def _learn(self, mounts: Sequence[Mount]) -> None:
        # The ids of mounts are unique over all namespaces.
        self._may_hang |= guarded(mounts)
        for mount in mounts:
            self._by_id.setdefault(mount.id, mount)
            self._devices.setdefault(mount.device, mount)

    def _descriptor(self, pid: int, name: str, descriptor: str, link: str) -> None:
        number = _mount_id(pid, descriptor)
        # Linux before 3.15 does not tell the mount, so only the path shows where a file may be.
        mount = self._own.at(link) if number is None else self._by_id.get(number)
        self._add(mount, f"/proc/{pid}/fd/{descriptor}", pid, descriptor, name, link, certain=number is not None)

    def _mapping(self, pid: int, name: str, addresses: str, device: str, link: str) -> None:
        self._add(self._devices.get(device), f"/proc/{pid}/map_files/{addresses}", pid, "-", name, link)

    def _add(
        self, mount: Optional[Mount], path: str, pid: int, descriptor: str, name: str, link: str, certain: bool = True
    ) -> None:
        """Add a file, unless its mount is unknown: then it is one of the kernel's own, such as a memfd."""
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

    def _add_by_path(self, path: str, size: str, name: str) -> None:
        point = self._place(self._own.at(path))
        if point is not None:
            self._line("-", size, "-", "-", name, point, path)

    def _place(self, mount: Optional[Mount]) -> Optional[str]:
        """Return the mount point of the listed file system that the files of a mount take their space from, or None."""
        if mount is None or mount.id in self._may_hang:
            return None
        if mount.device not in self._listed:
            upper = upper_directory(mount)
            mount = None if upper is None else self._own.at(upper)
        return None if mount is None else self._listed.get(mount.device)

    def _line(self, identity: str, size: str, pid: str, descriptor: str, name: str, point: str, path: str) -> None:
        self.lines.append(" ".join((identity, size, pid, descriptor, _escape(name), _escape(point), _escape(path))))


def _links(folder: str) -> List[Tuple[str, str]]:
    links = []
    for name in os.listdir(folder):
        try:
            links.append((name, _reader.decode(os.readlink(os.fsencode(f"{folder}/{name}")))))
        except FileNotFoundError:
            continue
    return links


def _deleted_mappings(maps: str) -> List[Tuple[str, str, str]]:
    """Return the address range as map_files spells it, the device and the link of each deleted file, once."""
    found: Dict[Tuple[str, str, str], Tuple[str, str, str]] = {}
    for line in maps.split("\n"):
        if not line.endswith(DELETED):
            continue
        fields = line.split(None, 5)
        if len(fields) < 6 or fields[4] == "0":
            continue
        addresses = "-".join(f"{int(address, 16):x}" for address in fields[0].split("-"))
        device = ":".join(str(int(number, 16)) for number in fields[3].split(":"))
        found.setdefault((device, fields[4], fields[5]), (addresses, device, fields[5]))
    return list(found.values())


def _mount_id(pid: int, descriptor: str) -> Optional[int]:
    for line in (_reader.read_or_none(f"/proc/{pid}/fdinfo/{descriptor}") or "").splitlines():
        if line.startswith("mnt_id:"):
            return int(line[7:])
    return None


def _stat(pid: int) -> Optional[proc_stat.Stat]:
    return proc_stat.parse(_reader.read_or_none(f"/proc/{pid}/stat"))


def _escape(text: str) -> str:
    return text.replace("\\", "\\134").replace(" ", "\\040").replace("\n", "\\012")
