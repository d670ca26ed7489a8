# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which units may be stopped and which must not, by what `systemctl show` prints of them."""

from __future__ import annotations

from typing import Container, Dict, Iterable, List, Optional, Sequence, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import KINDS, Unit, matches, runs, unit_name

# Without one of these a host cannot be reached, does not boot, is not watched or does not work. Patterns of unit names.
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
# Basic services, which start when their packages are installed. So do timers: they clean up.
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
    """A unit that was asked for must not be stopped; the text names it and says why."""


def protection(names: Iterable[str], workers: Iterable[str], carrying: Container[str]) -> Optional[str]:
    """Return why a unit of these names must not be stopped, or None.

    `workers` are patterns, `carrying` the units that carry the connection of this run.
    """
    for name in names:
        if name in carrying:
            return "it carries the connection of this run"
        if matches(name, workers):
            return "it is the box's own worker"
        for reason, patterns in PROTECTED.items():
            if matches(name, patterns):
                return "it is " + reason
    return None


def partners(unit: Unit) -> List[str]:
    """Return the units that would start a unit again, and those that a socket starts."""
    found = [name for name in unit["TriggeredBy"] if name.endswith(KINDS)]
    if unit["Id"].endswith(".socket"):
        found += [name for name in unit["Triggers"] if name.endswith(KINDS)]
    return found


def dragged(unit: Unit) -> List[str]:
    """Return the units that systemd would stop with a unit."""
    return unit["RequiredBy"] + unit["RequisiteOf"] + unit["BoundBy"] + unit["ConsistsOf"]


def needed_by(unit: Unit, workers: Sequence[Unit], needs: Sequence[str]) -> Optional[str]:
    """Return the worker that needs a unit, by its own unit file or by the patterns `needs`, or None."""
    names = {unit["Id"], *unit["Names"]}
    for worker in workers:
        if names & {*worker["Requires"], *worker["Requisite"], *worker["BindsTo"], *worker["Wants"]}:
            return worker["Id"]
    if workers and any(matches(name, needs) for name in names):
        return workers[0]["Id"]
    return None


def refuse(
    units: Iterable[Unit], asked: Sequence[Tuple[str, str]], workers: Sequence[str], carrying: Container[str]
) -> None:
    """Raise Refused if a unit is protected, or if stopping it would stop a protected one. The text names each of them.

    `units` are all units that would be stopped; `asked` holds each name that the user wrote, with the unit it led to.
    """
    found = []
    for name, unit_id in asked:
        reason = protection([unit_name(name)], workers, carrying)
        if reason:
            found.append((name, unit_id, reason))
    refused = {name for name, _unit_id, _reason in found}
    led: Dict[str, str] = {}
    for name, unit_id in asked:
        led.setdefault(unit_id, name)
    for unit in units:
        name = led.get(unit["Id"], unit["Id"])
        if name not in refused:
            found += [(name, unit["Id"], reason) for reason in _reasons(unit, workers, carrying)]
    if found:
        raise Refused("; ".join(_refusal(*one) for one in found))


def _reasons(unit: Unit, workers: Sequence[str], carrying: Container[str]) -> List[str]:
    reason = protection([unit["Id"], *unit["Names"]], workers, carrying)
    if reason:
        return [reason]
    found = []
    for other in dragged(unit) if runs(unit) else ():
        reason = protection([other], workers, carrying)
        if reason:
            found.append(f"{other} would be stopped with it, and {reason}")
    return found


def _refusal(name: str, unit_id: str, reason: str) -> str:
    unit = "" if unit_name(name) == unit_id else f" ({unit_id})"
    return f"{name}{unit} may not be stopped: {reason}"


def preset(started: Iterable[str]) -> str:
    """Return the preset that disables new services, sockets and paths, except the protected and the `started` ones."""
    lines = [
        "# Managed by Ansible (lifeline.fleet.service_lockdown).",
        "# A service that is installed from now on starts only if it is enabled, here or by systemctl enable.",
    ]
    for patterns in PROTECTED.values():
        lines += ["enable " + pattern for pattern in patterns if not pattern.endswith(".scope")]
    lines += ["enable " + pattern for pattern in sorted(set(STARTED) | set(started))]
    lines += ["disable *.service", "disable *.socket", "disable *.path"]
    return "\n".join(lines) + "\n"
