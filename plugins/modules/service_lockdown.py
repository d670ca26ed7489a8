#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.service_lockdown."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_lockdown
short_description: Stops what a box is not for, for good, and can put it back
version_added: 0.1.0
description:
  - Stops and disables systemd units, and masks them where asked, whatever name they were called by. An alias leads to the unit behind
    it, a service takes the sockets, timers and paths along that would start it again, a template its instances, and a unit that is made
    of an init script its links in C(/etc/rc?.d). A job in C(/etc/cron.d) of a service's name is put aside. What isn't there is no error.
  - Before a unit is touched for the first time, how it was is written to C(/var/lib/lifeline/service_lockdown). V(reverted) of O(state)
    puts all of it back.
  - B(Protected) are the way in, the network, the message bus, systemd's own units, cloud-init, monit, fail2ban, what O(protected) and
    O(workers) name, and whatever carries the connection that the module runs through. Asking for one of them, or for something that would
    take one of them with it, is an error that names it, and nothing is touched. No option takes anything from this list.
  - B(Spared) is what the box's worker needs, the queue of a Sidekiq above all. It is left alone and returned in RV(spared). Only where an
    entry of O(stopped) asks to mask it is that an error.
  - Removing an entry later starts nothing. A unit comes back by hand, or with everything else by V(reverted).
author:
  - The Lifeline authors (@lifeline-fleet)
attributes:
  check_mode:
    description: Says in check mode what it would do, and does nothing.
    support: full
  diff_mode:
    description: Returns what has changed, or would change, in check mode.
    support: full
  platform:
    description: The operating systems that the module runs on.
    support: full
    platforms: linux
options:
  state:
    description: V(locked) stops what O(stopped) names. V(reverted) puts everything back as it was before the first run.
    type: str
    choices: [locked, reverted]
    default: locked
  stopped:
    description: The units to stop.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - A unit, such as V(varnish), V(cups.socket) or V(php-fpm@.service). What has no kind is a service. A template stands for all of
            its instances.
        type: str
        required: true
      masked:
        description: Whether nothing may start it any more, not even by hand. O(masked) by default.
        type: bool
      state:
        description: V(absent) takes an entry out that an earlier layer of the inventory brought in.
        type: str
        choices: [present, absent]
        default: present
  unexpected:
    description:
      - Units to stop as well, as M(lifeline.fleet.listener_facts) found them. What of them is protected, or is no service and no socket, is
        left alone and returned in RV(left).
    type: list
    elements: str
    default: []
  masked:
    description: Whether the units of O(stopped) are masked where their entry doesn't say.
    type: bool
    default: false
  protected:
    description: Units that may not be stopped either. Wildcards are allowed.
    type: list
    elements: str
    default: []
  workers:
    description: The units of the box's worker. Wildcards are allowed.
    type: list
    elements: str
    default: ['sidekiq*', 'resque*']
  worker_needs:
    description:
      - What is spared as long as there is a unit of O(workers) on the box. Wildcards are allowed. An empty list is for workers whose
        queue is on another box.
      - What the worker's own unit requires or wants is spared in any case.
    type: list
    elements: str
    default: ['redis*', 'valkey*']
  guard_installs:
    description:
      - Whether services and sockets that are installed from now on stay off until somebody names them. A preset of systemd holds them,
        and a condition holds those that are made of an init script. There is no C(policy-rc.d).
      - Packages on the box already, timers, what is protected, and what a box can't be run without (such as cron) are not affected.
      - A package that starts its daemon itself, past C(deb-systemd-invoke), can't be held by this. On Debian 11 most of those that have an
        init script beside their unit do. It then runs until the next boot, or until it is stopped as unexpected.
    type: bool
    default: true
  started:
    description: Units that may start when they are installed, in addition. Wildcards are allowed.
    type: list
    elements: str
    default: []
  timeout:
    description: How many seconds a unit has to stop before it is killed.
    type: int
    default: 100
notes:
  - Needs root, systemd, Python 3.8 or newer on the box and nothing but its standard library.
seealso:
  - module: lifeline.fleet.listener_facts
  - module: ansible.builtin.systemd_service
"""

EXAMPLES = r"""
- name: Stop what this box is not for
  lifeline.fleet.service_lockdown:
    stopped:
      - name: apache2
      - name: varnish
        masked: true

- name: Put everything back
  lifeline.fleet.service_lockdown:
    state: reverted
"""

RETURN = r"""
changes:
  description: What was done, or would be done in check mode, a sentence for each unit or file.
  returned: always
  type: list
  elements: str
  sample: ["varnish.service: stopped, disabled, masked"]
units:
  description: The units that O(stopped) led to and that are on the box.
  returned: always
  type: list
  elements: str
  sample: ["apache2.service", "varnish.service"]
absent:
  description: The entries of O(stopped) that led to no unit.
  returned: always
  type: list
  elements: str
  sample: ["postfix"]
left:
  description: The units of O(unexpected) that are none to be stopped, with the reason.
  returned: always
  type: list
  elements: dict
  sample: [{"unit": "session-3.scope", "reason": "it is no service and no socket"}]
spared:
  description: The units that the worker needs.
  returned: always
  type: list
  elements: dict
  sample: [{"unit": "redis-server.service", "needed_by": "sidekiq.service"}]
"""

import fcntl
import os
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown import (
    choice as lockdown_choice,
    files as lockdown_files,
    protection,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import systemctl
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import (
    is_template,
    matches,
    runs,
    stem,
    template_of,
)

_LOCK = "/run/lifeline-service_lockdown.lock"
_LOCK_SECONDS = 120
# Their packages start them although they are disabled, by their own call of invoke-rc.d.
_START_THEMSELVES = ("sendmail.service",)


class Lockdown:
    def __init__(self, module):
        self.module = module
        self.options = module.params
        self.systemd = systemctl.Systemd(module)
        self.files = lockdown_files.Files()
        self.changes, self.before, self.after = [], [], []
        self.choice = None
        self.touched = False

    # --- locked -----------------------------------------------------------------------------------------------------

    def lock(self):
        record = self.files.load()
        try:
            self.choice = choice = lockdown_choice.Choice(self.systemd, self.options, record)
        except protection.Refused as error:
            self.module.fail_json(msg=f"stopped: {error}. Nothing was touched.")
        plan = {unit_id: self.plan(unit, record) for unit_id, unit in sorted(choice.units.items())}
        jobs = self.files.jobs(
            {
                stem(name)
                for unit in choice.units.values()
                for name in (unit["Id"], *unit["Names"])
                if name.endswith(".service")
            }
        )
        wanted_files = self.guards(record)
        for unit_id, steps in plan.items():
            self.tell(unit_id, steps)
        for path in jobs:
            self.tell_file(path, "put aside", None)
        self.tell_files(wanted_files)
        if self.module.check_mode or not self.changes:
            return
        self.remember(record, plan, jobs)
        self.apply(record, plan, jobs, wanted_files)

    def plan(self, unit, record):
        unit_id = unit["Id"]
        masked, kept = self.files.is_masked(unit_id), record["units"].get(unit_id, {})
        # The mask of a template holds all of its instances.
        wants_mask = self.choice.masked[unit_id] and template_of(unit_id) not in self.choice.units
        return {
            "stop": runs(unit),
            "links": self.files.links(unit),
            "start_links": self.files.start_links(unit_id),
            "mask": wants_mask and not masked,
            "unmask": masked and not wants_mask and bool(kept.get("masked_here")),
            "masked": masked,
        }

    def tell(self, unit_id, steps):
        enabled = bool(steps["links"] or steps["start_links"])
        done = [
            word
            for word, is_done in (
                ("stopped", steps["stop"]),
                ("disabled", enabled),
                ("masked", steps["mask"]),
                ("unmasked", steps["unmask"]),
            )
            if is_done
        ]
        if not done:
            return
        self.changes.append(f"{unit_id}: {', '.join(done)}")
        self.before.append(f"{unit_id}: {_words(steps['stop'], enabled, steps['masked'])}")
        self.after.append(
            f"{unit_id}: {_words(False, False, (steps['masked'] or steps['mask']) and (not steps['unmask']))}"
        )

    def tell_file(self, path, verb, text):
        self.changes.append(f"{path}: {verb}")
        self.before.append(f"{path}: there" if verb != "written" else "")
        self.after.append("" if text is None else f"{path}:\n{text}")

    def tell_files(self, wanted):
        ours = self.files.ours()
        for path in sorted({*ours, *wanted}):
            if ours.get(path) != wanted.get(path):
                self.tell_file(path, "removed" if path not in wanted else "written", wanted.get(path))

    def guards(self, record):
        if not self.options["guard_installs"]:
            return {}
        started = [*self.options["started"], *self.options["workers"], *self.options["protected"]]
        # Its queue may start where there is a worker.
        started += self.options["worker_needs"] if self.choice.workers else []
        scripts = self.files.scripts()
        before = scripts if record["scripts"] is None else record["scripts"]
        stopped = self.choice.named
        known = [*protection.STARTED, *started]
        allowed = [
            unit
            for unit in scripts
            if unit not in stopped and (unit in before or matches(unit, known) or protection.protection([unit], (), ()))
        ]
        guarded = [unit for unit in _START_THEMSELVES if unit in stopped]
        return lockdown_files.guards(protection.preset(started), allowed, guarded)

    def remember(self, record, plan, jobs):
        """Write down how it is before anything is touched. What was written once is never overwritten."""
        if record["scripts"] is None:
            record["scripts"] = self.files.scripts()
        for unit_id, steps in plan.items():
            unit = self.choice.units[unit_id]
            kept = record["units"].setdefault(
                unit_id,
                {
                    "names": sorted({unit_id, *unit["Names"]}),
                    "active": unit["ActiveState"] in ("active", "reloading", "refreshing"),
                    "links": steps["links"],
                    "start_links": steps["start_links"],
                    "masked": steps["masked"],
                    "masked_here": False,
                    "kept": None,
                },
            )
            if steps["mask"]:
                kept["masked_here"] = True
                own_file = f"{lockdown_files.UNITS}/{unit_id}"
                if os.path.lexists(own_file):
                    kept["kept"] = f"{lockdown_files.STORE}/units/{unit_id}"
        for path in jobs:
            record["cron"].setdefault(path, f"{lockdown_files.STORE}/cron.d/{os.path.basename(path)}")
        self.files.save(record)

    def apply(self, record, plan, jobs, wanted_files):
        self.touched = True
        self.write_guards(wanted_files)
        for path in jobs:
            self.files.keep_job(path)
        left = self.systemd.stop([unit_id for unit_id, steps in plan.items() if steps["stop"]], self.options["timeout"])
        if left:
            self.module.fail_json(
                msg=f"{', '.join(left)} still runs after it was told to stop and killed. How this box was is kept, and nothing was disabled yet",
                changes=self.changes,
            )
        for unit_id, steps in plan.items():
            self.files.remove_links(steps["links"])
            self.files.disable_script(steps["start_links"])
            if steps["mask"]:
                self.files.mask(unit_id)
            if steps["unmask"]:
                self.files.unmask(unit_id, record["units"][unit_id]["kept"])
                record["units"][unit_id].update(masked_here=False, kept=None)
        self.files.save(record)
        self.systemd.reload()
        self.verify(plan)

    def write_guards(self, wanted):
        ours = self.files.ours()
        for path in sorted({*ours, *wanted}):
            if path not in wanted:
                self.files.remove(path)
            elif ours.get(path) != wanted[path]:
                self.files.write(path, wanted[path])

    def verify(self, plan):
        """Ask systemd itself whether it is so."""
        names = [unit_id for unit_id in plan if not is_template(unit_id)]
        wrong = []
        for name, unit in zip(names, self.systemd.show(names)):
            if runs(unit):
                wrong.append(f"{name} has started again: something else starts it; mask it")
            elif (plan[name]["mask"] and unit["LoadState"] != "masked") or unit["UnitFileState"] == "enabled":
                wrong.append(f"{name} is {unit['LoadState']}, {unit['UnitFileState']}")
        if wrong:
            self.module.fail_json(msg=f"after all was done: {'; '.join(wrong)}", changes=self.changes)

    # --- reverted ---------------------------------------------------------------------------------------------------

    def revert(self):
        record = self.files.load()
        names = [unit_id for unit_id in sorted(record["units"]) if not is_template(unit_id)]
        now = dict(zip(names, self.systemd.show(names)))
        for unit_id, kept in sorted(record["units"].items()):
            enabled = bool(kept["links"] or kept["start_links"])
            running = unit_id in now and runs(now[unit_id])
            self.changes.append(f"{unit_id}: put back")
            self.before.append(f"{unit_id}: {_words(running, False, self.files.is_masked(unit_id))}")
            self.after.append(f"{unit_id}: {_words(kept['active'] or running, enabled, kept['masked'])}")
        for path in sorted(record["cron"]):
            self.tell_file(path, "put back", "")
        self.tell_files({})
        if self.module.check_mode or not (self.changes or self.files.is_recorded()):
            return
        self.touched = True
        for unit_id, kept in record["units"].items():
            if kept["masked_here"]:
                self.files.unmask(unit_id, kept["kept"])
        self.write_guards({})
        for path, kept in record["cron"].items():
            self.files.put_back_job(path, kept)
        self.systemd.reload()
        self.put_back(record, names)
        self.files.forget()

    def put_back(self, record, names):
        """Enable and start what was enabled and ran. What has been uninstalled since, or masked by others, is left out."""
        there = {
            name
            for name, unit in zip(names, self.systemd.show(names))
            if unit["LoadState"] not in ("not-found", "masked")
        }
        there |= {unit_id for unit_id in record["units"] if is_template(unit_id)}
        for unit_id in there:
            self.files.put_back_links(record["units"][unit_id]["links"])
            self.files.enable_script(record["units"][unit_id]["start_links"])
        self.systemd.reload()
        # A socket refuses to start once its service runs.
        start = sorted(
            (name for name in names if name in there and record["units"][name]["active"]),
            key=lambda name: name.endswith(".service"),
        )
        if not start:
            return
        _rc, out, err = self.systemd.call("start", "--", *start, check=False)
        left = [unit["Id"] for unit in self.systemd.show(start) if not runs(unit)]
        # What runs once and is done was not running for long either.
        left = [unit_id for unit_id in left if not unit_id.endswith(".timer")] if not _rc else left
        if left:
            self.module.fail_json(
                msg=f"everything is enabled again as it was, but {', '.join(left)} did not start: {(err or out).strip()}",
                changes=self.changes,
            )


def _words(active, enabled, masked):
    return ", ".join(
        (("running" if active else "stopped"), "enabled" if enabled else "disabled", *(("masked",) if masked else ()))
    )


def take_lock(module):
    """Let one run at a time work on a box. The lock goes with the process, however it ends."""
    stream = open(_LOCK, "w")  # noqa: SIM115 - it is held until the end
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return stream
        except OSError:
            if time.monotonic() > deadline:
                module.fail_json(
                    msg=f"another run works on this box since {_LOCK_SECONDS} seconds: nothing was touched"
                )
            time.sleep(0.2)


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["locked", "reverted"], "default": "locked"},
            "stopped": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "masked": {"type": "bool"},
                    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
                },
            },
            "unexpected": {"type": "list", "elements": "str", "default": []},
            "masked": {"type": "bool", "default": False},
            "protected": {"type": "list", "elements": "str", "default": []},
            "workers": {"type": "list", "elements": "str", "default": ["sidekiq*", "resque*"]},
            "worker_needs": {"type": "list", "elements": "str", "default": ["redis*", "valkey*"]},
            "guard_installs": {"type": "bool", "default": True},
            "started": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 100},
        },
        supports_check_mode=True,
    )
    if not os.path.isdir("/run/systemd/system"):
        module.fail_json(msg="systemd does not run on this box: there are no units to stop")
    if os.geteuid() != 0:
        module.fail_json(msg="only root can stop services: use become")
    lock = take_lock(module)
    lockdown = Lockdown(module)
    try:
        if module.params["state"] == "locked":
            lockdown.lock()
        else:
            lockdown.revert()
    except (lockdown_files.FilesError, OSError) as error:
        module.fail_json(msg=f"{error}{'' if lockdown.touched else '. Nothing was touched.'}", changes=lockdown.changes)
    finally:
        lock.close()
    told = lockdown.choice.told() if lockdown.choice else {"units": [], "absent": [], "left": [], "spared": []}
    module.exit_json(
        changed=bool(lockdown.changes),
        changes=lockdown.changes,
        **told,
        diff={
            "before": "\n".join(filter(None, lockdown.before)) + "\n",
            "after": "\n".join(filter(None, lockdown.after)) + "\n",
        },
    )


if __name__ == "__main__":
    main()
