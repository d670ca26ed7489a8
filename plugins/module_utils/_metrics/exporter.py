# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the role `metrics`: read the host, judge it, and write the file that node_exporter serves.

It runs on the host without Ansible: Python 3.8, the standard library, and the modules of this collection that it
imports.
"""

from __future__ import annotations

import os
import sys
import time
from typing import List, Mapping, Sequence

from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic
from ansible_collections.lifeline.fleet.plugins.module_utils._files.ownership import open_folder
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import facts as probe_facts, verdict
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics import (
    box_reader,
    families as metrics_families,
    prometheus,
    settings as exporter_settings,
)

USAGE = "usage: lifeline-metrics SETTINGS [FILE]: writes to FILE, or to the standard output"


def main(arguments: Sequence[str]) -> int:
    """Run the program and return its exit code."""
    if not 1 <= len(arguments) <= 2:
        sys.stderr.write(f"{USAGE}\n")
        return 2
    path = arguments[0]
    try:
        with open(path, encoding="utf-8") as stream:
            settings = exporter_settings.parse(stream.read())
        text = export(settings)
        if len(arguments) == 1:
            sys.stdout.write(text)
            return 0
        path = arguments[1]
        _write(path, text)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"lifeline-metrics: {path}: {getattr(error, 'strerror', None) or error}\n")
        return 1
    return 0


def _write(path: str, text: str) -> None:
    """Replace the file. node_exporter's user may own the folder, or one above it, and could put a link in its place."""
    folder, name = os.path.split(path)
    descriptor = open_folder(folder or ".")
    try:
        path = f"/proc/self/fd/{descriptor}/{name}"
        # The text is stale in a minute, and a disk that hangs is one of the things that it may have to report.
        atomic.replace(path, text, mode=0o644, durable=False, folder_mode=None, name=path + ".new")
    finally:
        os.close(descriptor)


def export(settings: exporter_settings.Settings) -> str:
    """Return the host's metrics as text."""
    started = time.monotonic()
    sources = box_reader.read(settings["timeout"])
    read_at = time.time()
    return prometheus.text(families(sources, settings, round(read_at, 3), round(time.monotonic() - started, 3)))


def families(
    sources: Mapping[str, str], settings: exporter_settings.Settings, read_at: float, seconds: float
) -> List[prometheus.Family]:
    """Return the metrics of a host with these sources, which were read at a time and took a number of seconds."""
    window = settings["oom_window"]
    facts, table, watchdog = (
        probe_facts.parse(sources, window),
        probe_facts.process_table(sources),
        probe_facts.watchdog(sources),
    )
    judged = verdict.judge(facts, table, watchdog, settings["thresholds"], settings["workers"], window)
    return metrics_families.families(
        facts, table, watchdog["noted"], judged, settings, read_at, seconds, box_reader.is_complete(sources)
    )
