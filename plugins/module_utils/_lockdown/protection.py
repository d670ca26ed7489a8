# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which units may be stopped and which not, out of what C(systemctl show) tells of them."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import KINDS, matches, runs, unit_name

# A box without one of these can't be reached, doesn't boot, isn't watched or doesn't do its work. Patterns of unit names.
PROTECTED = {
    "the way in": (
        "ssh.*",
        "ssh@*",
        "sshd*",
        "ssh-*",
        "dropbear*",
        "tailscaled*",
        "teleport*",
        "getty@*",
        "serial-getty@*",
        "console-getty*",
        "container-getty@*",
        "user@*",
        "user-runtime-dir@*",
        "session-*",
        "amazon-ssm-agent*",
        "snap.amazon-ssm-agent*",
        "google-guest-*",
        "google-osconfig-*",
        "walinuxagent*",
        "waagent*",
        "qemu-guest-agent*",
        "open-vm-tools*",
    ),
    "the network": (
        "network*",
        "NetworkManager*",
        "systemd-networkd*",
        "systemd-resolved*",
        "ifup@*",
        "ifupdown*",
        "dhclient*",
        "dhcpcd*",
        "isc-dhcp-client*",
        "netplan*",
        "connman*",
        "wicked*",
        "wpa_supplicant*",
        "iwd*",
        "resolvconf*",
        "wg-quick@*",
        "openvpn*",
        "strongswan*",
        "ipsec*",
        "nftables*",
        "netfilter-persistent*",
        "ufw*",
        "firewalld*",
        "lifeline-*",
    ),
    "the message bus": ("dbus*",),
    "systemd itself": ("systemd-*", "init.scope", "udev*", "polkit*", "rescue*", "emergency*", "initrd-*"),
    "the cloud's set-up of this box": ("cloud-*",),
    "what watches this box": ("monit*", "fail2ban*", "earlyoom*"),
}
# What else a box runs on: it starts when its package is installed, as ever. Timers do as well: they clean up.
STARTED = (
    "cron.service",
    "crond.service",
    "anacron.service",
    "rsyslog.service",
    "syslog.service",
    "chrony.service",
    "chronyd.service",
    "ntp.service",
    "ntpsec.service",
    "apparmor.service",
    "auditd.service",
    "unattended-upgrades.service",
    "sysstat.service",
    "rng-tools*.service",
    "haveged.service",
    "zramswap.service",
    "irqbalance.service",
)


class Refused(Exception):
    """What was asked for would do harm; the text names it."""


def protection(names, workers, carrying):
    """Why a unit of these names may not be stopped, or None. V(workers) are patterns, V(carrying) units of this very connection."""
    for name in names:
        if name in carrying:
            return "it carries the connection that this runs through"
        if matches(name, workers):
            return "it is the box's own worker"
        for reason, patterns in PROTECTED.items():
            if matches(name, patterns):
                return "it is " + reason
    return None


def partners(unit):
    """The units that start this one, and those that a socket starts: where only one of them is stopped, it comes back."""
    found = [name for name in unit["TriggeredBy"] if name.endswith(KINDS)]
    if unit["Id"].endswith(".socket"):
        found += [name for name in unit["Triggers"] if name.endswith(KINDS)]
    return found


def dragged(unit):
    """The units that systemd would stop with this one."""
    return unit["RequiredBy"] + unit["RequisiteOf"] + unit["BoundBy"] + unit["ConsistsOf"]


def needed_by(unit, workers, needs):
    """Which of V(workers), the worker units of this box, needs a unit, or None: its own file says so, or the patterns V(needs) do."""
    names = {unit["Id"], *unit["Names"]}
    for worker in workers:
        if names & {*worker["Requires"], *worker["Requisite"], *worker["BindsTo"], *worker["Wants"]}:
            return worker["Id"]
    if workers and any(matches(name, needs) for name in names):
        return workers[0]["Id"]
    return None


def refuse(units, asked, workers, carrying):
    """Raise Refused, with a sentence for each, where what was asked for is protected or would take something protected with it.

    V(units) are what systemctl told of everything that would be stopped, V(asked) the names that the user gave, each with the
    unit that it led to.
    """
    found = []
    for name, unit_id in asked:
        reason = protection([unit_name(name)], workers, carrying)
        if reason:
            found.append((name, unit_id, reason))
    refused = {name for name, _unit_id, _reason in found}
    led = {}
    for name, unit_id in asked:
        led.setdefault(unit_id, name)
    for unit in units:
        name = led.get(unit["Id"], unit["Id"])
        if name in refused:
            continue
        reason = protection([unit["Id"], *unit["Names"]], workers, carrying)
        if reason:
            found.append((name, unit["Id"], reason))
            continue
        for other in dragged(unit) if runs(unit) else ():
            reason = protection([other], workers, carrying)
            if reason:
                found.append((name, unit["Id"], f"{other} would be stopped with it, and {reason}"))
    if found:
        raise Refused(
            "; ".join(
                "%s%s may not be stopped: %s" % (name, "" if unit_name(name) == unit_id else " (%s)" % unit_id, reason)
                for name, unit_id, reason in found
            )
        )


def preset(started):
    """The preset that keeps what is installed from being enabled, but for what is protected and V(started), patterns."""
    lines = [
        "# Managed by Ansible (lifeline.fleet.service_lockdown).",
        "# What is installed from now on starts only if it is named: here, or by systemctl enable.",
    ]
    for patterns in PROTECTED.values():
        lines += ["enable " + pattern for pattern in patterns if not pattern.endswith(".scope")]
    lines += ["enable " + pattern for pattern in sorted(set(STARTED) | set(started))]
    lines += ["disable *.service", "disable *.socket", "disable *.path"]
    return "\n".join(lines) + "\n"
