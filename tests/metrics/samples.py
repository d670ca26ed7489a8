# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide the metrics of the hosts recorded in tests/boxes, and of one host on which every check finds something."""

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
NAMES = (*RECORDED, "ill", "closed")
DAY = 86400
READ_AT = 1790000000
WORKERS = [
    {"name": "crawler", "pattern": "sidekiq", "max_memory": "50%"},
    {"name": "sshd", "pattern": "sshd", "max_memory": "4 MB"},
    {"name": "greedy", "pattern": "redis", "max_memory": "1 TB"},
]


def sources(name):
    return {"ill": _ill, "closed": _closed}.get(name, lambda: _recorded(name))()


def _recorded(name):
    found = {}
    for path in sorted((BOXES / name).rglob("*")):
        if path.is_file():
            relative = path.relative_to(BOXES / name).as_posix()
            found["/" + relative if "/" in relative else relative] = decode(path.read_bytes())
    return found


def _ill():
    """Return the sources of a physical Debian 13 an hour after boot, with every problem that a check finds."""
    found = {path: text for path, text in _recorded("debian-13").items() if not path.startswith("/run/")}
    found.update(
        {
            "/proc/uptime": "3600.00 100.00\n",
            "/proc/vmstat": "oom_kill 7\n",
            "/proc/2/stat": _KTHREADD,
            "/proc/loadavg": "90.0 90.0 90.0 1/300 5\n",
            "/proc/pressure/cpu": "some avg10=90.00 avg60=90.00 avg300=90.00 total=1000\n",
            "/proc/pressure/io": (
                "some avg10=90.00 avg60=90.00 avg300=90.00 total=1000\n"
                "full avg10=90.00 avg60=90.00 avg300=90.00 total=1000\n"
            ),
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
                found["/proc/self/mountinfo"].replace(" - overlay overlay rw,", " - overlay overlay ro,", 1)
                + "900 878 0:900 / /mnt/nfs rw,relatime - nfs4 server:/data rw\n"
            ),
        }
    )
    return found


def _closed():
    """Return the same, but without sshd and with full tables of the kernel: logins are impossible."""
    found = {path: text for path, text in _ill().items() if not path.startswith(("/proc/72/", "/proc/2/"))}
    session = found["/proc/1/stat"].replace("1 (systemd) S 0", "73 (sshd) S 1")
    found.update(
        {
            "/proc/2/stat": _KTHREADD,
            "/proc/73/stat": session,
            "/proc/73/cmdline": "sshd: root@notty",
            "/run/nologin": "",
            "/proc/sys/kernel/pid_max": "1000\n",
            "/proc/sys/kernel/threads-max": "2000\n",
            "/proc/loadavg": "0.1 0.1 0.1 1/990 5\n",
            "/proc/sys/net/netfilter/nf_conntrack_count": "100\n",
            "/proc/sys/net/netfilter/nf_conntrack_max": "100\n",
            "/proc/sys/kernel/pty/nr": "10\n",
            "/proc/sys/kernel/pty/max": "10\n",
            "/proc/net/sockstat": "TCP: inuse 7 orphan 0 tw 95 alloc 8 mem 85\n",
            "/proc/sys/net/ipv4/ip_local_port_range": "40000 40099\n",
            "/sys/fs/ext4/sda1/errors_count": "3\n",
            **{f"/proc/{pid}/stat": session.replace("73 (sshd) S 1", f"{pid} (sh) Z 73") for pid in range(5000, 6000)},
            "/proc/sys/vm/overcommit_memory": "2\n",
            "kmsg": "",
            "dmesg": (
                "<6>[ 3000.1] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
                "task_memcg=/system.slice/ssh.service,task=sshd,pid=72,uid=0\n"
                "<3>[ 3000.2] Out of memory: Killed process 72 (sshd) total-vm:16287724kB, anon-rss:15310180kB, "
                "file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:30000kB oom_score_adj:0\n"
            ),
            "/proc/vmstat": "oom_kill 1\n",
            "/proc/self/mountinfo": found["/proc/self/mountinfo"]
            + "901 878 8:9 / /var rw,relatime - ext4 /dev/sdb1 ro,errors=remount-ro\n"
            "902 878 8:10 / /home rw,relatime - nfs4 server:/home rw\n"
            "903 878 8:11 / /broken rw,relatime - ext4 /dev/sdc1 rw\n",
            "statfs": found["statfs"] + "hung /home\nerror /broken\n",
        }
    )
    return found


_KTHREADD = "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 0 0 0 18446744073709551615 0 0 0 0 0 0\n"


def settings(thresholds=None):
    return exporter_settings.parse(
        exporter_settings.text(judge_thresholds.merge([("test", thresholds)]), workers(WORKERS, None), 60, "24h", 5)
    )


def families(found, told):
    return exporter.families(found, told, READ_AT, 0.25)


def text(found, told):
    return prometheus.text(families(found, told))


def judged(found, told):
    """Return the verdict that `health` gives."""
    return verdict.judge(
        probe_facts.parse(found, DAY),
        probe_facts.process_table(found),
        probe_facts.watchdog(found),
        told["thresholds"],
        told["workers"],
        DAY,
    )
