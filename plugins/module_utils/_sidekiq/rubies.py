# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find Bundler and Sidekiq where managers of Ruby versions keep them, away from the path of the system's services."""

from __future__ import annotations

import glob
import os
import re
from typing import List, Optional

from ansible_collections.lifeline.fleet.plugins.module_utils._files import regular

_LARGEST = 4096
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")

# Shims and wrappers choose the Ruby from the application's own files, or have it in their path.
_SHIMS = (
    "~/.rbenv/shims",
    "/usr/local/rbenv/shims",
    "/opt/rbenv/shims",
    "/usr/lib/rbenv/shims",
    "~/.asdf/shims",
    "/opt/asdf/shims",
    "~/.local/share/mise/shims",
)
_RVM = ("~/.rvm/wrappers", "/usr/local/rvm/wrappers", "/usr/share/rvm/wrappers")
# Folders with one folder per Ruby, which has its programs in bin.
_RUBIES = (
    "~/.rubies",
    "/opt/rubies",
    "/usr/lib/fullstaq-ruby/versions",
    "~/.rbenv/versions",
    "~/.asdf/installs/ruby",
    "~/.local/share/mise/installs/ruby",
)


def programs(name: str, application: str, home: Optional[str], root: str = "") -> List[str]:
    """Return the paths of a program in all Rubies, those first that the application's files name.

    `home` is the home of the worker's user. `root` is another folder than / in tests only.
    """
    wanted = _wanted(application)
    found: List[str] = []
    for folder in _RVM:
        found += _of_versions(_place(folder, home, root), name, wanted, "")
    for folder in _SHIMS:
        place = _place(folder, home, root)
        found += [os.path.join(place, name)] if place else []
    for folder in _RUBIES:
        found += _of_versions(_place(folder, home, root), name, wanted, "bin")
    return [path for path in dict.fromkeys(found) if os.access(path, os.X_OK)]


def _of_versions(folder: Optional[str], name: str, wanted: Optional[str], below: str) -> List[str]:
    if not folder:
        return []
    versions = sorted(os.path.basename(path) for path in glob.glob(glob.escape(folder) + "/*"))
    # RVM calls version 3.2.2 ruby-3.2.2, and its gem set ruby-3.2.2@app.
    fit = [one for one in versions if wanted and one.rpartition("ruby-")[2] == wanted.rpartition("ruby-")[2]]
    fit = fit or [one for one in ("default",) if one in versions] or versions[-1:]
    return [os.path.join(folder, version, below, name) for version in fit]


def _place(folder: str, home: Optional[str], root: str) -> Optional[str]:
    if folder.startswith("~"):
        return home + folder[1:] if home else None
    return root + folder


def _wanted(application: str) -> Optional[str]:
    """Return the Ruby that the application's files name, such as 3.2.2 or ruby-3.2.2@app, or None."""
    version = (regular.read(os.path.join(application, ".ruby-version"), _LARGEST) or "").strip()
    if not version:
        tools = regular.read(os.path.join(application, ".tool-versions"), _LARGEST) or ""
        named = re.search(r"(?m)^ruby\s+(\S+)", tools)
        version = named.group(1) if named else ""
    if not _VERSION.fullmatch(version):
        return None
    gems = (regular.read(os.path.join(application, ".ruby-gemset"), _LARGEST) or "").strip()
    return f"{version}@{gems}" if _VERSION.fullmatch(gems) else version
