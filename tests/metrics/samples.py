# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics of the boxes that are recorded in tests/boxes, and of one that has every illness there is a check for."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import (
    facts as probe_facts,
    thresholds as judge_thresholds,
    verdict,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import workers
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics import (
    exporter,
    prometheus,
    settings as exporter_settings,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._reader import decode

BOXES = Path(__file__).resolve().parents[1] / "boxes"
RECORDED = ("debian-11", "debian-12", "debian-13", "debian-14", "docker-host", "podman-trixie", "seed-crawler")
NAMES = (*RECORDED, "ill")
DAY = 86400
READ_AT = 1790000000
WORKERS = [
    {"name": "crawler", "pattern": "sidekiq", "max_memory": "50%"},
    {"name": "sshd", "pattern": "sshd", "max_memory": "4 MB"},
    {"name": "greedy", "pattern": "redis", "max_memory": "1 TB"},
]


def sources(name):
    return _ill() if name == "ill" else _recorded(name)


def _recorded(name):
    found = {}
    for path in sorted((BOXES / name).rglob("*")):
        if path.is_file():
            relative = path.relative_to(BOXES / name).as_posix()
            found["/" + relative if "/" in relative else relative] = decode(path.read_bytes())
    return found


def _ill():
    """Debian 13 on a machine of its own, an hour after it was booted."""
    found = {path: text for path, text in _recorded("debian-13").items() if not path.startswith("/run/")}
    found.update(
        {
            "/proc/uptime": "3600.00 100.00\n",
            "/proc/vmstat": "oom_kill 7\n",
            "kmsg": "",
            "/proc/sys/fs/file-nr": "900\t0\t1000\n",
            "/proc/sys/fs/inode-nr": "5000\t100\t0\n",
            "/proc/net/sockstat": "sockets: used 21\nTCP: inuse 7 orphan 0 tw 15 alloc 8 mem 85\n",
            "/proc/sys/net/ipv4/tcp_mem": "287898 383867 575796\n",
            "/run/lifeline/watchdog/crawler": "restarts 3\ngiven_up 1\n",
            "/run/lifeline/watchdog/mailer": "restarts 1\n",
            "statfs": found["statfs"] + "hung /mnt/nfs\n",
            "fds": "1020 /proc/1/fd\n" + found["fds"],
            "/proc/meminfo": re.sub(r"Swap(Total|Free): .*\n", "", found["/proc/meminfo"])
            + "SwapTotal: 1000 kB\nSwapFree: 40 kB\n",
            "/proc/self/mountinfo": (
                found["/proc/self/mountinfo"].replace(" / / rw,", " / / ro,")
                + "900 878 0:900 / /mnt/nfs rw,relatime - nfs4 server:/data rw\n"
            ),
        }
    )
    return found


def settings(thresholds=None):
    return exporter_settings.parse(
        exporter_settings.text(judge_thresholds.merge([("test", thresholds)]), workers(WORKERS, None), 60, "24h", 5)
    )


def families(found, told):
    return exporter.families(found, told, READ_AT, 0.25)


def text(found, told):
    return prometheus.text(families(found, told))


def judged(found, told):
    """What health makes of the box."""
    return verdict.judge(
        probe_facts.parse(found, DAY),
        probe_facts.process_table(found),
        probe_facts.watchdog(found),
        told["thresholds"],
        told["workers"],
        DAY,
    )
