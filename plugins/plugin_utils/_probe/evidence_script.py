# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that takes evidence of a host in one round trip, and the parts of its answer.

It begins with the script of `health.py`, so an archive is a recorded host that the collection's own parsers can read
again, and adds what only people read. It writes no file on the host, runs one small program at a time, and asks the
kernel to kill it before all others if memory runs out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.lifeline.fleet.plugins.module_utils._disks import mounts
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import health, health_answer
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.script import KIT, fill, parts as parts_of, text_of

SLOW = "not taken: the box is too slow\n"

# The number of largest processes that are read in addition to the requested ones.
_LARGEST, _LARGEST_LEAN = 3, 1
# Bytes of one part.
_LIMIT = 1 << 19
_END = "end"
# The end of the health script's answer. The text before it may hold no such long heading.
_HEALTH_END = f"==> lifeline:{health.SLASHES}{_END} <==\n"

# A name goes into a shell's words, and must be a unit of systemd's, not an option.
_UNIT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.\\@-]{0,249}")
# These names are no files: closing them frees nothing on a disk.
_NO_FILES = ("/memfd:", "/dev/", "/SYSV", "/[aio]", "/i915", "/anon_hugepage", "/drm")

_HEAD = r"""
{ echo 1000 > /proc/self/oom_score_adj; } 2> /dev/null;
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

# A deleted file of a mount that may hang is not asked for its size. Names of files and control groups are a user's: NUL
# ends a record, and a name is a unit's only if it looks like one.
_PARTS = r"""
part cgroups && taken 5 grep -s -e "^0::" -e ":name=systemd:" /proc/[0-9]*/cgroup;
part adjustments && taken 5 grep -s "" /proc/[0-9]*/oom_score_adj;
kernel() { dmesg | tail -n 1000; };
part kernel.log && taken 5 kernel;
for f in @FILES@; do part proc/$f && taken 5 cat /proc/$f; done;
maps() { grep -a -E -e "^[0-9a-f]+-" -e "^(Size|Rss|Pss|Swap|Private_Clean|Private_Dirty):" /proc/$i/smaps; };
links() { find "$@" -maxdepth 1 -type l -printf "%p %l\0" | tr "\n\0" "?\n"; };
o=;
for i in $p; do
  while IFS=: read -r k c q; do case $c in ""|name=systemd) q=${q##*/}; case $q in [A-Za-z0-9_]*.service)
    case "$o @UNITS@ " in *" $q "*);; *) o="$o $q";; esac;; esac;; esac; done < /proc/$i/cgroup;
  for f in status limits wchan smaps_rollup; do part proc/$i/$f && taken 5 cat /proc/$i/$f; done;
  part proc/$i/smaps && taken 10 maps;
  part descriptors/$i && taken 5 links /proc/$i/fd;
done;
answers() { w=; while read -r k y x; do case $k in mnt_id:) w=$y;; esac; done < ${1%/fd/*}/fdinfo/${1##*/};
  while read -r i y q r m k x; do if [ "$i" = "$w" ]; then y=${x#*- }; case ${y%% *} in @GUARDED@) return 1;; esac;
    return 0; fi; done < ${1%/fd/*}/mountinfo; return 1; };
deleted() { find /proc/[0-9]*/fd -maxdepth 1 -type l -lname "* (deleted)" -printf "%p %l\0" | tr "\n\0" "?\n" |
  head -n 1000 | while read -r f l; do
  case $l in @NO_FILES@);; *) answers $f && echo "$(stat -L -c "%h %b %B %d:%i" $f) $f $l";; esac; done; };
part deleted && taken 12 deleted;
part space && taken 5 du -skx /var/cache/apt/archives /var/log/journal;
set -f;
part units && taken 10 systemctl --no-pager show -- @UNITS@ $o;
part monit && taken 5 monit -B summary;
"""

_MORE = r"""
part units.failed && taken 5 systemctl --no-pager --plain list-units --failed;
part monit.status && taken 5 monit -B status;
part sockets && taken 5 ss -tulpn;
redis() { printf "%s\n" info "get stat:processed" "get stat:failed" "smembers queues" "zcard retry" "zcard dead" \
  "smembers processes" | redis-cli --raw; };
part redis && taken 3 redis;
part units.log && taken 10 systemctl --no-pager --full --lines 100 status -- @UNITS@ $o;
"""

_LAST = r"""
echo; echo "==> lifeline:@END@ <=="; :; }
"""

_FILES = ("net/sockstat", "net/tcp", "net/tcp6", "net/udp", "swaps", "buddyinfo", "slabinfo")
_MORE_FILES = ("zoneinfo", "net/sockstat6", "net/unix")


def script(
    timeout: float, seconds: int, pids: Iterable[int] = (), units: Iterable[str] = (), lean: bool = False
) -> str:
    """Return the script, in one line. `timeout` is the probe's; after `seconds` no further part is begun.

    `pids` and `units` are read in addition to the largest processes and their units. `lean` leaves out the parts that
    take most memory.
    """
    text = _CHOOSE + _PARTS + ("" if lean else _MORE) + _LAST
    values = {
        "SECONDS": str(seconds),
        "LIMIT": str(_LIMIT),
        "END": _END,
        "LARGEST": str(_LARGEST_LEAN if lean else _LARGEST),
        "FILES": " ".join(_FILES if lean else _FILES + _MORE_FILES),
        "PIDS": " ".join(str(int(pid)) for pid in pids),
        "UNITS": " ".join(unit for unit in units if _UNIT.fullmatch(unit)),
        "GUARDED": "|".join(mounts.NETWORK_TYPES),
        "NO_FILES": "|".join(name.replace("[", r"\[") + "*" for name in _NO_FILES),
    }
    # In braces it is one command, to which Ansible may append others.
    return "{ " + fill(_HEAD, {}) + " " + health.script(timeout) + "; " + fill(KIT + text, values)


def parts(answer: str, errors: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the probe's sources and the other parts, by name.

    Raises ProbeError if that isn't what the script prints, or not all of it.
    """
    text = text_of(answer)
    probed, end, rest = text.partition(_HEALTH_END)
    sources = health_answer.sources(probed + end, errors)
    found = parts_of(rest)
    if _END not in found:
        raise ProbeError(f"the box stopped answering while its evidence was read ({len(found)} of its parts came)")
    del found[_END]
    return sources, {name: SLOW if part.late else part.text for name, part in found.items()}
