# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a box is made of, asked in one round trip: one script for its shell, and the parts of its answer.

Like the probe, the script needs no Python, writes no file, and holds no line break, no single quote and no exclamation mark. It runs
nothing that belongs to a user: versions of what lies in somebody's home are told by the names of files. Each part is bounded in time and
in size. The marks have a word in them that nobody on the box knows beforehand, so that no text can pretend to be another part.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError, SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import mountinfo
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.shell import sections

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
# What systemd is asked of each unit that it has in memory.
PROPERTIES = ("Id", "UnitFileState", "ActiveState", "SubState", "Type", "RemainAfterExit", "TriggeredBy", "BusName")
# Of a worker's environment, nothing else leaves the box: the rest may be passwords.
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

_END, _WHOLE = "end", "whole"
# Nothing of a box's may fill the controller.
_LIMIT = 1 << 20
# Of more processes than that, the settings would be the same.
_PROCESSES = 32

_PATH = re.compile(r"/[A-Za-z0-9_./@+,:=-]*\Z")

# Where RubyGems, Debian, Bundler and the version managers keep what they have installed: on the box, in a home, in an application.
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

# Who reads a state is the first that may go where memory runs out. A part is begun only while there is time; a program that hangs is
# killed. The mark at a part's end says that all of it came; files that aren't there and settings that nobody may read take nothing from it.
_HEAD = r"""
{ : @WORD@; exec 2> /dev/null; LC_ALL=C; export LC_ALL; PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin;
echo 1000 > /proc/self/oom_score_adj;
up() { read -r u v < /proc/uptime; u=${u%%.*}; };
up; b=$u;
part() { up; echo; echo "==> @WORD@ $1 <=="; [ $((u - b)) -lt @SECONDS@ ]; };
whole() { echo; echo "==> @WORD@ @WHOLE@ <=="; };
limited() { if command -v timeout > /dev/null; then timeout -s KILL "$@"; else shift; "$@"; fi < /dev/null; };
ended() { case $? in 124|126|127|137) false;; esac; };
"""

_BOX = r"""
part files && { limited 5 head -c 65536 @FILES@; ended && whole; };
part localtime && readlink /etc/localtime;
part cpu && grep -m 1 -e "^model name" /proc/cpuinfo;
part packages && {
  if [ -s /var/lib/dpkg/status ]; then
    limited 20 dpkg-query -W -f "\${Package} \${Architecture} \${Version} \${Status}\n" && whole;
  else
    limited 30 rpm -qa --qf "%{NAME} %{ARCH} %{EPOCH}:%{VERSION}-%{RELEASE} install ok installed\n" && whole;
  fi; } | head -c @LIMIT@;
part sysctls && { limited 10 sysctl -a; ended && whole; } | head -c @LIMIT@;
part unit_files && { limited 20 systemctl --no-pager --no-legend --full list-unit-files && whole; } | head -c @LIMIT@;
part units && { limited 20 systemctl --no-pager --property=@PROPERTIES@ show "*.service" "*.socket" "*.timer" "*.path" && whole; } |
  head -c @LIMIT@;
part own_units && { limited 5 find /etc/systemd/system -xdev -type f -exec cksum {} + && whole; } | head -c @LIMIT@;
part ruby && if r=$(command -v ruby); then limited 5 ruby -v && whole; else whole; fi | head -c 4096;
"""

# A worker's user may have gems of its own. The files of a process are small, and a pid that has gone has none.
_PROCESS = r"""
h=;
home() { while IFS=: read -r n x i g c d s; do
  if [ "$i" = "$1" ]; then case " $h " in *" $d "*);; *) h="$h $d";; esac; fi; done < /etc/passwd; };
for p in @PIDS@; do
  part limits/$p && head -c 4096 /proc/$p/limits;
  part exe/$p && readlink /proc/$p/exe;
  part environment/$p && limited 5 head -c 131072 /proc/$p/environ | tr "\n\0" " \n" | grep -a -E -e "^(@VARIABLES@)=";
  while read -r k i x; do case $k in Uid:) home $i;; esac; done < /proc/$p/status;
done;
for f in /proc/[0-9]*/stat; do
  read -r i n s q x < $f || continue;
  case "$n $q" in "(sshd) 1") part limits/sshd && head -c 4096 /proc/$i/limits;; esac;
done;
"""

_GEMS = r"""
part gems && { for d in @OF_BOX@; do if [ -d "$d/specifications" ]; then ls -1 "$d/specifications" "$d/specifications/default"; fi; done;
  for o in /root $h; do for d in @OF_HOME@; do if [ -d "$d/specifications" ]; then ls -1 "$d/specifications"; fi; done; done;
  for o in @APPS@; do for d in @OF_APP@; do if [ -d "$d/specifications" ]; then ls -1 "$d/specifications"; fi; done; done;
  whole; } | head -c @LIMIT@;
for o in @APPS@; do part lock && limited 5 head -c @LIMIT@ "$o/Gemfile.lock" && whole; done;
part @END@; }
"""


class Part(NamedTuple):
    """One part of the answer, and whether all of it came."""

    text: str
    whole: bool


def script(word, seconds, pids=(), apps=()):
    """The script, in one line. V(word) marks its parts; after V(seconds) no further part is begun.

    V(pids) are the workers' processes, and V(apps) the paths of their applications. Raises SettingsError where one is no path that a shell
    takes as one word.
    """
    for app in apps:
        if not _PATH.match(app):
            raise SettingsError(f"app_path is {app!r}: it must be an absolute path of letters, digits and _./@+,:=-")
    text = _HEAD + _BOX + _PROCESS + _GEMS
    for name, value in (
        ("OF_BOX", " ".join(_OF_BOX)),
        # Only what stands outside of the quotes is a pattern: a home is one word, whatever it holds.
        ("OF_HOME", " ".join(f'"$o"/{folder}' for folder in _OF_HOME)),
        ("OF_APP", " ".join(f'"$o"/{folder}' for folder in _OF_APP)),
        ("FILES", " ".join(FILES)),
        ("PROPERTIES", ",".join(PROPERTIES)),
        ("VARIABLES", "|".join(VARIABLES)),
        ("PIDS", " ".join(str(int(pid)) for pid in list(pids)[:_PROCESSES])),
        ("APPS", " ".join(apps)),
        ("WORD", word),
        ("WHOLE", _WHOLE),
        ("END", _END),
        ("SECONDS", str(int(seconds))),
        ("LIMIT", str(_LIMIT)),
    ):
        text = text.replace(f"@{name}@", value)
    return " ".join(text.split("\n")).strip()


def parts(answer, errors, word):
    """The parts of the answer by name. Raises ProbeError where that isn't what the script prints; V(errors) may then say why."""
    head, found = sections(answer, word)
    read, last = {}, None
    for name, section in found:
        if name == _WHOLE:
            if last is not None:
                read[last] = Part(read[last].text, True)
        else:
            # Several applications have a lock each.
            last = name
            earlier = read[name].text + "\n" if name in read else ""
            read[name] = Part(earlier + section, False)
    if _END not in read:
        if read:
            raise ProbeError(f"the box stopped answering while its state was read ({len(read)} of its parts came)")
        shown = " ".join((head + errors).split())[:200]
        raise ProbeError(f"the box did not tell its state: it answered {repr(shown) if shown else 'nothing'}")
    del read[_END]
    return read
