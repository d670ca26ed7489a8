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
      - A package that starts its daemon itself, past C(invoke-rc.d) and C(deb-systemd-invoke), can't be held by this.
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

from ansible_collections.lifeline.fleet.plugins.module_utils import _lockdown, _lockdown_files, _reader, _system_units

_LOCK = "/run/lifeline-service_lockdown.lock"
_LOCK_SECONDS = 120
# After it was told to kill, systemd has this long to see the last process go.
_KILL_SECONDS = 10
# Their packages start them although they are disabled, by their own call of invoke-rc.d.
_START_THEMSELVES = ("sendmail.service",)


class Systemd:
    """What is asked of systemd, and what it is told."""

    def __init__(self, module):
        self.module = module

    def call(self, *argv, check=True):
        rc, out, err = self.module.run_command(["systemctl", "--no-pager", *argv], environ_update={"LC_ALL": "C"})
        if check and rc:
            self.module.fail_json(msg="systemctl %s failed: %s" % (" ".join(argv[:6]), err.strip() or out.strip()))
        return rc, out, err

    def show(self, names):
        """What systemd knows of each of V(names), in their order."""
        if not names:
            return []
        out = self.call("show", "--property=" + ",".join(_lockdown.PROPERTIES), "--", *names)[1]
        units = _lockdown.parse_show(out)
        if len(units) != len(names):
            self.module.fail_json(msg="systemctl show told of %d units where it was asked for %s" % (len(units), " ".join(names)))
        return units

    def loaded(self, patterns):
        """The units in systemd's memory that V(patterns) fit."""
        if not patterns:
            return []
        out = self.call("list-units", "--all", "--plain", "--no-legend", "--full", "--", *patterns, check=False)[1]
        return [line.split()[0] for line in out.splitlines() if line.split()]

    def installed(self, patterns):
        """The units with a file that V(patterns) fit."""
        if not patterns:
            return []
        out = self.call("list-unit-files", "--no-legend", "--full", "--", *patterns, check=False)[1]
        return [line.split()[0] for line in out.splitlines() if line.split()]

    def reload(self):
        self.call("daemon-reload")


class Lockdown:
    def __init__(self, module):
        self.module = module
        self.options = module.params
        self.systemd = Systemd(module)
        self.files = _lockdown_files.Files()
        self.entries = {}
        self.changes, self.before, self.after = [], [], []
        self.absent, self.spared, self.left, self.units = [], [], [], {}
        self.touched = False

    # --- what is meant ----------------------------------------------------------------------------------------------

    def read_entries(self):
        problems = []
        for entry in self.options["stopped"]:
            if entry["state"] == "absent":
                continue
            try:
                self.entries[entry["name"]] = dict(entry, unit=_lockdown.unit_name(entry["name"]))
            except ValueError as error:
                problems.append(str(error))
        for unit in self.options["unexpected"]:
            if unit in self.entries:
                continue
            if unit.endswith((".service", ".socket")):
                self.entries[unit] = {"name": unit, "unit": unit, "masked": False, "unexpected": True}
            else:
                self.left.append({"unit": unit, "reason": "it is no service and no socket"})
        if problems:
            self.module.fail_json(msg="stopped: %s. Nothing was touched." % "; ".join(problems))

    def resolve(self, record):
        """The units that the entries lead to, by their own name; and which entry led where."""
        templates = {name: entry["unit"] for name, entry in self.entries.items() if _lockdown.is_template(entry["unit"])}
        found = self.find_templates(templates)
        led = list(templates.items())
        masked = {unit: self.is_masked(name) for name, unit in templates.items()}
        # An alias is gone once its unit is disabled; the record remembers whose it was.
        remembered = {alias: unit_id for unit_id, kept in record["units"].items() for alias in kept["names"]}
        pending = {}
        for name, entry in self.entries.items():
            if name not in templates:
                pending.setdefault(remembered.get(entry["unit"], entry["unit"]), []).append(name)
        for name, template in templates.items():
            for instance in self.systemd.loaded([template.replace("@.", "@*.")]):
                pending.setdefault(instance, []).append(name)
        while pending:
            following = {}
            for names, unit in zip(pending.values(), self.systemd.show(list(pending))):
                unit_id = unit["Id"]
                led += [(name, unit_id) for name in names if name in self.entries and name not in templates]
                masked[unit_id] = masked.get(unit_id, False) or any(self.is_masked(name) for name in names)
                if not _lockdown.exists(unit):
                    self.absent += [name for name in names if name in self.entries and name not in templates]
                    continue
                found[unit_id] = unit
                for partner in _lockdown.partners(unit):
                    if partner not in found and partner not in pending:
                        following.setdefault(partner, []).extend(names)
            pending = following
        self.want_masked = {unit_id: masked[unit_id] for unit_id in found}
        return found, led

    def is_masked(self, name):
        explicit = self.entries[name]["masked"]
        return self.options["masked"] if explicit is None else explicit

    def find_templates(self, templates):
        found = {}
        for name, template in templates.items():
            folders = (_lockdown_files.UNITS, "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
                       "/lib/systemd/system")
            path = next((path for path in ("%s/%s" % (folder, template) for folder in folders) if os.path.lexists(path)), None)
            if path is None:
                self.absent.append(name)
                continue
            unit = {key: [] if key in ("Names", *_lockdown.PROPERTIES[6:]) else "" for key in _lockdown.PROPERTIES}
            unit.update(Id=template, LoadState="loaded", FragmentPath=path)
            found[template] = unit
        return found

    def worker_units(self):
        patterns = [one for pattern in self.options["workers"] for one in ([pattern] if "." in pattern else [pattern + ".service"])]
        names = {name for name in self.systemd.installed(patterns) + self.systemd.loaded(patterns) if not _lockdown.is_template(name)}
        units = [unit for unit in self.systemd.show(sorted(names)) if unit["LoadState"] == "loaded"]
        return sorted(units, key=lambda unit: (not _lockdown.runs(unit), unit["Id"]))

    def carrying(self):
        """The units that this process and those above it belong to: what is stopped of them ends this very connection."""
        units, pid = set(), os.getpid()
        sources = _reader.read_files(_system_units.SOURCES)
        while pid > 1:
            _reader.read_files(_reader.process_paths(("cgroup", "stat"), [pid]), sources)
            unit = _system_units.system_unit(sources, pid)
            if unit:
                units.add(unit)
            fields = sources.get("/proc/%d/stat" % pid, "").rpartition(")")[2].split()
            pid = int(fields[1]) if len(fields) > 1 else 0
        # An instance of its own for each connection comes from a socket.
        return units | {unit.partition("@")[0] + ".socket" for unit in units if "@" in unit}

    def spare(self, found, led, workers):
        """Take what the worker needs out of V(found)."""
        for unit_id, unit in list(found.items()):
            worker = _lockdown.needed_by(unit, workers, self.options["worker_needs"])
            if worker is None:
                continue
            insisting = [name for name, led_to in led if led_to == unit_id and self.entries[name]["masked"]]
            if insisting:
                self.module.fail_json(
                    msg="stopped: %s may not be masked: %s needs %s. Take it out of the list, or, if its queue is on another box, set "
                        "worker_needs to []. Nothing was touched." % (", ".join(insisting), worker, unit_id))
            del found[unit_id]
            self.spared.append({"unit": unit_id, "needed_by": worker})

    def leave(self, found, led, protected, carrying):
        """Take out of V(found) what nobody asked to stop and what may not be stopped; the rest of what led where."""
        asked = {unit_id for name, unit_id in led if not self.entries[name].get("unexpected")}
        rest = []
        for name, unit_id in led:
            if self.entries[name].get("unexpected") and unit_id not in asked and unit_id in found:
                try:
                    _lockdown.refuse([found[unit_id]], [(name, unit_id)], protected, carrying)
                except _lockdown.Refused as error:
                    self.left.append({"unit": unit_id, "reason": str(error)})
                    del found[unit_id]
                    continue
            rest.append((name, unit_id))
        return rest

    # --- locked -----------------------------------------------------------------------------------------------------

    def lock(self):
        self.read_entries()
        record = self.files.load()
        found, led = self.resolve(record)
        workers = self.worker_units()
        carrying = self.carrying()
        self.spare(found, led, workers)
        spared = {one["unit"] for one in self.spared}
        protected = [*self.options["workers"], *self.options["protected"]]
        led = self.leave(found, [(name, unit) for name, unit in led if unit not in spared], protected, carrying)
        try:
            _lockdown.refuse(list(found.values()), led, protected, carrying)
        except _lockdown.Refused as error:
            self.module.fail_json(msg="stopped: %s. Nothing was touched." % error)
        self.units = found
        plan = {unit_id: self.plan(unit, record) for unit_id, unit in sorted(found.items())}
        jobs = self.files.jobs({_lockdown.stem(name) for unit in found.values() for name in (unit["Id"], *unit["Names"])
                                if name.endswith(".service")})
        wanted_files = self.guards(record, workers)
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
        wants_mask = self.want_masked[unit_id] and _lockdown.template_of(unit_id) not in self.units
        return {
            "stop": _lockdown.runs(unit),
            "links": self.files.links(unit),
            "start_links": self.files.start_links(unit_id),
            "mask": wants_mask and not masked,
            "unmask": masked and not wants_mask and bool(kept.get("masked_here")),
            "masked": masked,
        }

    def tell(self, unit_id, steps):
        enabled = bool(steps["links"] or steps["start_links"])
        done = [word for word, is_done in (("stopped", steps["stop"]), ("disabled", enabled), ("masked", steps["mask"]),
                                           ("unmasked", steps["unmask"])) if is_done]
        if not done:
            return
        self.changes.append("%s: %s" % (unit_id, ", ".join(done)))
        self.before.append("%s: %s" % (unit_id, _words(steps["stop"], enabled, steps["masked"])))
        self.after.append("%s: %s" % (unit_id, _words(False, False, (steps["masked"] or steps["mask"]) and not steps["unmask"])))

    def tell_file(self, path, verb, text):
        self.changes.append("%s: %s" % (path, verb))
        self.before.append("%s: there" % path if verb != "written" else "")
        self.after.append("" if text is None else "%s:\n%s" % (path, text))

    def tell_files(self, wanted):
        ours = self.files.ours()
        for path in sorted({*ours, *wanted}):
            if ours.get(path) != wanted.get(path):
                self.tell_file(path, "removed" if path not in wanted else "written", wanted.get(path))

    def guards(self, record, workers):
        if not self.options["guard_installs"]:
            return {}
        started = [*self.options["started"], *self.options["workers"], *self.options["protected"]]
        # Its queue may start where there is a worker.
        started += self.options["worker_needs"] if workers else []
        scripts = self.files.scripts()
        before = scripts if record["scripts"] is None else record["scripts"]
        stopped = {entry["unit"] for entry in self.entries.values() if not entry.get("unexpected")}
        known = [*_lockdown.STARTED, *started]
        allowed = [unit for unit in scripts if unit not in stopped
                   and (unit in before or _lockdown.matches(unit, known) or _lockdown.protection([unit], (), ()))]
        guarded = [unit for unit in _START_THEMSELVES if unit in stopped]
        return _lockdown_files.guards(_lockdown.preset(started), allowed, guarded)

    def remember(self, record, plan, jobs):
        """Write down how it is before anything is touched. What was written once is never overwritten."""
        if record["scripts"] is None:
            record["scripts"] = self.files.scripts()
        for unit_id, steps in plan.items():
            unit = self.units[unit_id]
            kept = record["units"].setdefault(unit_id, {
                "names": sorted({unit_id, *unit["Names"]}),
                "active": unit["ActiveState"] in ("active", "reloading", "refreshing"),
                "links": steps["links"],
                "start_links": steps["start_links"],
                "masked": steps["masked"],
                "masked_here": False,
                "kept": None,
            })
            if steps["mask"]:
                kept["masked_here"] = True
                own_file = "%s/%s" % (_lockdown_files.UNITS, unit_id)
                if os.path.lexists(own_file):
                    kept["kept"] = "%s/units/%s" % (_lockdown_files.STORE, unit_id)
        for path in jobs:
            record["cron"].setdefault(path, "%s/cron.d/%s" % (_lockdown_files.STORE, os.path.basename(path)))
        self.files.save(record)

    def apply(self, record, plan, jobs, wanted_files):
        self.touched = True
        self.write_guards(wanted_files)
        for path in jobs:
            self.files.keep_job(path)
        self.stop([unit_id for unit_id, steps in plan.items() if steps["stop"]])
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

    def stop(self, unit_ids):
        """Stop them all at once; what does not go in time is killed, and what is still there then is an error."""
        if not unit_ids:
            return
        self.systemd.call("stop", "--no-block", "--", *unit_ids, check=False)
        left = self.wait_stopped(unit_ids, self.options["timeout"])
        if left:
            self.systemd.call("kill", "--signal=SIGKILL", "--", *left, check=False)
            left = self.wait_stopped(left, _KILL_SECONDS)
        if left:
            # One that refuses says why only to whoever asks for it alone.
            said = self.systemd.call("stop", "--no-block", "--", left[0], check=False)[2].strip()
            self.module.fail_json(
                msg="%s still runs after it was told to stop and killed%s. How this box was is kept; nothing was disabled yet."
                    % (", ".join(left), ": " + said if said else ""), changes=self.changes)
        failed = [unit["Id"] for unit in self.systemd.show(unit_ids) if unit["ActiveState"] == "failed"]
        if failed:
            # That it did not go quietly is no failure of this box any more.
            self.systemd.call("reset-failed", "--", *failed, check=False)

    def wait_stopped(self, unit_ids, seconds):
        """Those that still run when the time is over, or at once where systemd has nothing left to do about them."""
        deadline, refused = time.monotonic() + seconds, 0
        while True:
            units = [unit for unit in self.systemd.show(unit_ids) if _lockdown.runs(unit)]
            # A unit that is active and that no job is about to stop has refused.
            refused = refused + 1 if units and all(unit["ActiveState"] == "active" for unit in units) and not self.has_jobs() else 0
            if not units or time.monotonic() > deadline or refused > 2:
                return [unit["Id"] for unit in units]
            time.sleep(0.1)

    def has_jobs(self):
        return bool(self.systemd.call("list-jobs", "--no-legend", check=False)[1].strip().replace("No jobs running.", ""))

    def verify(self, plan):
        """Ask systemd itself whether it is so."""
        names = [unit_id for unit_id in plan if not _lockdown.is_template(unit_id)]
        wrong = []
        for name, unit in zip(names, self.systemd.show(names)):
            if _lockdown.runs(unit):
                wrong.append("%s has started again: something else starts it; mask it" % name)
            elif (plan[name]["mask"] and unit["LoadState"] != "masked") or unit["UnitFileState"] == "enabled":
                wrong.append("%s is %s, %s" % (name, unit["LoadState"], unit["UnitFileState"]))
        if wrong:
            self.module.fail_json(msg="after all was done: %s" % "; ".join(wrong), changes=self.changes)

    # --- reverted ---------------------------------------------------------------------------------------------------

    def revert(self):
        record = self.files.load()
        names = [unit_id for unit_id in sorted(record["units"]) if not _lockdown.is_template(unit_id)]
        now = dict(zip(names, self.systemd.show(names)))
        for unit_id, kept in sorted(record["units"].items()):
            enabled = bool(kept["links"] or kept["start_links"])
            running = unit_id in now and _lockdown.runs(now[unit_id])
            self.changes.append("%s: put back" % unit_id)
            self.before.append("%s: %s" % (unit_id, _words(running, False, self.files.is_masked(unit_id))))
            self.after.append("%s: %s" % (unit_id, _words(kept["active"] or running, enabled, kept["masked"])))
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
        """Enable and start what was enabled and ran. What has been uninstalled since is left out."""
        there = {name for name, unit in zip(names, self.systemd.show(names)) if _lockdown.exists(unit)}
        there |= {unit_id for unit_id in record["units"] if _lockdown.is_template(unit_id)}
        for unit_id in there:
            self.files.put_back_links(record["units"][unit_id]["links"])
            self.files.enable_script(record["units"][unit_id]["start_links"])
        self.systemd.reload()
        # A socket refuses to start once its service runs.
        start = sorted((name for name in names if name in there and record["units"][name]["active"]),
                       key=lambda name: name.endswith(".service"))
        if not start:
            return
        _rc, out, err = self.systemd.call("start", "--", *start, check=False)
        left = [unit["Id"] for unit in self.systemd.show(start) if not _lockdown.runs(unit)]
        # What runs once and is done was not running for long either.
        left = [unit_id for unit_id in left if not unit_id.endswith(".timer")] if not _rc else left
        if left:
            self.module.fail_json(msg="everything is enabled again as it was, but %s did not start: %s"
                                  % (", ".join(left), (err or out).strip()), changes=self.changes)


def _words(active, enabled, masked):
    return ", ".join((("running" if active else "stopped"), "enabled" if enabled else "disabled", *(("masked",) if masked else ())))


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
                module.fail_json(msg="another run works on this box since %d seconds: nothing was touched" % _LOCK_SECONDS)
            time.sleep(0.2)


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["locked", "reverted"], "default": "locked"},
            "stopped": {"type": "list", "elements": "dict", "default": [], "options": {
                "name": {"type": "str", "required": True},
                "masked": {"type": "bool"},
                "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            }},
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
    except (_lockdown_files.FilesError, OSError) as error:
        module.fail_json(msg="%s%s" % (error, "" if lockdown.touched else ". Nothing was touched."), changes=lockdown.changes)
    finally:
        lock.close()
    module.exit_json(
        changed=bool(lockdown.changes), changes=lockdown.changes, units=sorted(lockdown.units), absent=sorted(set(lockdown.absent)),
        left=lockdown.left,
        spared=lockdown.spared,
        diff={"before": "\n".join(filter(None, lockdown.before)) + "\n", "after": "\n".join(filter(None, lockdown.after)) + "\n"})


if __name__ == "__main__":
    main()
