# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build all commands that a rescue runs as root on a host, each with the targets that it may have.

A plan follows from facts that are some seconds old, and that a host's users can influence. So a command first asks
systemd about the unit's present state, and does nothing if the answer differs from the plan: another unit behind the
name, or another main process. Signals go only to processes of the unit's own control group. Names are checked here, and
are only ever arguments behind `--`.

A command is one line for a POSIX shell, without single quotes, and needs little memory. docs/security.md lists them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError

# The size that the journal is reduced to, in bytes.
JOURNAL_KEPT = 64 << 20
CLEAN_PACKAGES = "apt-get -qq clean"
SHORTEN_JOURNAL = f"journalctl --quiet --vacuum-size={JOURNAL_KEPT}"

_SERVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.\\@-]{0,230}\.service")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,230}")

# `i` is the unit's name as systemd knows it, `m` its main process, `g` its control group.
_ASK = (
    "i= m= g=; for l in $(systemctl show -p Id -p MainPID -p ControlGroup -- %s); do case $l in Id=*) i=${l#Id=};; "
    "MainPID=*) m=${l#MainPID=};; ControlGroup=*) g=${l#ControlGroup=};; esac; done; "
)
_IF_NAMED = 'if [ "$i" = %s ]; then %s; else echo "%s: systemd knows it as $i: nothing was done"; fi'
_IF_MAIN = (
    'if [ "$i" != %s ]; then echo "%s: systemd knows it as $i: nothing was done"; '
    'else case " %s " in *" $m "*) %s;; *) echo "%s: its main process is $m now: nothing was done";; esac; fi'
)
# A process may have ended, and another may have its pid: only a process that is in the unit's group now gets the
# signal.
_SIGNAL = (
    'for p in %s; do while IFS=: read -r a b c; do case $g in /*.service) case $c in "$g"|"$g"/*) '
    "kill -%s $p; break;; esac;; esac; done < /proc/$p/cgroup; done; sleep 1; "
)

_SIGNAL_TITLED = 'for p in %s; do grep -aq "^sidekiq [0-9]" /proc/$p/cmdline && kill -%s $p; done'
_GIVEN_SECONDS = 80


def is_service(unit: object) -> bool:
    """Return whether this is a name that systemd gives a service, and that is safe as an argument."""
    return isinstance(unit, str) and _SERVICE.fullmatch(unit) is not None


def is_name(name: object) -> bool:
    """Return whether this is a name that monit and the watchdog may be given."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def restart(unit: str) -> str:
    """Return the command that restarts a service."""
    return _named(unit, f"systemctl --no-block restart -- {_word(unit)}")


def reload(unit: str) -> str:
    """Return the command that makes a service reopen its files."""
    return _named(unit, f"systemctl --no-block reload -- {_word(unit)}")


def start(unit: str) -> str:
    """Return the command that starts a service, also one that has failed too often."""
    return _named(unit, f"systemctl reset-failed -- {_word(unit)}; systemctl --no-block start -- {_word(unit)}")


def restart_worker(unit: str, pids: Iterable[int], quiet: Sequence[tuple[str, Sequence[int]]], named: bool) -> str:
    """Return the command that restarts a worker's unit.

    `quiet` are signals with the processes that they make refuse new jobs. Unless the unit is `named` after the worker,
    its main process must be among `pids`.
    """
    signals = "".join(_SIGNAL % (_numbers(who), signal) for signal, who in quiet if signal in ("TSTP", "USR1"))
    return _own(unit, pids, named, f"{signals}systemctl --no-block restart -- {_word(unit)}")


def kill_worker(unit: str, pids: Iterable[int], named: bool) -> str:
    """Return the command that kills all processes of a worker's unit and starts it. Jobs in progress are lost."""
    word = _word(unit)
    return _own(
        unit,
        pids,
        named,
        # A stop that still waits for the jobs would hold up the start.
        f"systemctl kill --signal KILL -- {word}; systemctl reset-failed -- {word}; "
        f"systemctl --no-block start -- {word}",
    )


def given(command: str, quiet: Sequence[tuple[str, Sequence[int]]] = ()) -> str:
    """Return the command that the inventory gives for a worker, apart from the rest of the line.

    `quiet` are signals with the processes that they make refuse new jobs.
    """
    if not command.isprintable() or {"'", "!"} & set(command):
        raise SettingsError(f"restart_command: not one line without single quotes and ! ({command!r}); rewrite it")
    escaped = re.sub(r'([\\"$`])', r"\\\1", command)
    return f'{_quieted(quiet)}timeout -s KILL {_GIVEN_SECONDS} sh -c "{escaped}" < /dev/null'


def end(pids: Iterable[int], quiet: Sequence[tuple[str, Sequence[int]]], force: bool) -> str:
    """Return the command that ends Sidekiq's processes; with `force`, jobs in progress are lost.

    A process may have gone, and its number be another's: only one that calls itself Sidekiq now gets the signal.
    """
    signal = "KILL" if force else "TERM"
    return ("" if force else _quieted(quiet)) + _SIGNAL_TITLED % (_numbers(pids), signal)


def by_hand(pids: Iterable[int]) -> str:
    """Return what a person can type to end a worker that may not be touched."""
    numbers = _numbers(pids)
    return f"kill -TSTP {numbers}; sleep 1; kill -TERM {numbers}"


def _quieted(quiet: Sequence[tuple[str, Sequence[int]]]) -> str:
    signals = [_SIGNAL_TITLED % (_numbers(who), signal) for signal, who in quiet if signal in ("TSTP", "USR1")]
    return "; ".join([*signals, "sleep 1; "]) if signals else ""


def monit(verb: str, name: str) -> str:
    """Return the command that has monit start or restart a worker."""
    if verb not in ("start", "restart"):
        raise ValueError(verb)
    return f"monit {verb} {_checked_name(name)}"


def resume(name: str) -> str:
    """Return the command that resumes a worker, if the watchdog has noted that it was given up."""
    name = _checked_name(name)
    return (
        f"if grep -qs given_up /run/lifeline/watchdog/{name}; then /usr/local/sbin/sidekiq-watchdog resume {name}; "
        f'else echo "{name}: the watchdog has not given it up: nothing was done"; fi'
    )


def _named(unit: str, command: str) -> str:
    word = _word(unit)
    return _ASK % word + _IF_NAMED % (word, command, word)


def _own(unit: str, pids: Iterable[int], named: bool, command: str) -> str:
    word = _word(unit)
    if named:
        return _named(unit, command)
    return _ASK % word + _IF_MAIN % (word, word, _numbers(pids), command, word)


def _word(unit: str) -> str:
    """Return a unit's name as a word of a shell, in double quotes or out of them: systemd escapes by backslashes."""
    if not is_service(unit):
        raise SettingsError(f"unit: not the name of a service ({unit!r}); name one such as sidekiq.service")
    return unit.replace("\\", "\\\\")


def _checked_name(name: str) -> str:
    if not is_name(name):
        raise SettingsError(
            f"worker: not a name that monit and systemd accept ({name!r}); use letters, digits and . _ @ -"
        )
    return shlex.quote(name)


def _numbers(pids: Iterable[int]) -> str:
    return " ".join(str(int(pid)) for pid in pids if int(pid) > 1)
