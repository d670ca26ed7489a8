# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write monit's check of a worker."""

from __future__ import annotations

import math
from typing import Protocol, TypedDict

PROGRAM = "/usr/local/sbin/sidekiq-watchdog"

# A check, as the role monit takes it. "with" is a keyword, so this cannot be written as a class.
Check = TypedDict("Check", {"name": str, "check": str, "with": str, "rules": list[str]})


class Watched(Protocol):
    """A worker, as far as its check needs it."""

    name: str
    manager: str
    pidfile: str | None
    start_command: str | None
    stop_command: str | None
    restart_command: str | None
    monit_start_seconds: int | None
    monit_stop_seconds: int | None
    monit_restart_seconds: int | None
    limit_bytes: int | None
    cycles: int
    open_files: int
    max_age_seconds: int | None
    restarts: int
    within_cycles: int
    on_repeat: str


def check(worker: Watched, fds_percent: float | None) -> Check:
    """Return the worker's check for monit. `fds_percent` is the share of descriptors at which it is restarted."""
    name = worker.name
    restart: str | None
    if worker.manager == "systemd":
        start, stop, restart = (f"{PROGRAM} {verb} {name}" for verb in ("start", "stop", "restart"))
        # systemd restarts a worker that died; a worker that an operator stopped stays stopped.
        missing = "if does not exist for 3 cycles then alert"
    else:
        start, stop = str(worker.start_command), str(worker.stop_command)
        restart = worker.restart_command
        missing = "if does not exist for 2 cycles then start"
    rules = [
        f'start program = "{start}" with timeout {worker.monit_start_seconds} seconds',
        f'stop program = "{stop}" with timeout {worker.monit_stop_seconds} seconds',
    ]
    if restart:
        rules.append(f'restart program = "{restart}" with timeout {worker.monit_restart_seconds} seconds')
    rules.append(missing)
    if worker.limit_bytes is not None:
        rules.append(f"if totalmem > {worker.limit_bytes} B for {worker.cycles} cycles then restart")
    if fds_percent is not None and worker.manager == "systemd":
        # Without descriptors a worker lives, but does nothing. The limit of other managers' workers is not known.
        most = math.ceil(worker.open_files * fds_percent / 100)
        rules.append(f"if filedescriptors >= {most} for {worker.cycles} cycles then restart")
    if worker.max_age_seconds is not None:
        rules.append(f"if uptime > {worker.max_age_seconds} seconds then restart")
    repeated = f"if {worker.restarts} restarts within {worker.within_cycles} cycles then "
    if worker.on_repeat == "give_up":
        # Monit evaluates them from last to first: record and report the repetition, then stop monitoring.
        rules += [repeated + "unmonitor", repeated + f'exec "{PROGRAM} give-up {name}" repeat every 1 cycles']
    else:
        rules.append(repeated + "alert")
    return {"name": name, "check": "process", "with": f"pidfile {worker.pidfile}", "rules": rules}
