# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to stand on a box before its door is changed: the way back, and who takes it when nobody else can."""

from __future__ import annotations

STATE = "/etc/lifeline/ssh_door"
LOCK = "/run/lifeline-ssh_door.lock"
RESTORE = "/usr/local/lib/lifeline/ssh-door-restore"
RESTORE_UNIT = "lifeline-ssh-restore.service"
BOOT_UNIT = "lifeline-ssh-restore-boot.service"
RESTORE_TIMER = "lifeline-ssh-restore.timer"
FIREWALL_UNIT = "lifeline-ssh-firewall.service"

_RESTORE = r"""#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# ssh-door-restore: put back how SSH was reached before changes that nobody has confirmed.
# A timer calls it, and each boot before there is a network or an sshd. No step waits for another's success, and the files
# are only renamed, for which a full disk has room.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd @STATE@ 2> /dev/null || exit 0
# Who changes the door has the lock already.
if [ "${1:-}" != locked ]; then
    exec 9> @LOCK@
    flock -w 20 9
fi
[ -d armed ] || exit 0
logger -p daemon.warning -t ssh-door "nobody has confirmed the changes to SSH: putting back how it was" || :

while read -r kind number path; do
    case $kind in
        keep) [ ! -e "armed/old.$number" ] || mv -f "armed/old.$number" "$path" ;;
        gone) rm -f "$path" ;;
    esac
done < armed/manifest

# Rather a door that stands open than one that nobody can open.
if [ -s armed/previous.nft ]; then
    nft -f armed/previous.nft || nft delete table inet lifeline
fi

read -r unit < armed/unit
if [ -n "$unit" ]; then
    if systemctl --quiet is-active "$unit"; then
        timeout 20 systemctl reload "$unit" || timeout 20 systemctl restart "$unit"
    elif systemctl --quiet is-failed "$unit"; then
        systemctl reset-failed "$unit"
        systemctl start --no-block "$unit"
    fi
fi
rm -rf restored
mv armed restored
sync
"""

_RESTORE_SERVICE = """# Written by role lifeline.fleet.ssh_lifeline.
# It is before or after no other unit: a reload of sshd would wait for it, while it waits for the reload.
[Unit]
Description=Put back how SSH was reached before changes that nobody has confirmed
DefaultDependencies=no
ConditionPathExists=@STATE@/armed

[Service]
Type=oneshot
ExecStart=@RESTORE@
"""

_BOOT_SERVICE = """# Written by role lifeline.fleet.ssh_lifeline.
[Unit]
Description=Put back how SSH was reached before changes that nobody has confirmed until this boot
DefaultDependencies=no
ConditionPathExists=@STATE@/armed
After=local-fs.target
Before=network-pre.target @FIREWALL_UNIT@ ssh.service ssh.socket sshd.service sshd.socket shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
ExecStart=@RESTORE@

[Install]
WantedBy=sysinit.target
"""

_FIREWALL_SERVICE = """# Written by role lifeline.fleet.ssh_lifeline.
[Unit]
Description=Close SSH to everybody who is not on the list
DefaultDependencies=no
ConditionPathExists=@STATE@/firewall.nft
Wants=network-pre.target
After=local-fs.target nftables.service
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
# What nftables.service loads begins by throwing away everybody's tables.
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=@NFT@ -f @STATE@/firewall.nft
ExecReload=@NFT@ -f @STATE@/firewall.nft
ExecStop=-@NFT@ delete table inet lifeline

[Install]
WantedBy=sysinit.target nftables.service
"""


def files(nft):
    """Paths with the texts that belong there, and their modes."""

    def filled(text):
        for name, value in (
            ("STATE", STATE),
            ("LOCK", LOCK),
            ("RESTORE", RESTORE),
            ("FIREWALL_UNIT", FIREWALL_UNIT),
            ("NFT", nft),
        ):
            text = text.replace(f"@{name}@", value)
        return text

    folder = "/etc/systemd/system/"
    found = {
        RESTORE: (filled(_RESTORE), 0o755),
        folder + RESTORE_UNIT: (filled(_RESTORE_SERVICE), 0o644),
        folder + BOOT_UNIT: (filled(_BOOT_SERVICE), 0o644),
    }
    if nft:
        found[folder + FIREWALL_UNIT] = (filled(_FIREWALL_SERVICE), 0o644)
    return found
