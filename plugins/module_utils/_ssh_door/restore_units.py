# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script and the systemd units that restore how SSH was reached, installed before anything is changed."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

STATE = "/etc/lifeline/ssh_door"
LOCK = "/run/lifeline-ssh_door.lock"
RESTORE = "/usr/local/lib/lifeline/ssh-door-restore"
RESTORE_UNIT = "lifeline-ssh-restore.service"
BOOT_UNIT = "lifeline-ssh-restore-boot.service"
RESTORE_TIMER = "lifeline-ssh-restore.timer"
FIREWALL_UNIT = "lifeline-ssh-firewall.service"

_RESTORE = r"""#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# ssh-door-restore: restore how SSH was reached before changes that were not confirmed.
# A timer calls it, and each boot before the network and sshd are up. A step that fails does not stop the next one, and
# files are only renamed, which works on a full disk.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd @STATE@ 2> /dev/null || exit 0
# A run that changes SSH holds the lock already.
umask 077
if [ "${1:-}" != locked ]; then
    exec 9> @LOCK@
    flock -w 20 9
fi
[ -d armed ] || exit 0
logger -p daemon.warning -t ssh-door "the changes to SSH were not confirmed: restoring the previous state" || :

while read -r kind number path; do
    case $kind in
        keep) [ ! -e "armed/old.$number" ] || mv -f "armed/old.$number" "$path" ;;
        gone) rm -f "$path" ;;
    esac
done < armed/manifest

# Fail open: if the previous rules cannot be restored, remove ours.
if [ -s armed/previous.nft ]; then
    nft -f armed/previous.nft || nft delete table inet lifeline
fi

read -r unit < armed/unit
if [ -n "$unit" ]; then
    if systemctl --quiet is-active "$unit"; then
        # An sshd that a socket has started cannot bind its port again at a reload.
        verb=reload
        ! systemctl --quiet is-active ssh.socket sshd.socket || verb=restart
        timeout 20 systemctl $verb "$unit" || timeout 20 systemctl restart "$unit"
    elif systemctl --quiet is-failed "$unit"; then
        systemctl reset-failed "$unit"
        systemctl start --no-block "$unit"
    fi
fi
rm -rf restored
mv armed restored
sync
"""

# Take away the rights that no unit needs, without options that give a unit a mount namespace of its own: systemd cannot
# make it if another unit's file system is unmounted in that moment, as those for credentials are during the boot. Then
# SSH would stay open, or the operator locked out.
_SANDBOX = """NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_NETLINK
IPAddressDeny=any
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0077
"""

# If a start fails nevertheless, the next one follows after two seconds.
_AGAIN = """Restart=on-failure
RestartSec=2
"""
_LIMIT = """StartLimitIntervalSec=5min
StartLimitBurst=5
"""

_RESTORE_RIGHTS = """CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_FOWNER CAP_NET_ADMIN
"""

_RESTORE_SERVICE = (
    """# Written by role lifeline.fleet.ssh_lifeline.
# No ordering against other units: a reload of sshd would wait for this unit, which waits for the reload.
[Unit]
Description=Restore how SSH was reached before changes that were not confirmed
DefaultDependencies=no
ConditionPathExists=@STATE@/armed
"""
    + _LIMIT
    + """
[Service]
Type=oneshot
ExecStart=@RESTORE@
"""
    + _AGAIN
    + _RESTORE_RIGHTS
    + _SANDBOX
)

_BOOT_SERVICE = (
    """# Written by role lifeline.fleet.ssh_lifeline.
[Unit]
Description=Restore how SSH was reached before changes that were not confirmed before this boot
DefaultDependencies=no
ConditionPathExists=@STATE@/armed
After=local-fs.target
Before=network-pre.target @FIREWALL_UNIT@ ssh.service ssh.socket sshd.service sshd.socket shutdown.target
Conflicts=shutdown.target
"""
    + _LIMIT
    + """
[Service]
Type=oneshot
ExecStart=@RESTORE@
"""
    + _AGAIN
    + _RESTORE_RIGHTS
    + _SANDBOX
    + """
[Install]
WantedBy=sysinit.target
"""
)

_FIREWALL_SERVICE = (
    """# Written by role lifeline.fleet.ssh_lifeline.
[Unit]
Description=Drop connections to SSH from addresses outside the allow-list
DefaultDependencies=no
ConditionPathExists=@STATE@/firewall.nft
Wants=network-pre.target
After=local-fs.target nftables.service
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
# nftables.service flushes the tables of all others when it loads its own.
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
"""
    + _LIMIT
    + """
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=@NFT@ -f @STATE@/firewall.nft
ExecReload=@NFT@ -f @STATE@/firewall.nft
ExecStop=-@NFT@ delete table inet lifeline
"""
    + _AGAIN
    + """CapabilityBoundingSet=CAP_NET_ADMIN
"""
    + _SANDBOX
    + """SystemCallFilter=~@privileged @resources

[Install]
WantedBy=sysinit.target nftables.service
"""
)


def files(nft: Optional[str]) -> Dict[str, Tuple[str, int]]:
    """Return the texts and modes of the files by path. `nft` is the program's path; without it, no unit calls nft."""
    folder = "/etc/systemd/system/"
    found = {
        RESTORE: (_filled(_RESTORE, nft), 0o755),
        folder + RESTORE_UNIT: (_filled(_RESTORE_SERVICE, nft), 0o644),
        folder + BOOT_UNIT: (_filled(_BOOT_SERVICE, nft), 0o644),
    }
    if nft:
        found[folder + FIREWALL_UNIT] = (_filled(_FIREWALL_SERVICE, nft), 0o644)
    return found


def _filled(text: str, nft: Optional[str]) -> str:
    values = {"STATE": STATE, "LOCK": LOCK, "RESTORE": RESTORE, "FIREWALL_UNIT": FIREWALL_UNIT, "NFT": nft or ""}
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
