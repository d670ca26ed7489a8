# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a box before anybody touches it: one script for its shell, and what its answer means.

The script is the probe's, so that the archive is a recorded box that the collection's own parsers can read again, and more that only
people read. It writes no file on the box, starts one small program at a time, and asks the kernel to kill it before all others where
memory runs out. What a process can forge can't pretend to be another part: the marks have a word in them that nobody on the box knows
beforehand.
"""

from __future__ import annotations

import json
import re
import shlex

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import maps, processes
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.fds import DELETED
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import cgroup_units
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import parse_show
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import health as health_probe
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.shell import sections

_END = "end"
# The processes whose memory and descriptors are looked at besides those that were asked for: the largest ones.
_LARGEST, _LARGEST_LEAN = 3, 1
# With less memory than this a box is spared what can be spared: what is lost to the OOM killer meanwhile is somebody's work.
LEAN_BYTES = 32 << 20
# Nothing of a box's may fill the controller.
_LIMIT = 1 << 19

# A name goes into a shell's words, and is one of systemd's.
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,250}$")
_SERVICE = ".service"
# These names are no files: nothing is gained on a disk by whoever closes them.
_NO_FILES = ("/memfd:", "/dev/", "/SYSV", "/[aio]", "/i915", "/anon_hugepage", "/drm")

_HEAD = r"""
{ echo 1000 > /proc/self/oom_score_adj; } 2> /dev/null;
"""

# A part is begun only while there is time; a program that hangs is killed. What follows a pipe must not hold up the rest.
_TOOLS = r"""
up() { read -r u v < /proc/uptime; u=${u%%.*}; };
up; b=$u;
part() { up; echo; echo "==> @WORD@ $1 <=="; if [ $((u - b)) -ge @SECONDS@ ]; then echo "not taken: the box is too slow"; return 1; fi; };
limited() { if command -v timeout > /dev/null; then timeout -s KILL "$@"; else shift; "$@"; fi < /dev/null; };
"""

# The largest processes by resident pages, without a program: the shell reads /proc itself.
_CHOOSE = r"""
p="@PIDS@"; n=0;
while [ $n -lt @LARGEST@ ]; do
  n=$((n + 1)); m=0; w=;
  for f in /proc/[0-9]*/statm; do
    read -r s r x < $f || continue;
    i=${f#/proc/}; i=${i%/statm};
    case " $p " in *" $i "*) continue;; esac;
    if [ "${r:-0}" -gt $m ]; then m=$r; w=$i; fi;
  done;
  p="$p $w";
done;
"""

_PARTS = r"""
part cgroups && grep -s -e "^0::" -e ":name=systemd:" /proc/[0-9]*/cgroup;
part kernel.log && limited 5 dmesg | tail -n 1000 | head -c @LIMIT@;
for f in @FILES@; do part proc/$f && head -c @LIMIT@ /proc/$f; done;
o=;
for i in $p; do
  while IFS=: read -r k c q; do case $c in ""|name=systemd) q=${q##*/}; case $q in *.service)
    case "$o @UNITS@ " in *" $q "*);; *) o="$o $q";; esac;; esac;; esac; done < /proc/$i/cgroup;
  for f in status limits wchan smaps_rollup; do part proc/$i/$f && limited 5 head -c @LIMIT@ /proc/$i/$f; done;
  part proc/$i/smaps &&
    limited 10 grep -a -E -e "^[0-9a-f]+-" -e "^(Size|Rss|Pss|Swap|Private_Clean|Private_Dirty):" /proc/$i/smaps | head -c @LIMIT@;
  part descriptors/$i && limited 5 find /proc/$i/fd -maxdepth 1 -type l -printf "%f %l\n" | head -c @LIMIT@;
done;
part deleted && limited 10 find /proc/[0-9]*/fd -maxdepth 1 -type l -lname "* (deleted)" -printf "%p %l\n" | head -n 1000 |
  while read -r f l; do case $l in @NO_FILES@);; *) echo "$(limited 2 stat -L -c "%h %b %B %d:%i" $f) $f $l";; esac; done;
part space && limited 5 du -skx /var/cache/apt/archives /var/log/journal;
part units && limited 10 systemctl --no-pager show @UNITS@ $o | head -c @LIMIT@;
part monit && limited 5 monit -B summary;
"""

_MORE = r"""
part units.failed && limited 5 systemctl --no-pager --plain list-units --failed;
part monit.status && limited 5 monit -B status | head -c @LIMIT@;
part sockets && limited 5 ss -tulpn | head -c @LIMIT@;
part redis && command -v redis-cli > /dev/null &&
  printf "%s\n" info "get stat:processed" "get stat:failed" "smembers queues" "zcard retry" "zcard dead" "smembers processes" |
  timeout -s KILL 3 redis-cli --raw | head -c @LIMIT@;
part units.log && limited 10 systemctl --no-pager --full --lines 100 status @UNITS@ $o | head -c @LIMIT@;
"""

_LAST = r"""
part @END@; true;
"""

_FILES = ("net/sockstat", "net/tcp", "net/tcp6", "net/udp", "swaps", "buddyinfo", "slabinfo")
_MORE_FILES = ("zoneinfo", "net/sockstat6", "net/unix")


def script(word, timeout, seconds, pids=(), units=(), lean=False):
    """The script, in one line. V(word) marks its parts; V(timeout) is the probe's; after V(seconds) no further part is begun.

    V(pids) and V(units) are what is looked at besides the largest processes and their units. V(lean) leaves out what takes most memory.
    """
    text = _HEAD + health_probe.script(timeout) + ";" + _TOOLS + _CHOOSE + _PARTS + ("" if lean else _MORE) + _LAST
    for name, value in (
        ("WORD", word),
        ("SECONDS", str(seconds)),
        ("LIMIT", str(_LIMIT)),
        ("END", _END),
        ("LARGEST", str(_LARGEST_LEAN if lean else _LARGEST)),
        ("FILES", " ".join(_FILES if lean else _FILES + _MORE_FILES)),
        ("PIDS", " ".join(str(int(pid)) for pid in pids)),
        ("UNITS", " ".join(unit for unit in units if _UNIT.match(unit))),
        ("NO_FILES", "|".join(name.replace("[", r"\[") + "*" for name in _NO_FILES)),
    ):
        text = text.replace(f"@{name}@", value)
    # In braces it is one command, to which Ansible may append others.
    return "{ " + " ".join(text.split("\n")) + " }"


def parts(answer, errors, word):
    """The probe's sources, and the other parts by name. Raises ProbeError where that isn't what the script prints."""
    head, found = sections(answer, word)
    sources = health_probe.sources(head, errors)
    named = dict(found)
    if _END not in named:
        raise ProbeError(f"the box stopped answering while evidence was taken ({len(named)} of its parts came)")
    del named[_END]
    return sources, named


def read(sources, named, workers=()):
    """What a plan needs to know of a box. V(workers) are those that health has found, with C(name) and C(pids).

    C(processes): the numbers of all that belong to a service, with its C(unit) and the C(name) and C(rss_bytes) of the process;
    C(services): what systemd says of the units that were looked at, by name; C(deleted): files that are deleted and open, with C(path),
    C(bytes), C(pid) and C(unit); C(watched): the names of what monit watches; C(space): bytes in some folders, by path; C(workers): the
    worker that a unit is, by the unit's name; C(titles): the command lines of the workers' processes.
    """
    table = processes.parse_table(sources)
    cgroups = dict(sources)
    for line in named.get("cgroups", "").splitlines():
        path, colon, rest = line.partition(":")
        if colon:
            cgroups[path] = f"{cgroups.get(path, '')}{rest}\n"
    units = {pid: cgroup_units.system_unit(cgroups, pid) for pid in table}
    services = _services(named.get("units", ""))
    return {
        "processes": {
            str(pid): {"unit": unit, "name": table[pid]["name"], "rss_bytes": table[pid]["rss_bytes"]}
            for pid, unit in units.items()
            if unit and unit.endswith(_SERVICE)
        },
        "services": services,
        "deleted": _deleted(named.get("deleted", ""), units),
        "watched": re.findall(r"^ *(\S+) .*\bProcess *$", named.get("monit", ""), re.MULTILINE),
        "space": {
            path: int(kilobytes) * 1024
            for kilobytes, path in re.findall(r"^(\d{1,15})\s+(/\S+)$", named.get("space", ""), re.MULTILINE)
        },
        "workers": _workers(workers, units, services),
        "titles": {
            str(pid): table[pid]["command_line"] or "" for worker in workers for pid in worker["pids"] if pid in table
        },
    }


def members(sources, named, about):
    """The files of the archive: relative path and text. V(about) is a dictionary that says what it is."""
    files = {
        "about.json": json.dumps(about, indent=2, sort_keys=True) + "\n",
        "processes.txt": _table(processes.parse_table(sources)),
    }
    # As in a recorded box: what has no place in a file system stands at the top.
    for name, text in {**named, **sources}.items():
        files[_member(name)] = text
    for name, text in named.items():
        found = re.match(r"proc/(\d+)/smaps$", name)
        if found and text:
            files[f"memory-map/{found.group(1)}.txt"] = _map(maps.parse(text))
    return files


def _member(name):
    """A place below the archive's own folder, whatever the name of a file on the box: control groups are named by whom they please."""
    return "/".join(part for part in name.split("/") if part not in ("", ".", ".."))


def _workers(workers, units, services):
    found = {}
    for worker in workers:
        named = worker["name"] + _SERVICE
        own = [units[pid] for pid in worker["pids"] if pid in units and (units[pid] or "").endswith(_SERVICE)]
        for unit in own or [named] * (not worker["pids"] and services.get(named, {}).get("loaded", False)):
            found[unit] = worker["name"]
    return found


def _services(text):
    """What C(systemctl show) said of services, by name."""
    services = {}
    for values in parse_show(text):
        if values.get("Id", "").endswith(_SERVICE):
            services[values["Id"]] = {
                "loaded": values.get("LoadState") == "loaded",
                "active": values.get("ActiveState"),
                "can_reload": values.get("CanReload") == "yes",
                "restart": values.get("Restart"),
            }
    return services


def _deleted(text, units):
    """Each file once, with the first who holds it."""
    files = {}
    for line in text.splitlines():
        found = re.match(r"0 (\d+) (\d+) (\d+:\d+) /proc/(\d+)/fd/\d+ (/.*)$", line)
        if not found or not line.endswith(DELETED):
            continue
        blocks, block, identity, pid, path = found.groups()
        entry = {
            "path": path[: -len(DELETED)],
            "bytes": int(blocks) * int(block),
            "pid": int(pid),
            "unit": units.get(int(pid)),
        }
        if entry["bytes"]:
            files.setdefault(identity, entry)
    return sorted(files.values(), key=lambda entry: -entry["bytes"])


def _table(table):
    """The processes, those with the most memory first."""
    lines = [f"{'PID':>7} {'PPID':>7} {'STATE':>5} {'RSS':>8} {'ADJ':>6} {'AGE':>9}  COMMAND"]
    for process in sorted(table.values(), key=lambda one: (-(one["rss_bytes"] or 0), one["pid"])):
        lines.append(
            "%7d %7d %5s %8s %6s %9s  %s"
            % (
                process["pid"],
                process["ppid"],
                process["state"],
                format_size(process["rss_bytes"] or 0),
                process["oom_score_adj"],
                "?" if process["age_seconds"] is None else "%.0f" % process["age_seconds"],
                shlex.quote(process["command_line"]) if process["command_line"] else "[%s]" % process["name"],
            )
        )
    return "\n".join(lines) + "\n"


def _map(groups):
    lines = [f"{'RSS':>8} {'PSS':>8} {'SWAP':>8} {'MAPS':>8}  WHAT"]
    for group in groups:
        sizes = tuple(format_size(group[key]) for key in ("rss_bytes", "pss_bytes", "swap_bytes"))
        lines.append("%8s %8s %8s %8d  %s" % (*sizes, group["mappings"], group["name"]))
    return "\n".join(lines) + "\n"
