# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader that works from the controller: one POSIX sh script out, the sources of a box back.

The script must answer on a box that is out of memory: it starts few programs, all of them small, writes no file, and never
waits for a mount that hangs. It runs in dash, bash and busybox ash. Any login shell may stand in its way, so it holds no line
break, no single quote, and no exclamation mark that a C shell would make something of.

Its answer is in the form of C(head), which prints most of it: C(==> name <==), then the text. What processes can forge
(their names and command lines) comes last, and the first text of a name is the one that is believed.
"""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils._disks import facts as disk_facts, mounts
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import facts as oom_facts
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import (
    cgroup,
    container,
    fds,
    kernel_tables,
    memory,
    page_size,
    pressure,
    processes,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._reader import decode
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import watchdog

_MARK, _END = "lifeline-probe", "lifeline-probe-end"
_HEADER = re.compile(r"^==> (\S+) <==\n", re.MULTILINE)

_FOLDER = re.compile(r"^/proc/(\d{1,10})/fd:$")
_SOCKET = re.compile(r" -> socket:\[(\d{1,20})\]$")

_SYSTEM_LIMIT = 1 << 18
# A process names itself in its command line at will, so that comes last; of its limits only one line is wanted.
_TABLE_FILES = [name for name in processes.TABLE_FILES if name not in ("limits", "cmdline")] + ["cmdline"]
_SYSTEM_FILES = tuple(
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
    if path not in page_size.SOURCES
)

# Walk the mounts once. The local file systems become the positional parameters. One that may hang is asked by a process of
# its own, which may hang in our stead. The memory controllers give, from the shell's own control group upwards, the files
# with the limits.
_MOUNTS = r"""
c=; g=;
climb() { q=$2; while :; do for f in $3; do c="$c $1$q/$f"; done; case $q in ?*) q=${q%/*};; *) break;; esac; done; };
member() { while IFS=: read -r i k p; do case ",$k," in $1) case $p in "$2") p=;; "$2"/*) p=${p#"$2"};; esac;
  climb "$3" "${p%/}" "$4";; esac; done < /proc/self/cgroup; };
set --;
while read -r i p v r m o x; do
  t=${x#*- }; s=${t##* }; t=${t%% *};
  case $r in /) r=;; esac;
  case $t in
    cgroup2) member ",," "$r" "$m" "@V2@";;
    cgroup) case ",$s," in *,memory,*) member "*,memory,*" "$r" "$m" "@V1@";; esac;;
    @SKIPPED@);;
    @GUARDED@) stat -f "$(printf %b "$m")" < /dev/null > /dev/null & g="$g $! $m";;
    *) case $m in @HIDDEN@) continue;; *\\*) m=$(printf %b "$m");; esac; set -- "$@" "$m";;
  esac;
done < /proc/self/mountinfo;
"""

_SYSTEM = r"""
head -c @SYSTEM_LIMIT@ @FILES@ @PATTERNS@ $c;
echo; echo "==> statfs <==";
case $# in 0);; *) stat -f -c "@STATFS@" "$@";; esac;
"""

# Who has answered a process of its own is asked for the figures; a process that is gone, or a zombie, has had its answer.
_GUARDED = r"""
set -f; set -- $g; set +f;
n=0;
while [ $# -gt 0 ]; do
  s=; read -r s < /proc/$1/stat; m=$(printf %b "$2");
  case $s in
    "" | *")"?[ZX]*) stat -f -c "@STATFS@" "$m" || echo "error $m"; shift 2;;
    *) if [ $n -lt @TIMEOUT@ ]; then sleep 0.05 || sleep 1; n=$((n + 1)); else kill -9 $1; echo "hung $m"; shift 2; fi;;
  esac;
done;
"""

# From kernel 6.2 on the size of the directory is the number of descriptors; before, they have to be listed.
_DESCRIPTORS = r"""
echo; echo "==> fds <==";
read -r v < /proc/sys/kernel/osrelease; r=${v#*.}; r=${r%%[.-]*};
if [ "${v%%.*}" -gt 6 ] || { [ "${v%%.*}" -eq 6 ] && [ "$r" -ge 2 ]; };
then stat -c "%s %n" /proc/[0-9]*/fd;
else for d in /proc/[0-9]*/fd; do if [ -r $d ]; then set -- $d/*; if [ -h $1 ]; then echo "$# $d"; else echo "0 $d"; fi; fi; done;
fi;
"""

# The section of the log is there only if it may be read: it then has at least one line. Where the kernel counts no kill since
# boot, its log has none. To read its records as they are takes half the time that dmesg needs to read and to print them; dmesg
# is for where dd can't read without waiting (busybox), and where there is no /dev/kmsg (containers).
_LINES_AND_LOG = r"""
l=$(grep -s -e "^Max open files" -e "^oom_kill " -e "^0::" -e ":name=systemd:" -e ":0000 0[A7] "
  /proc/vmstat /proc/[0-9]*/limits @SOCKETS@);
echo; echo "==> lines <=="; printf "%s\n" "$l";
case $l in
  */vmstat:oom_kill\ 0*) echo; echo "==> dmesg <==";;
  *)
    log() { if read -r k; then echo; echo "==> dmesg <=="; printf "%s\n" "$k"; grep -a -A1 -F @ANCHORS@; :; else false; fi; };
    { [ -r /dev/kmsg ] && dd if=/dev/kmsg iflag=nonblock ibs=8192 obs=65536 | log; } || dmesg -r | log;;
esac;
"""

# Who has the sockets that listen: a look at every descriptor, so it is taken only where somebody wants to know.
_HOLDERS = r"""
s=$(printf "%s\n" "$l" | while IFS=": " read -r f n a p r q s x y z w v u o i k; do
  case $f in /proc/net/*) echo "socket:[$i]";; esac; done);
echo; echo "==> holders <==";
case $s in ?*) ls -l /proc/[0-9]*/fd | grep -a -F -e "/fd:" -e "$s";; esac;
"""

# So many processes that their files make no argument list are read kind by kind.
_PROCESSES = r"""
echo; head -c @PROCESS_LIMIT@ @PAGE_SIZE@ @TABLE@;
case $? in 126) for f in @TABLE_FILES@; do echo; head -c @PROCESS_LIMIT@ /proc/[0-9]*/$f; done;; esac;
"""


def script(timeout, listeners=False):
    """The script, in one line. V(timeout) is how many seconds a mount that may hang is waited for; V(listeners) whether who listens."""
    # In braces it is one command, to which Ansible may append others.
    text = "{ : %s; exec 2> /dev/null; LC_ALL=C; export LC_ALL; PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin;" % _MARK
    text += _MOUNTS + _SYSTEM + _GUARDED + _DESCRIPTORS + _LINES_AND_LOG + (_HOLDERS if listeners else "") + _PROCESSES
    sockets = ()
    if listeners:
        # As in _settings, for the few that want it.
        from ansible_collections.lifeline.fleet.plugins.module_utils._proc import listeners as proc_listeners

        sockets = ("/proc/[0-9]*/cgroup", *proc_listeners.SOURCES)
    text += 'echo; echo "==> %s <=="; }' % _END
    for name, value in (
        ("V1", " ".join(cgroup.FILES[1])),
        ("V2", " ".join(cgroup.FILES[2])),
        ("SKIPPED", "|".join(mounts.PSEUDO_TYPES)),
        ("GUARDED", "|".join(mounts.NETWORK_TYPES)),
        ("HIDDEN", "|".join(prefix + "/*" for prefix in mounts.HIDDEN_PREFIXES)),
        ("SYSTEM_LIMIT", str(_SYSTEM_LIMIT)),
        ("PAGE_SIZE", " ".join(page_size.SOURCES)),
        ("PROCESS_LIMIT", str(page_size.READ_LIMIT)),
        ("FILES", " ".join(_SYSTEM_FILES)),
        ("PATTERNS", " ".join(watchdog.PATTERNS)),
        ("STATFS", "%S %s %b %f %a %c %d %n"),
        ("TIMEOUT", str(max(1, round(timeout / 0.05)))),
        ("ANCHORS", " ".join(f'-e "{anchor}"' for anchor in oom_facts.ANCHORS)),
        ("SOCKETS", " ".join(sockets)),
        ("TABLE_FILES", " ".join(_TABLE_FILES)),
        ("TABLE", " ".join("/proc/[0-9]*/" + name for name in _TABLE_FILES)),
    ):
        text = text.replace(f"@{name}@", value)
    return " ".join(text.split("\n"))


def sources(answer, errors=""):
    """The box's sources out of the script's standard output.

    Raises ProbeError where that isn't what the script prints; V(errors), its standard error, may then say why.
    """
    text = decode(answer.encode("utf-8", "surrogateescape"))
    # A terminal in between, as become may want one, ends its lines in its own way.
    text = text.replace("\r\n", "\n")
    names_and_texts = _HEADER.split(text)[1:]
    found = {}
    for name, section in zip(names_and_texts[::2], names_and_texts[1::2]):
        found.setdefault(name, section[:-1] if section.endswith("\n") else section)
    if "/proc/meminfo" not in found or _END not in found:
        raise ProbeError(_complaint(text + errors, found))
    found.update(_lines(found.pop("lines", "")))
    if "holders" in found:
        found["sockets"] = _holders(found.pop("holders"))
    del found[_END]
    for path in [path for path, section in found.items() if path.endswith("/cmdline") and _MARK in section]:
        # The shells that the probe runs in speak of much that is no worker.
        found[path] = _MARK
    return found


def _lines(text):
    """The lines that were sought in many files, as the texts of these files."""
    texts = {}
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        if colon and name not in _SYSTEM_FILES:
            texts[name] = f"{texts.get(name, '')}{rest}\n"
    return texts


def _holders(listed):
    """Lines of a socket's number and a process's, out of what C(ls -l) says of the descriptors of all processes."""
    lines, pid = [], None
    for line in listed.splitlines():
        folder, link = _FOLDER.match(line), _SOCKET.search(line)
        if folder:
            pid = folder.group(1)
        elif link and pid:
            lines.append(f"{link.group(1)} {pid}\n")
    return "".join(lines)


def _complaint(text, found):
    if found and _END not in found:
        return f"the box stopped answering in the middle of the probe ({len(found)} of its sources came)"
    shown = " ".join(text.split())[:200]
    return f"the box did not run the probe: it answered {repr(shown) if shown else 'nothing'}"
