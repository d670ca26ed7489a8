# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that reads a host from the controller: one round trip, no Python on the host.

The script must answer on a host that is out of memory: it starts few programs, all of them small, writes no file, and
never waits for long. `script.py` says how its answer is kept from being forged, `health_answer.py` reads it.

Three things may hang: a mount of the network, a pidfile (its owner may put a FIFO in its place), and the command line
of a process, which lies in memory that may be mapped from a hung mount. Each is read by a process of its own whose
output goes through `cat`. After a while `cat` is killed; the reader may survive SIGKILL, but keeps no file of the
session open. Readers of earlier probes that still hang are recognized, and no further one is sent there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ansible_collections.lifeline.fleet.plugins.module_utils._disks import facts as disk_facts, mounts
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import crashes, units
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import Worker
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import facts as oom_facts
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import (
    cgroup,
    container,
    fds,
    kernel_tables,
    memory,
    mountinfo,
    page_size,
    pressure,
    processes,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import watchdog
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import needles
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.script import ALIVE, fill

# The script contains it, so its shells can be told from workers.
MARK = "lifeline-probe"
SYSTEM_LIMIT = 1 << 18
# Bytes of a command line or a pidfile. Only headings of more bytes are accepted where these are printed.
COMMAND_LIMIT = 512
SLASHES = "/" * (COMMAND_LIMIT + 32)

# Files of each process that hold no text of a user but the process's name.
PROCESS_FILES = ("stat", "oom_score_adj")
SYSTEM_FILES = tuple(
    path
    for path in dict.fromkeys(
        memory.SOURCES
        + pressure.SOURCES
        + disk_facts.SOURCES
        + fds.SOURCES
        + oom_facts.SOURCES
        + processes.SOURCES
        + container.SOURCES
        + kernel_tables.SOURCES
    )
    if path not in (*page_size.SOURCES, *mountinfo.SOURCES)
)
# Short files that a shell can read without a process of its own.
TOLD = (
    "/proc/meminfo",
    "/proc/loadavg",
    "/proc/uptime",
    "/proc/sys/fs/file-nr",
    "/proc/sys/kernel/pid_max",
    "/proc/sys/kernel/threads-max",
)
# A name goes into a shell's words.
_PIDFILE = re.compile(r"/run/(?:[A-Za-z0-9_.@:-]{1,100}/){0,4}[A-Za-z0-9_.@:-]{1,100}\.pid")
_UNIT = re.compile(r"[A-Za-z0-9_.:@*-]{1,200}\.service")
_NEEDLE = re.compile(r"[A-Za-z0-9_.:@/,=+-]{1,200}")
# Where systemd keeps the control groups of units, with and without a slice of their own.
_SLICES = tuple(f"/sys/fs/cgroup{hierarchy}/{depth}" for hierarchy in ("", "/systemd") for depth in ("*", "*/*"))
# Seconds in which a process's command line, or a pidfile, must have been read.
_PATIENCE = 1

# In the first fork, grep reads the mounts. If the host can't start a process, the shell ends there, and tells with its
# own commands what little it can read. Its complaint is on the standard error, which is closed only after that fork.
_START = r"""
LC_ALL=C; QUOTING_STYLE=escape; export LC_ALL QUOTING_STYLE;
PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin;
mark() { echo; echo "==> lifeline:$1 <=="; };
told() { mark exhausted; for f in @TOLD@; do
  echo "==> $f <=="; while read -r x; do echo "$x"; done < $f; echo; done; };
trap told EXIT;
M=$(grep -v -E "^[0-9]+ [0-9]+ [0-9:]+ [^ ]+ (@DROPPED@)/" /proc/self/mountinfo);
trap - EXIT; exec 2> /dev/null;
readers() { for f in /proc/[0-9]*/stat; do
  read -r i n s p x < $f && case "$n $p" in "(head) $me" | "(stat) $me" | "(xargs) $me")
    if [ -O /proc/$i ]; then echo $i; fi;; esac; done; };
fits() { n=$(($1 * $2)); [ $n -lt 65536 ] ||
  { u=$(ulimit -s); case $u in *[a-z]*) u=24576;; esac; [ $n -lt $((u * 256 - 65536)) ]; }; };
"""

# Walk the mounts once, without those of containers, which can be thousands. A shell that reads them from the file makes
# a system call for each byte, so `M` gets them from grep. `e` holds the local file systems, and `q` the number and name
# of those that may hang. Both have the names as the kernel escapes them. `d` holds all that may hang, including the
# FUSE mounts of users, `g`, which are not asked: they are no disks of the host, and the user chooses their server. The
# path of a local file system may lead through any of these. `c` holds the files with the memory limits, from the
# shell's own control group upwards.
_MOUNTS = r"""
c=; q=; e=; d=; g=; w=;
climb() { y=$2; while :; do for f in $3; do c="$c $1$y/$f"; done; case $y in ?*) y=${y%/*};; *) break;; esac; done; };
member() { while IFS=: read -r i k p; do case ",$k," in $1) case $p in "$2") p=;; "$2"/*) p=${p#"$2"};; esac;
  climb "$3" "${p%/}" "$4";; esac; done < /proc/self/cgroup; };
IFS=${IFS#??}; set -f;
for x in $M; do
  IFS=" "; set -- $x; v=$3; r=$4; m=$5; t=${x#* - }; s=${t##* }; t=${t%% *};
  case $r in /) r=;; esac;
  case $t in
    cgroup2) member ",," "$r" "$m" "@V2@";;
    cgroup) case ",$s," in *,memory,*) member "*,memory,*" "$r" "$m" "@V1@";;
      *,pids,*) member "*,pids,*" "$r" "$m" "@PIDS@";; esac;;
    @SKIPPED@);;
    @GUARDED@) d="$d $m "; case $t,$s, in fuse*,user_id=[1-9]*) g="$g $m ";; *) q="$q $v $m";; esac;;
    *) case $m in @HIDDEN@);; *) e="$e $m"; w="$w $v $m";; esac;;
  esac;
done;
unset IFS; set +f;
case $d in ?*)
  set -f; set -- $w; set +f; e=;
  while [ $# -gt 0 ]; do
    y=$2;
    while :; do case $d in *" $y "*) break;; esac; case $y in /?*) y=${y%/*};; *) y=; break;; esac; done;
    case $y in "") e="$e $2";; *) case $g in *" $y "*);; *) q="$q $1 $2";; esac;; esac;
    shift 2;
  done;;
esac;
"""

# The children of init. `o` holds the score of sshd's listener. Init has also adopted the readers of earlier probes that
# still hang: `h` holds the files, and `k` the devices of the mounts, on which they hang. A shell makes a system call
# for each byte that it reads, so only the name is read of most of them.
_CHILDREN = r"""
o=; h=; k=; p=; read -r p < /proc/1/task/1/children; case $p in "") set -- /proc/[0-9]*;; *) set -- $p;; esac;
for i; do
  i=${i#/proc/}; n=;
  read -r n < /proc/$i/comm || { read -r f n x < /proc/$i/stat; n=${n#?}; n=${n%?}; };
  case $n in
    sshd) o="$o /proc/$i/oom_score_adj";;
    head | stat) read -r f x s y < /proc/$i/stat && [ -O /proc/$i ] && case "$n $s" in
      "head D") h="$h $(readlink /proc/$i/fd/3) ";;
      "stat D") k="$k $(tr "\0" " " < /proc/$i/cmdline) ";;
    esac;;
  esac;
done;
"""

# The arguments of a command are limited; xargs splits a list that exceeds the limit.
_FILES = r"""
mark files;
set -- @FILES@ @PATTERNS@ @MEMBERS@ @NOTED@ $c $o @TABLE@;
if fits $# 48; then head -c @SYSTEM_LIMIT@ "$@"; else printf "%s\n" "$@" | xargs head -c @SYSTEM_LIMIT@; fi;
"""

# A name may contain anything, so an answer has only the position of its mount in the list of names.
_STATFS = r"""
mark mountinfo; printf "%s\n" "$M";
mark mounts; printf "%s\n" "$e";
mark statfs; set -f; set --;
case $e in *\\*) for m in $e; do case $m in *\\*) m=$(printf %b "$m");; esac; set -- "$@" "$m"; done;;
  *) set -- $e;; esac;
set +f;
case $# in 0);; *)
  if s=$(stat -f -c "@STATFS@" "$@"); then printf "%s\n" "$s";
  else for m; do stat -f -c "@STATFS@" "$m" ||
    case $(stat -f "$m" 2>&1) in *ermission?denied) echo denied;; *) echo error;; esac; done; fi;;
esac;
"""

_GUARDED = r"""
case $q in ?*)
  mark guarded.mounts; printf "%s\n" "$q";
  mark guarded; set -f; set -- $q; set +f; n=0; a=;
  while [ $# -gt 0 ]; do
    n=$((n + 1));
    case $k in *" lifeline:$1 "*) echo "$n hung";; *)
      stat -f -c "lifeline:$1 $n @STATFS@" "$(printf %b "$2")" 2>&1 < /dev/null |
        sed -e "s/^stat: .*ermission denied/$n denied/" -e q & j=$! ; a="$a $j:$n";; esac;
    shift 2;
  done;
  n=0;
  while :; do
    w=; for j in $a; do if alive ${j%:*}; then w="$w $j"; fi; done; a=$w;
    case $a in "") break;; esac;
    if [ $n -ge @TIMEOUT@ ]; then
      kill -9 $(readers); for j in $a; do kill -9 ${j%:*}; echo "${j#*:} hung"; done; break; fi;
    sleep 0.05 || sleep 1; n=$((n + 1));
  done;;
esac;
"""

# From kernel 6.2 on, the size of the directory is the number of descriptors. Older kernels need a listing.
_DESCRIPTORS = r"""
mark fds;
read -r v < /proc/sys/kernel/osrelease; r=${v#*.}; r=${r%%[.-]*};
if [ "${v%%.*}" -gt 6 ] || { [ "${v%%.*}" -eq 6 ] && [ "$r" -ge 2 ]; };
then stat -c "%s %n" /proc/[0-9]*/fd;
else for d in /proc/[0-9]*/fd; do
  if [ -r $d ]; then set -- $d/*; if [ -h $1 ]; then echo "$# $d"; else echo "0 $d"; fi; fi; done;
fi;
"""

# Give the last command of the background a second. Then kill the programs with a name that this shell has started.
_LATE = r"""
late() { n=0; while alive $c && [ $n -lt @PATIENCE@ ]; do n=$((n + 1)); sleep 0.02 || sleep 1; done; alive $c || return;
  for f in /proc/[0-9]*/stat; do
    read -r i n s p x < $f && case "$n $p" in "($1) $me" | "(xargs) $me") kill -9 $i;; esac; done; kill -9 $c; };
"""

# Query systemd about the units of workers, if a process of theirs was started in the last hour, or if an installed unit
# has no process. systemctl takes 8 ms and 2 MB, and waits as long as systemd does not answer.
_RESTARTS = r"""
mark units; Y=; read -r u x < /proc/uptime; u=$(((${u%.*} - @YOUNG@) * 100));
for i in @UNITS@; do
  w=;
  for f in @SLICES@; do while read -r p; do
    w=1; read -r x n s x x x x x x x x x x x x x x x x x x b y < /proc/$p/stat && if [ "$b" -gt $u ]; then Y=1; fi;
  done < $f/cgroup.procs; done;
  n=$i; case $i in *@*) n=${i%%@*}@.service;; esac;
  case $w in "") for f in /etc/systemd/system /run/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
    if [ -e $f/$n ]; then Y=1; fi; done;; esac;
done;
case $Y in 1) set -f; systemctl show --no-pager @SHOWN@ -- @UNITS@ < /dev/null | head -c 16384 & c=$! ; set +f;
  late systemctl;; esac;
"""

# The whole command lines that have one of the texts that the pattern of a worker needs. grep puts the name of the file
# before each line of them.
_WHOLE = r"""
mark whole;
set -- /proc/[0-9]*/cmdline;
if fits $# 32; then grep -a -s -H -F @NEEDLES@ "$@" < /dev/null | head -c @TEXT_LIMIT@ &
else printf "%s\n" "$@" | xargs grep -a -s -H -F @NEEDLES@ | head -c @TEXT_LIMIT@ & fi;
c=$! ; late grep;
"""

# Try up to three times, each time without the file that hung. Meanwhile the shell collects the lines that are searched
# in many files, but does not print them.
# The way to a pidfile is looked at from above: its owner's links and mounts may lead to a server that never answers.
_COMMANDS = r"""
z=@Z16@; z=$z$z$z$z; z=$z$z$z$z;
mark commands;
set --;
for f in @PIDFILES@; do
  y=/run; s=; IFS=/;
  for x in ${f#/run/}; do
    y=$y/$x; case $s in "") case $d in *" $y "*) s=d;; *) if [ -h "$y" ]; then s=h; fi;; esac;; esac; done;
  unset IFS; case $s in d) h="$h $f ";; "") if [ -f $f ]; then set -- "$@" /run$z${f#/run/}; fi;; esac;
done;
set -- "$@" /proc${z}self/smaps /proc$z[0-9]*/cmdline;
l=;
for y in 1 2 3; do
  case $h in *[a-z]*) n=$#; while [ $n -gt 0 ]; do
    f=$1; shift; n=$((n - 1)); case $h in *" ${f%%//*}/${f##*//} "*);; *) set -- "$@" "$f";; esac; done;; esac;
  if fits $# @ARGUMENT@; then head -c @COMMAND_LIMIT@ "$@" < /dev/null 3>&- | cat &
  else printf "%s\n" "$@" | xargs head -c @COMMAND_LIMIT@ | cat & fi;
  c=$! ;
  case $l in "") l=$(grep -s -m 20000 -e "^Max open files" -e "^oom_kill " -e "^0::" -e ":name=systemd:"
    -e ":0000 0[A7] " /proc/vmstat /proc/[0-9]*/limits @SOCKETS@);; esac;
  n=0; while alive $c && [ $n -lt @PATIENCE@ ]; do n=$((n + 1)); sleep 0.02 || sleep 1; done;
  if alive $c; then :; else break; fi;
  w=; for i in $(readers); do w="$w $(readlink /proc/$i/fd/3) "; kill -9 $i; done;
  sleep 0.05 || sleep 1; kill -9 $c;
  case $w in *[a-z]*) h="$h$w";; *) h="$h @PIDFILES@ ";; esac;
  case $y in 3) h="$h rest ";; esac;
done;
mark ${z}unread; printf "%s\n" "$h";
mark ${z}lines; printf "%s\n" "$l";
"""

# The part `dmesg` is there only if the log may be read: it then has at least one line. If the kernel counts no kill
# since boot, and no worker may have crashed, its log has nothing of interest. Reading
# its records as they are takes half the time that dmesg needs to read and print them; dmesg is for systems whose dd
# can't read without waiting (busybox) or that have no /dev/kmsg (containers).
_LOG = r"""
case @LOGGED@$l in
  /*vmstat:oom_kill\ 0*) mark ${z}dmesg;;
  *)
    log() { if read -r k; then mark ${z}dmesg; printf "%s\n" "$k"; grep -a -A1 -F @ANCHORS@ | head -c @TEXT_LIMIT@; :;
      else false; fi; };
    { [ -r /dev/kmsg ] && dd if=/dev/kmsg iflag=nonblock ibs=8192 obs=65536 | log; } || dmesg -r | log;;
esac;
"""

# Find the processes of the listening sockets. This reads every descriptor, so it runs only on request. If the
# numbers of the sockets are too many for an argument, all sockets are printed.
_HOLDERS = r"""
s=$(printf "%s\n" "$l" | while IFS=": " read -r f n a p r q s x y z w v u o i k; do
  case $f in /proc/net/*) echo "socket:[$i]";; esac; done);
mark ${z}holders;
case $s in ?*)
  if [ ${#s} -gt 65536 ]; then s="socket:["; fi;
  ls -l /proc/[0-9]*/fd | grep -a -F -e "/fd:" -e "$s" | head -c @TEXT_LIMIT@;;
esac;
"""


class Wanted(NamedTuple):
    """The part of a script about workers: their pidfiles and control groups, their units, and texts of command
    lines."""

    pidfiles: Iterable[str] = ()
    units: Iterable[str] = ()
    members: Iterable[str] = ()
    needles: Iterable[str] = ()


def wanted(workers: Sequence[Worker]) -> Wanted:
    """Return what the script has to read of these workers."""
    known = [worker for worker in workers if not worker.pidfile]
    return Wanted(
        [worker.pidfile for worker in workers if worker.pidfile],
        [unit for worker in known for unit in worker.units if _UNIT.fullmatch(unit)],
        [worker.unit for worker in known if worker.unit and _UNIT.fullmatch(worker.unit)],
        [
            needle
            for worker in known
            if not worker.unit and not worker.is_default
            for needle in needles.of(worker.pattern.pattern)
            if _NEEDLE.fullmatch(needle)
        ],
    )


def script(timeout: float, listeners: bool = False, workers: Iterable[Worker] = ()) -> str:
    """Return the script, in one line.

    `timeout` is how many seconds a mount that may hang is waited for. With `listeners` it tells which processes listen.
    """
    known = list(workers)
    of_workers = wanted(known)
    # In braces it is one command, to which Ansible may append others.
    text = f"{{ : {MARK};" + ALIVE + _START + _MOUNTS + _CHILDREN + _FILES + _STATFS + _GUARDED + _DESCRIPTORS
    if of_workers.units or of_workers.needles:
        text += _LATE + (_RESTARTS if of_workers.units else "") + (_WHOLE if of_workers.needles else "")
    text += _COMMANDS + _LOG + (_HOLDERS if listeners else "") + "mark ${z}end; }"
    sockets: tuple[str, ...] = ()
    if listeners:
        # Ansible compiles the imports of a collection's plugins again in each run, and few hosts need this one.
        from ansible_collections.lifeline.fleet.plugins.module_utils._proc import listeners as proc_listeners

        sockets = ("/proc/[0-9]*/cgroup", *proc_listeners.SOURCES)
    values = {
        "V1": " ".join(cgroup.FILES[1]),
        "PIDS": " ".join(cgroup.V1_PIDS),
        "V2": " ".join(cgroup.FILES[2]),
        "SKIPPED": "|".join(mounts.PSEUDO_TYPES),
        "GUARDED": "|".join(mounts.NETWORK_TYPES),
        "HIDDEN": "|".join(prefix + "/*" for prefix in mounts.HIDDEN_PREFIXES),
        "SYSTEM_LIMIT": str(SYSTEM_LIMIT),
        "COMMAND_LIMIT": str(COMMAND_LIMIT),
        "TEXT_LIMIT": str(1 << 22),
        "FILES": " ".join(SYSTEM_FILES),
        "PATTERNS": " ".join(kernel_tables.PATTERNS),
        "NOTED": watchdog.STATE % "*",
        "TABLE": "/proc/[0-9]*/stat",
        "STATFS": "%S %s %b %f %a %c %d",
        "TIMEOUT": str(max(1, round(timeout / 0.05))),
        "PATIENCE": str(round(_PATIENCE / 0.02)),
        "ANCHORS": " ".join(f'-e "{anchor}"' for anchor in (*oom_facts.ANCHORS, *crashes.ANCHORS)),
        "SOCKETS": " ".join(sockets),
        "PIDFILES": " ".join(path for path in of_workers.pidfiles if _PIDFILE.fullmatch(path)),
        "UNITS": " ".join(of_workers.units),
        "SHOWN": " ".join(f"-p {name}" for name in units.PROPERTIES),
        "MEMBERS": " ".join(f"{folder}/{unit}/cgroup.procs" for unit in of_workers.members for folder in _SLICES),
        "NEEDLES": " ".join(f'-e "{needle}"' for needle in of_workers.needles),
        "LOGGED": "1" if any(worker.required for worker in known) else "",
        "TOLD": " ".join(TOLD),
        "SLICES": " ".join(f"{folder}/$i" for folder in _SLICES),
        "YOUNG": str(crashes.WINDOW),
        "DROPPED": "|".join(re.escape(prefix) for prefix in mounts.HIDDEN_PREFIXES if prefix not in ("/proc", "/sys")),
        "Z16": SLASHES[: len(SLASHES) // 16],
        "ARGUMENT": str(len(SLASHES) + 40),
    }
    return fill(text, values)
