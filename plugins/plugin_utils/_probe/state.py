# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse the state of a host, as texts by name: `kernel`, `package:openssl`, `sysctl:vm.swappiness` and so on.

State stays the same until it is changed. Left out, each with its reason, are counters, values that come and go by
themselves, and values that differ on every host (names, machine IDs, addresses).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._disks import mounts as disks_mounts
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import mountinfo, processes
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import parse_show
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.state_script import Part

_FILE = re.compile(r"^==> (/\S+) <==\n", re.MULTILINE)

# Files below /proc/sys that are not settings.
_VOLATILE = re.compile(
    "|".join(
        (
            # Numbers of this boot, random numbers and secrets.
            r"kernel\.random\.(boot_id|uuid|entropy_avail)",
            r"net\.ipv4\.tcp_fastopen_key",
            r"net\.ipv6\.conf\..*\.stable_secret",
            r"net\.core\.netdev_rss_key",
            # Names of this host.
            r"kernel\.(hostname|domainname|osrelease|version)",
            # Counters, and what is in use at the moment.
            r"fs\.(dentry-state|file-nr|inode-nr|inode-state|aio-nr)",
            r"fs\.quota\.(?!warnings).*",
            r"kernel\.(ns_last_pid|pty\.nr)",
            r"kernel\.hung_task_(detect_count|warnings)",
            r"net\.netfilter\.nf_conntrack_count",
            r".*_used",
            # The kernel lowers it by itself when samples take too long.
            r"kernel\.perf_event_max_sample_rate",
            # Descriptions of hardware, and of the scheduler's domains, which follow from the processors.
            r"dev\.cdrom\.info",
            r"kernel\.sched_domain\..*",
            # Commands, not settings: reading them tells nothing.
            r"vm\.(stat_refresh|drop_caches|compact_memory)",
            r"net\.ipv[46]\.route\.flush",
            r"fs\.xfs\.stats_clear",
            # Interfaces that come and go with containers, virtual machines and tunnels.
            r"net\.ipv[46]\.(conf|neigh)\.(veth|br-|docker|podman|cni|cali|flannel|vxlan|lxc|lxdbr|virbr|vnet|tap|tun|wg|ppp|ifb|dummy).*",
        )
    )
    + r"\Z"
)

# Parameters of the kernel's command line that name this host's disks, its addresses, or once more its kernel.
_OF_THIS_BOX = (
    "BOOT_IMAGE",
    "initrd",
    "root",
    "resume",
    "ip",
    "nameserver",
    "systemd.machine_id",
    "ds",
    "cloud-config-url",
    "hostname",
    "systemd.hostname",
)
# Mount options with addresses of this host, or with sizes that come from its memory.
_OWN_OPTIONS = re.compile(
    r"(lowerdir|upperdir|workdir|addr|clientaddr|mountaddr|mountport|uuid|size|nr_inodes|fd|pgrp|pipe_ino|subvolid)="
)

# Units that come and go with logins, connections and disks, or that are named after a disk.
_PASSING = re.compile(
    r"session-|user@|user-runtime-dir@|run-|[^@]*@([0-9]+-([0-9]+|.*:[0-9]+)-|dev-|.*-[0-9a-f]{4}-|[0-9]+:[0-9]+)"
)
# Units that were created at run time.
_NO_UNIT_FILE = ("", "transient", "bad")

_KINDS = (".service", ".socket", ".timer", ".path", ".mount")

_RUBY = re.compile(r"ruby (\S+)")
_GEM = re.compile(r"(.+?)-(\d[^-]*(?:-.*)?)\.gemspec\Z")
_LOCKED = re.compile(r"    ([A-Za-z0-9_.-]+) \(([^()]+)\)\Z")
_CHECKSUM = re.compile(r"(\d{1,10}) (\d{1,12}) (/.+)")
_SHORT = {
    "cpu time": "cpu",
    "file size": "fsize",
    "data size": "data",
    "stack size": "stack",
    "core file size": "core",
    "resident set": "rss",
    "processes": "nproc",
    "open files": "nofile",
    "locked memory": "memlock",
    "address space": "as",
    "file locks": "locks",
    "pending signals": "sigpending",
    "msgqueue size": "msgqueue",
    "nice priority": "nice",
    "realtime priority": "rtprio",
    "realtime timeout": "rttime",
}


def parse(
    parts: Mapping[str, Part], workers: Iterable[Mapping[str, Any]] = (), apps: bool = False
) -> tuple[dict[str, str], tuple[str, ...], list[str]]:
    """Return the state as texts by name, the prefixes that were read whole, and the names of what was not.

    `parts` is what `state_script.parts` returns; `workers` are dictionaries with `name` and `pids`, as health returns
    them; `apps` tells whether there are applications whose locks are wanted.
    """
    state = _box(parts)
    whole: list[str] = []
    unread = [] if _is_whole(parts, "files") else ["files"]
    if _is_whole(parts, "files"):
        whole += ["cmdline:", "locale:", "mount:"]
    for name, prefix, parse_one, needed in (
        ("packages", "package:", _packages, ("packages",)),
        ("sysctls", "sysctl:", _sysctls, ("sysctls",)),
        ("units", "unit:", _units, ("unit_files", "units")),
        ("own_units", "unit-file:", _own_units, ("own_units",)),
        ("gems", "gem:", _gems, ("gems",)),
        *((("lock", "bundle:", _locked, ("lock",)),) if apps else ()),
    ):
        state.update((prefix + key, value) for key, value in parse_one(parts).items())
        if all(_is_whole(parts, part) for part in needed):
            whole.append(prefix)
        else:
            unread.append(name)
    for worker in workers:
        state.update(_worker(parts, worker))
    if "limits/sshd" in parts:
        state.update(_limits("sshd", [parts["limits/sshd"].text]))
    # Names of gems, variables of a worker and options of mounts are the users' own.
    return {escape(name): escape(value) for name, value in state.items()}, tuple(whole), unread


def _is_whole(parts: Mapping[str, Part], name: str) -> bool:
    return name in parts and parts[name].whole


def _text(parts: Mapping[str, Part], name: str) -> str:
    return parts[name].text if name in parts else ""


def _box(parts: Mapping[str, Part]) -> dict[str, str]:
    found = _FILE.split(_text(parts, "files"))
    files = {path: text.strip() for path, text in zip(found[1::2], found[2::2])}
    release = _assignments(files.get("/etc/os-release", ""))
    ruby = _RUBY.match(_text(parts, "ruby"))
    model = _text(parts, "cpu").partition(":")[2]
    state = {
        "kernel": files.get("/proc/sys/kernel/osrelease"),
        "kernel_build": files.get("/proc/sys/kernel/version"),
        "os": release.get("PRETTY_NAME"),
        "os_version": files.get("/etc/debian_version") or release.get("VERSION_ID"),
        "timezone": _timezone(_text(parts, "localtime"), files.get("/etc/timezone")),
        "transparent_hugepage": _chosen(files.get("/sys/kernel/mm/transparent_hugepage/enabled")),
        "transparent_hugepage_defrag": _chosen(files.get("/sys/kernel/mm/transparent_hugepage/defrag")),
        "clocksource": files.get("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "hardware": " ".join(
            filter(None, (files.get("/sys/class/dmi/id/" + name) for name in ("sys_vendor", "product_name")))
        ),
        "cpu": " ".join(model.split()),
        "ruby": ruby.group(1) if ruby else "none" if _is_whole(parts, "ruby") else None,
    }
    for name, value in _assignments(files.get("/etc/locale.conf") or files.get("/etc/default/locale") or "").items():
        state["locale:" + name] = value
    state.update(_cmdline(files.get("/proc/cmdline", "")))
    state.update(_mount_options(files.get("/proc/self/mountinfo", "")))
    return {name: value for name, value in state.items() if value}


def _assignments(text: str) -> dict[str, str]:
    """Return the variables of a file that a shell could read."""
    pairs = (line.strip().partition("=") for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {name: value.strip("\"'") for name, equals, value in pairs if equals}


def _timezone(link: str, written: str | None) -> str:
    """Return the time zone by the link, which counts; a host with a copy instead has the name only in Debian's file."""
    _folder, found, name = link.strip().rpartition("/zoneinfo/")
    # Without either the C library takes UTC.
    return re.sub(r"\A(posix|right)/", "", name) if found else written or "UTC"


def _chosen(text: str | None) -> str | None:
    """Return the choice that the kernel puts into brackets."""
    found = re.search(r"\[([^\]]+)\]", text or "")
    return found.group(1) if found else None


def _cmdline(text: str) -> dict[str, str]:
    state: dict[str, str] = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if name in _OF_THIS_BOX or not re.match(r"[A-Za-z]", name):
            continue
        key = "cmdline:" + name
        value = value if equals else "set"
        # Consoles are named more than once, and their order counts.
        state[key] = f"{state[key]} {value}" if key in state else value
    return state


def _mount_options(text: str) -> dict[str, str]:
    mounts = mountinfo.parse(text)
    state = {}
    for shown in disks_mounts.file_systems(mounts):
        mount = shown[0]
        if disks_mounts.kind(mount) != "image":
            options = sorted(
                option for option in {*mount.options, *mount.super_options} if not _OWN_OPTIONS.match(option)
            )
            # The options of the file system take precedence over those of the mount only if they say read-only.
            if "ro" in options and "rw" in options:
                options.remove("rw")
            state["mount:" + mount.point] = f"{mount.type} {','.join(options)}"
    return state


def _packages(parts: Mapping[str, Part]) -> dict[str, str]:
    found: dict[str, dict[tuple[str, str], str]] = {}
    for line in _text(parts, "packages").splitlines():
        fields = line.split(" ", 3)
        if len(fields) < 4:
            continue
        name, architecture, version, status = fields
        wanted, _flag, is_now = (status.split() + ["", "", ""])[:3]
        if is_now in ("not-installed", "config-files"):
            continue
        version = version[7:] if version.startswith("(none):") else version
        if is_now != "installed":
            version += f" ({is_now})"
        elif wanted == "hold":
            version += " (held)"
        found.setdefault(name, {})[architecture, version] = version
    # Libraries may be there for two architectures, and kernels in several versions.
    return {name: ", ".join(sorted(set(versions.values()))) for name, versions in found.items()}


def _sysctls(parts: Mapping[str, Part]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for line in _text(parts, "sysctls").splitlines():
        name, equals, value = line.partition(" = ")
        if equals and not _VOLATILE.match(name):
            found.setdefault(name, []).append(" ".join(value.split()))
    return {name: " ".join(values) for name, values in found.items()}


def _units(parts: Mapping[str, Part]) -> dict[str, str]:
    states = {}
    for line in _text(parts, "unit_files").splitlines():
        fields = line.split()
        # An alias adds nothing to its unit.
        if len(fields) > 1 and fields[0].endswith(_KINDS) and fields[1] != "alias":
            states[fields[0]] = fields[1]
    found = {name: state for name, state in states.items() if not _PASSING.match(name)}
    for values in parse_show(_text(parts, "units")):
        name = values.get("Id", "")
        state = values.get("UnitFileState", "") or states.get(name, "")
        if not name or _PASSING.match(name) or state in _NO_UNIT_FILE:
            continue
        activity = _activity(values, state)
        found[name] = state + (", " + activity if activity else "")
    return found


def _activity(values: Mapping[str, str], state: str) -> str | None:
    """Return whether a unit runs or has failed; None if it is neither, or comes and goes by itself."""
    active = values.get("ActiveState", "")
    if active == "failed":
        return "failed"
    if values.get("SubState") == "auto-restart":
        return "restarting"
    if not state.startswith("enabled") and (values.get("TriggeredBy") or values.get("BusName")):
        # Such units start on demand, and some end by themselves.
        return None
    if values.get("Type") == "oneshot" and (values.get("RemainAfterExit") != "yes" or values.get("TriggeredBy")):
        return None
    return "active" if active in ("active", "reloading", "refreshing") else None


def _own_units(parts: Mapping[str, Part]) -> dict[str, str]:
    """Return the checksums of the unit files below /etc."""
    found = {}
    for line in _text(parts, "own_units").splitlines():
        match = _CHECKSUM.match(line)
        if match and not match.group(3).endswith(("~", ".bak", ".dpkg-old", ".rpmsave")):
            found[match.group(3)] = f"checksum {int(match.group(1)):08x}"
    return found


def _gems(parts: Mapping[str, Part]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for line in _text(parts, "gems").splitlines():
        match = _GEM.match(line)
        if match:
            found.setdefault(match.group(1), set()).add(match.group(2))
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}


def _locked(parts: Mapping[str, Part]) -> dict[str, str]:
    """Return the gems in a lock file of Bundler: the lines with four blanks. Dependencies are indented further."""
    found: dict[str, set[str]] = {}
    for line in _text(parts, "lock").splitlines():
        match = _LOCKED.match(line)
        if match:
            found.setdefault(match.group(1), set()).add(match.group(2))
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}


def _worker(parts: Mapping[str, Part], worker: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of a worker's processes, all of them if the processes differ."""
    name = worker["name"]
    state = _limits(name, [_text(parts, f"limits/{pid}") for pid in worker["pids"]])
    found: dict[str, list[str]] = {}
    for pid in worker["pids"]:
        program = _text(parts, f"exe/{pid}").strip()
        if program:
            # Its package was upgraded, but it still runs the old program.
            found.setdefault("program:" + name, []).append(program)
        for variable, value in _assignments(_text(parts, f"environment/{pid}")).items():
            if value:
                found.setdefault(f"environment:{name}:{variable}", []).append(value)
    state.update((key, " and ".join(sorted(set(values)))) for key, values in found.items())
    return state


def _limits(name: str, texts: Iterable[str]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for text in texts:
        for limit, values in processes.parse_limits(text).items():
            if limit in _SHORT:
                soft, hard = ("unlimited" if values[key] is None else str(values[key]) for key in ("soft", "hard"))
                found.setdefault(f"limit:{name}:{_SHORT[limit]}", set()).add(soft if soft == hard else f"{soft}:{hard}")
    return {key: " and ".join(sorted(values)) for key, values in found.items()}
