# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that reads what a host is made of in one round trip, and the parts of its answer.

Like the probe's, the script needs no Python, writes no file, and may pass any login shell. It runs nothing that
belongs to a user: versions of gems in a user's home come from the names of files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError, SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import mountinfo
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.script import (
    KIT,
    fill,
    parts as parts_of,
    shown,
    text_of,
)

FILES = (
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/version",
    "/etc/os-release",
    "/etc/debian_version",
    "/proc/cmdline",
    "/etc/timezone",
    "/etc/default/locale",
    "/etc/locale.conf",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/kernel/mm/transparent_hugepage/defrag",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource",
    "/sys/class/dmi/id/sys_vendor",
    "/sys/class/dmi/id/product_name",
    *mountinfo.SOURCES,
)
# The properties that are read of each loaded unit.
PROPERTIES = ("Id", "UnitFileState", "ActiveState", "SubState", "Type", "RemainAfterExit", "TriggeredBy", "BusName")
# Only these variables of a worker's environment are read, because others may be passwords.
VARIABLES = (
    "MALLOC_[A-Z_]*",
    "RUBY_GC_[A-Z_]*",
    "RUBY_YJIT_[A-Z_]*",
    "RUBYOPT",
    "LD_PRELOAD",
    "RAILS_ENV",
    "RACK_ENV",
    "RAILS_MAX_THREADS",
    "WEB_CONCURRENCY",
    "LANG",
    "LC_ALL",
    "TZ",
    "GEM_HOME",
    "GEM_PATH",
    "BUNDLE_GEMFILE",
    "BUNDLE_PATH",
)

_END = "end"
_COMPLAINS = ("files", "sysctls")
# Bytes of one part.
_LIMIT = 1 << 20
# More processes of a worker have the same settings.
_PROCESSES = 32

_PATH = re.compile(r"/[A-Za-z0-9_./@+,:=-]*\Z")

# Where RubyGems, Debian, Bundler and the version managers install gems: on the host, in a home, in an application.
_OF_BOX = (
    "/usr/share/rubygems-integration/*",
    "/usr/lib/*/rubygems-integration/*",
    "/var/lib/gems/*",
    "/usr/lib/ruby/gems/*",
    "/usr/share/gems",
    "/usr/local/share/gems",
    "/usr/local/lib/ruby/gems/*",
    "/usr/local/bundle",
    "/opt/ruby*/lib/ruby/gems/*",
    "/opt/rubies/*/lib/ruby/gems/*",
    "/usr/local/rvm/gems/*",
    "/usr/local/rbenv/versions/*/lib/ruby/gems/*",
)
_OF_HOME = (
    ".gem/ruby/*",
    ".local/share/gem/ruby/*",
    ".rbenv/versions/*/lib/ruby/gems/*",
    ".rvm/gems/*",
    ".asdf/installs/ruby/*/lib/ruby/gems/*",
    ".local/share/mise/installs/ruby/*/lib/ruby/gems/*",
)
_OF_APP = ("vendor/bundle/ruby/*", "../shared/vendor/bundle/ruby/*", "../shared/bundle/ruby/*")

_HEAD = r"""
{ echo 1000 > /proc/self/oom_score_adj; } 2> /dev/null;
"""

_BOX = r"""
part files && taken 5 head -c 65536 @FILES@;
part localtime && taken 2 readlink /etc/localtime;
part cpu && taken 2 grep -m 1 -e "^model name" /proc/cpuinfo;
packages() { if [ -s /var/lib/dpkg/status ]; then
    dpkg-query -W -f "\${Package} \${Architecture} \${Version} \${Status}\n";
  else rpm -qa --qf "%{NAME} %{ARCH} %{EPOCH}:%{VERSION}-%{RELEASE} install ok installed\n"; fi; };
part packages && taken 30 packages;
part sysctls && taken 10 sysctl -a;
part unit_files && taken 20 systemctl --no-pager --no-legend --full list-unit-files;
part units && taken 20 systemctl --no-pager --property=@PROPERTIES@ show "*.service" "*.socket" "*.timer" "*.path";
part own_units && taken 5 find /etc/systemd/system -xdev -type f -exec cksum {} +;
rubies() { if r=$(command -v ruby); then ruby -v; fi; };
part ruby && taken 5 rubies;
"""

# A worker's user may have gems of its own. A process that has ended has no files.
_PROCESS = r"""
h=;
home() { while IFS=: read -r n x i g c d s; do
  if [ "$i" = "$1" ]; then case " $h " in *" $d "*);; *) h="$h $d";; esac; fi; done < /etc/passwd; };
environment() { head -c 131072 /proc/$p/environ | tr "\n\0" " \n" | grep -a -E -e "^(@VARIABLES@)="; };
for p in @PIDS@; do
  part limits/$p && taken 2 cat /proc/$p/limits;
  part exe/$p && taken 2 readlink /proc/$p/exe;
  part environment/$p && taken 5 environment;
  while read -r k i x; do case $k in Uid:) home $i;; esac; done < /proc/$p/status;
done;
for f in /proc/[0-9]*/stat; do
  read -r i n s q x < $f || continue;
  case "$n $q" in "(sshd) 1") part limits/sshd && taken 2 cat /proc/$i/limits;; esac;
done;
"""

# Homes and applications belong to users, who may put links to devices there, and mounts that never answer. A reader
# that hangs on one survives SIGKILL. Its descriptor 9 identifies it, and no further reader is started while it exists.
_GEMS = r"""
specifications() { if [ -d "$1/specifications" ]; then ls -1 "$1/specifications"; fi; };
gems() {
  for d in @OF_BOX@; do
    specifications "$d"; if [ -d "$d/specifications/default" ]; then ls -1 "$d/specifications/default"; fi; done;
  for o in /root $h; do for d in @OF_HOME@; do specifications "$d"; done; done;
  for o in @APPS@; do for d in @OF_APP@; do specifications "$d"; done; done; :; };
hangs() { for f in /proc/[0-9]*/stat; do read -r i y s p x < $f && case "$s $p" in "D 1") if [ -O /proc/$i ]; then
  case $(readlink /proc/$i/fd/9) in /proc/version) return 0;; esac; fi;; esac; done; return 1; };
part gems && { hangs || taken 10 gems 9< /proc/version; };
lock() { if [ ! -f "$1" ] || [ -h "$1" ]; then return 1; fi;
  if dd if=/dev/null iflag=nofollow,nonblock; then dd if="$1" iflag=nofollow,nonblock bs=65536; else cat "$1"; fi; };
n=0;
for o in @APPS@; do
  part lock/$n && { hangs || taken 5 lock "$o/Gemfile.lock" 9< /proc/version; }; n=$((n + 1)); done;
echo; echo "==> lifeline:@END@ <=="; }
"""


class Part(NamedTuple):
    """One part of the answer, and whether all of it came."""

    text: str
    whole: bool


def script(seconds: float, pids: Iterable[int] = (), apps: Iterable[str] = ()) -> str:
    """Return the script, in one line. After `seconds` no further part is begun.

    `pids` are the workers' processes, and `apps` the paths of their applications. Raises SettingsError if one is not a
    path that a shell takes as one word.
    """
    for app in apps:
        if not _PATH.match(app):
            raise SettingsError(f"app_path: not a path ({app!r}); use an absolute one of letters, digits and _./@+,:=-")
    values = {
        "OF_BOX": " ".join(_OF_BOX),
        # Only what stands outside of the quotes is a pattern: a home is one word, whatever it holds.
        "OF_HOME": " ".join(f'"$o"/{folder}' for folder in _OF_HOME),
        "OF_APP": " ".join(f'"$o"/{folder}' for folder in _OF_APP),
        "FILES": " ".join(FILES),
        "PROPERTIES": ",".join(PROPERTIES),
        "VARIABLES": "|".join(VARIABLES),
        "PIDS": " ".join(str(int(pid)) for pid in list(pids)[:_PROCESSES]),
        "APPS": " ".join(apps),
        "END": _END,
        "SECONDS": str(int(seconds)),
        "LIMIT": str(_LIMIT),
    }
    return "{ : lifeline-state; " + fill(_HEAD + KIT + _BOX + _PROCESS + _GEMS, values)


def parts(answer: str, errors: str) -> dict[str, Part]:
    """Return the parts of the answer by name.

    Raises ProbeError if that isn't what the script prints; `errors`, its standard error, may then say why.
    """
    found = parts_of(text_of(answer))
    if _END not in found:
        if found:
            raise ProbeError(f"the box stopped answering while its state was read ({len(found)} of its parts came)")
        raise ProbeError(f"the box did not answer with its state, but with {shown(answer + errors)}")
    del found[_END]
    # Missing files, and settings that only the kernel may read, do not make these two incomplete.
    read = {name: Part(part.text, part.ended if name in _COMPLAINS else part.whole) for name, part in found.items()}
    locks = [read.pop(name) for name in list(read) if name.startswith("lock/")]
    if locks:
        read["lock"] = Part("\n".join(lock.text for lock in locks), all(lock.whole for lock in locks))
    return read
