# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the groups of parsers, with their input and their output."""

from __future__ import annotations

import re

from fuzz import seeds
from fuzz.engine import Group
from fuzz.mutations import Sample

from ansible_collections.lifeline.fleet.plugins.module_utils._disks import deleted, facts as disk_facts, mounts
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError, ServerFailure
from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban import config as fail2ban
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import facts, thresholds, verdict
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import workers
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics import exporter, prometheus, settings
from ansible_collections.lifeline.fleet.plugins.module_utils._monit import status as monit
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import facts as oom_facts
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import (
    fds,
    kernel_tables,
    listeners,
    maps,
    memory,
    mountinfo,
    pressure,
    processes,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import (
    rate as sidekiq_rate,
    resp,
    state as sidekiq_state,
    watchdog,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import sshd_config
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import units
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _table
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import (
    answer,
    evidence,
    evidence_script,
    health_answer,
    state,
    state_script,
)

_DAY = 86400
_EXPECTED = ("ssh.service", "22", "nginx")
_WORKERS = workers(None, None, [{"name": "sidekiq"}, {"name": "crawler", "command": ["ruby"]}])
_UNIT = (
    "Id=sidekiq.service\nNames=sidekiq.service s.service\nLoadState=loaded\nActiveState=active\nMainPID=7\n"
    "CanReload=yes\nRestart=always\nUnitFileState=enabled\nListen=[::]:22 (Stream)\n\nId=ssh.socket\nMainPID=0\n"
    "ListenStream=/run/x\n"
)
_SSH = (
    "Failed to connect to the host via ssh: ssh: connect to host b port 22: Connection timed out\n",
    "Warning: Permanently added 'b' (ED25519) to the list of known hosts.\nu@b: Permission denied (publickey).\n",
    "kex_exchange_identification: read: Connection reset by peer\nConnection reset by 10.0.0.1 port 22\n",
    "channel 0: open failed: connect failed: No route to host\nstdio forwarding failed\n",
)


def _judge(sources: Sample, failed: str | None = None) -> dict[str, object]:
    """Return all that `health` shows of a host, with the parsers' exceptions."""
    mountinfo.parse.cache_clear()
    found = {
        "lifeline_memory": memory.parse(sources),
        "lifeline_disks": disk_facts.parse(sources),
        "lifeline_fds": fds.parse(sources),
        "lifeline_oom": oom_facts.parse(sources),
        "lifeline_pressure": pressure.parse(sources),
        "lifeline_kernel": kernel_tables.parse(sources),
    }
    table, noted = processes.parse_table(sources), watchdog.read(sources)
    services = facts.services(sources, table)
    judged = verdict.judge(
        found, table, noted, thresholds.defaults(), _WORKERS, _DAY, skew=1.5, services=services, failed=failed
    )
    row = _table.judged("b", {"ansible_facts": found, **judged})
    lines = _table.render([row], 120)
    return {**found, "table": table, **judged, "msg": verdict.summary(judged, found), "lines": lines}


def _probe(sample: Sample) -> object:
    read = health_answer.read(sample.get("answer", ""), sample.get("errors", ""))
    return {**_judge(read.sources, read.failed), "unread": read.unread}


def _processes(sources: Sample) -> object:
    mountinfo.parse.cache_clear()
    table = processes.parse_table(sources)
    return {
        "details": [processes.details(process, sources, {}) for process in table.values()],
        "tree": processes.tree(table, list(table)[:1]),
        "chosen": processes.choose(table, ["ruby"], [1], "(?i)sidekiq"),
        "limits": [processes.parse_limits(text) for name, text in sources.items() if name.endswith("limits")],
        "maps": [maps.parse(text) for name, text in sources.items() if name.endswith("smaps")],
    }


def _disks(sources: Sample) -> object:
    mountinfo.parse.cache_clear()
    mounted = mountinfo.parse(sources.get("/proc/self/mountinfo"))
    mounts.guarded(mounted)
    for mount in mounted[:20]:
        mountinfo.path_bytes(mount.raw)
    return {"disks": disk_facts.parse(sources), "deleted": deleted.parse(sources.get("deleted"))}


def _listeners(sources: Sample) -> object:
    mountinfo.parse.cache_clear()
    found = listeners.parse(sources, _EXPECTED)
    table = facts.process_table(sources)
    noted = facts.watchdog(sources)
    judged = verdict.judge(facts.parse(sources, _DAY, _EXPECTED), table, noted, thresholds.defaults(), [], _DAY)
    return {"listeners": found, "findings": judged["findings"]}


def _exporter(sources: Sample) -> object:
    mountinfo.parse.cache_clear()
    told = settings.parse(settings.text(thresholds.defaults(), _WORKERS, 60, "24h", 2))
    text = prometheus.text(exporter.families(sources, told, 1795000000, 0.1))
    # Each line of the format is printable.
    return text.split("\n")


def _kernel_log(sample: Sample) -> object:
    return oom_facts.parse(sample, logs=list(sample), now=1795000000, boot_time=1794000000, since=0)


def _evidence(sample: Sample) -> object:
    mountinfo.parse.cache_clear()
    sources, named = evidence_script.parts(sample.get("answer", ""), "")
    reading = [{"name": "sidekiq", "pids": [7, 36]}]
    found = evidence.read(sources, named, reading, ["sidekiq"])
    written = evidence.members(sources, named, {"box": "b1"})
    # The files of the archive are raw, because people read them.
    escaping = [name for name in written if name.startswith("/") or ".." in name.split("/")]
    if escaping:
        raise AssertionError(f"files outside of the archive: {escaping}")
    return {"found": found, "files": list(written)}


def _state(sample: Sample) -> object:
    parts = state_script.parts(sample.get("answer", ""), sample.get("errors", ""))
    return state.parse(parts, [{"name": "sidekiq", "pids": [7]}], apps=True)


class _Answers:
    """A socket that has received the answers of a Redis."""

    def __init__(self, text: str) -> None:
        self._left = text.encode("utf-8", "surrogatepass")

    def settimeout(self, _seconds: float) -> None:
        """Do nothing."""

    def sendall(self, _data: bytes) -> None:
        """Do nothing."""

    def recv(self, most: int) -> bytes:
        """Return what is next."""
        part, self._left = self._left[:most], self._left[most:]
        return part


def _sidekiq(sample: Sample) -> object:
    connection = resp.Connection("redis", 3600)
    connection._socket = _Answers(sample.get("replies", ""))
    raw = sidekiq_state.read(connection)
    found = sidekiq_state.parse(raw, 1795000000.0)
    reading = sidekiq_rate.reading(1795000000.0, found)
    earlier = {"time": 1794999000.0, "processed": 1, "failed": 0}
    return {"found": found, "msg": sidekiq_rate.summary(found, sidekiq_rate.rate(earlier, reading)[0])}


def _redis(value: object) -> str:
    if isinstance(value, list):
        return f"*{len(value)}\r\n" + "".join(map(_redis, value))
    if isinstance(value, int):
        return f":{value}\r\n"
    return "$-1\r\n" if value is None else f"${len(str(value))}\r\n{value}\r\n"


def _redis_answers() -> list[Sample]:
    info = '{"hostname":"b1","pid":7,"tag":"app","concurrency":5,"queues":["default"],"started_at":1794990000.5}'
    job = '{"queue":"default","run_at":1794999990,"payload":"{\\"class\\":\\"Crawl\\",\\"jid\\":\\"a1\\"}"}'
    fields = [info, "5", "2", "1794999999.1", "false", "2048", "90"]
    replies = [
        *("10", "2", 1, 2, 3, 1, 1),
        *(["0", ["default"]], 4, '{"enqueued_at":1794999000.1}', 0),
        *(["0", ["b1:7:x"]], fields, ["t1", job], []),
    ]
    return [{"replies": "".join(map(_redis, replies))}]


def _programs(sample: Sample) -> object:
    sshd = sshd_config.effective(sample.get("sshd", ""))
    shown = units.parse_units(sample.get("units", ""))
    jails = fail2ban.commands(sample.get("fail2ban", ""))
    # Their results are compared, and only the messages are printed: they are escaped there.
    units.parse_show(sample.get("units", ""))
    for properties in units.parse_show(sample.get("units", "")):
        units.stream_addresses(properties)
    fail2ban.errors(jails)
    status = monit.parse(sample.get("monit", "").encode("utf-8", "surrogatepass"))
    messages = [check["message"] for check in status["checks"].values()]
    return {"ports": sshd_config.ports(sshd), "units": len(shown), "messages": messages}


def _program_answers() -> list[Sample]:
    jails = "['add', 'sshd', 'systemd']\n['set', 'sshd', 'maxretry', 5]\n['set', 'sshd', 'addignoreip', '::1']\n"
    jails += "['set', 'sshd', 'addaction', 'nft']\n['start', 'sshd']\n['config-error', 'x']\n"
    sshd = "port 22\nlistenaddress [::]:22\nmaxstartups 10:30:100\nallowusers a b\n"
    return [{"monit": text, "fail2ban": jails, "sshd": sshd, "units": _UNIT} for text in seeds.monit()]


def _words(sample: Sample) -> object:
    said = sample.get("said", "")
    return {"judged": answer.judge(said), "reason": answer.reason(said)}


def _evidence_answers() -> list[Sample]:
    parts = {
        "cgroups": "/proc/7/cgroup:0::/system.slice/sidekiq.service\n/proc/1/cgroup:0::/init.scope\n",
        "adjustments": "/proc/7/oom_score_adj:0\n",
        "kernel.log": "<6>[ 1.0] x\n",
        "proc/7/smaps": "00400000-00452000 r-xp 00000000 08:02 1 /usr/bin/ruby\nSize: 4 kB\nRss: 4 kB\nPss: 4 kB\n",
        "deleted": "0 8 512 8:1 /proc/7/fd/3 /var/log/big (deleted)\n",
        "space": "1024 /var/log/journal\n",
        "units": _UNIT,
        "monit": "Monit 5.33 uptime: 1m\n sidekiq    Running    Process\n",
    }
    return [{"answer": seeds.probed(host) + seeds.parted(parts)} for host in seeds.hosts("debian-12")]


def _state_answers() -> list[Sample]:
    parts = {
        "files": "==> /etc/os-release <==\nID=debian\nVERSION_ID=12\n\n==> /proc/cmdline <==\nro quiet a=b\n\n"
        "==> /proc/self/mountinfo <==\n1 0 8:1 / / rw,noatime - ext4 /dev/sda1 rw\n",
        "localtime": "/usr/share/zoneinfo/UTC\n",
        "cpu": "model name : x\n",
        "packages": "bash amd64 5.2 install ok installed\n",
        "sysctls": "vm.swappiness = 10\nnet.core.somaxconn = 4096\n",
        "unit_files": "ssh.service enabled enabled\n",
        "units": _UNIT,
        "own_units": "123 45 /etc/systemd/system/a.service\n",
        "ruby": "ruby 3.1.2p20 (2022)\n",
        "limits/7": "Max open files  1024  4096  files\n",
        "exe/7": "/usr/bin/ruby3.1\n",
        "environment/7": "MALLOC_ARENA_MAX=2\nRAILS_ENV=production\n",
        "limits/sshd": "Max open files  1024  4096  files\n",
        "gems": "sidekiq-7.3.2.gemspec\nrack-3.0.0.gemspec\n",
        "lock/0": "GEM\n  specs:\n    sidekiq (7.3.2)\n\nBUNDLED WITH\n   2.4.1\n",
    }
    return [{"answer": seeds.parted(parts), "errors": ""}]


def _with_logs() -> list[Sample]:
    return [{"dmesg": sample["log"]} for sample in seeds.logs()]


_BOXES = ("debian-*", "docker-host", "pools", "podman-trixie")
GROUPS = {
    group.name: group
    for group in (
        Group(
            "probe", lambda: [{"answer": seeds.probed(host)} for host in seeds.hosts("debian-*")], _probe, (ProbeError,)
        ),
        Group("host", lambda: [*seeds.hosts(*_BOXES), *seeds.judged()], _judge),
        Group("processes", lambda: [*seeds.hosts("seed-*", "debian-12"), *seeds.judged()], _processes),
        Group("disks", lambda: [*seeds.hosts(*_BOXES, "seed-*"), *_holders()], _disks),
        Group("listeners", lambda: seeds.hosts("listeners-*"), _listeners),
        Group("exporter", lambda: [*seeds.hosts(*_BOXES), *seeds.judged()], _exporter),
        Group("kernel_log", lambda: [*seeds.logs(), *_with_logs()], _kernel_log),
        Group("evidence", _evidence_answers, _evidence, (ProbeError,)),
        Group("state", _state_answers, _state, (ProbeError,)),
        Group("sidekiq", _redis_answers, _sidekiq, (ServerFailure, resp.Refusal)),
        Group("programs", _program_answers, _programs, (ValueError,)),
        Group("words", lambda: [{"said": said} for said in _SSH], _words),
    )
}


def _holders() -> list[Sample]:
    held = "8:1:7 4096 7 5 ruby / /x\\040y\n- - - - - / /var/swap\nunreadable 3\n"
    return [{"deleted": re.sub("8:1:7", "2049:7", held)}]
