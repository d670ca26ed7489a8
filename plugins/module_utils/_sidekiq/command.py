# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a worker's command as a shell would, and rewrite it so that options reach Sidekiq and signals do as well.

`bash -lc 'bundle exec sidekiq'` drops the words that follow it: a look with -V would start a real worker. A shell that
stays between systemd and Sidekiq dies of the TERM that is meant for Sidekiq, and the jobs with it.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import List, NamedTuple, Optional, Sequence

from ansible_collections.lifeline.fleet.plugins.module_utils._files import regular

_SHELLS = ("sh", "bash", "dash", "zsh", "ksh", "ash")
_PROGRAMS = ("sidekiq", "sidekiqswarm")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_OPERATORS = ("&&", "||", ";;", "|&", ">>", "<<", ">&", "<&", "&>", ";", "&", "|", "(", ")", "<", ">", "\n")
_ENDS = ("&&", "||", ";", "&", "|", "|&", "(", ")", "\n")
# A file name follows these, which is no word of the command.
_REDIRECTIONS = (">>", "<<", ">&", "<&", "&>", "<", ">")
_PASSES = re.compile(r"\$[@*]|\$\{[@*]")
# `exec` in front of these does not do what they do.
_NO_PROGRAMS = ("exec", "eval", "command", "builtin", "time", "!", ".", "source")
_COMPOUND = ("if", "for", "while", "until", "case", "{", "[[", "function", "select", "fi", "done", "esac", "}")
# They start Sidekiq in another session or as another user, where systemd's signals do not reach it.
_USERS = ("sudo", "su", "runuser", "doas")
_DETACHING = ("tmux", "screen", "daemonize", "start-stop-daemon", "setsid", "systemd-run")
_EXEC = re.compile(r"(?m)(?:^|[;&|({]|\b(?:then|do|else)\b)[ \t]*(?:[A-Za-z_]\w*=\S*[ \t]+)*exec[ \t]")
_LARGEST_SCRIPT = 1 << 18


class CommandError(ValueError):
    """A command that cannot start a worker; the text says why and what to write."""


class _Token(NamedTuple):
    text: str
    start: int
    end: int
    operator: bool


def words(declared: str, login_shell: str = "/bin/bash") -> List[str]:
    """Return a command as words that take further options at their end. Raises CommandError.

    A command with shell syntax, such as `cd /srv/app && bundle exec sidekiq`, is given to a shell.
    """
    if not declared.isprintable():
        raise CommandError(f"has a control character or a line break ({declared!r}); write one line")
    try:
        found = shlex.split(declared)
        tokens = _tokens(declared)
    except ValueError as error:
        raise CommandError(f"not a command line ({declared!r}): {str(error).lower()}; write it as in a shell") from None
    if not found or not found[0]:
        raise CommandError(f"names no program ({declared!r}); write for example bundle exec sidekiq")
    _refuse_detached(found)
    place = _shell(found)
    if place is not None:
        return [*found[:place], passing(found[place]), *(found[place + 1 :] or ["sidekiq"])]
    if os.path.basename(found[0]) == "rvm":
        return [login_shell, "-lc", passing(declared), "sidekiq"]
    if _needs_shell(declared, tokens):
        return [login_shell if os.access(login_shell, os.X_OK) else "/bin/sh", "-c", passing(declared), "sidekiq"]
    return found


def passing(script: str) -> str:
    """Return a shell's script with its last command changed: it replaces the shell, and takes the script's arguments.

    Raises CommandError.
    """
    try:
        tokens = _tokens(script)
    except ValueError as error:
        raise CommandError(f"not a script of a shell ({script!r}): {str(error).lower()}") from None
    while tokens and tokens[-1].operator and tokens[-1].text in (";", "\n"):
        tokens.pop()
    commands: List[List[_Token]] = [[]]
    ends = []
    for token in tokens:
        if token.operator and token.text in _ENDS:
            ends.append(token.text)
            commands.append([])
        else:
            commands[-1].append(token)
    last = commands[-1]
    passed = _PASSES.search(script) is not None
    plain = _plain(last)
    if not plain or _is_wrong_end(ends) or plain[0].text in _COMPOUND:
        if passed:
            return script
        raise CommandError(
            f"the shell does not end with the command that starts Sidekiq ({script!r}); end it with "
            'exec bundle exec sidekiq "$@"'
        )
    if not passed and not _starts_sidekiq(plain):
        raise CommandError(
            f'does not pass its options on to Sidekiq ({script!r}); end it with the command and "$@", such as '
            'exec bundle exec sidekiq "$@"'
        )
    _refuse_detached([_unquoted(token.text) for token in plain])
    end = last[-1].end
    if not passed:
        script = script[:end] + ' "$@"' + script[end:]
    return _replacing(script, plain)


def unfit(found: Sequence[str], folder: str) -> Optional[str]:
    """Return why a script among a command's words would start a worker instead of answering to -V, or None.

    `folder` is where relative paths begin.
    """
    shell = _shell(found)
    for word in found[:shell]:
        path = os.path.join(folder, word)
        text = regular.read(os.path.realpath(path), _LARGEST_SCRIPT) if "/" in word else None
        line, _newline, body = (text or "").partition("\n")
        if not line.startswith("#!"):
            continue
        body = re.sub(r"(?m)^\s*#.*$", "", body)
        interpreter = re.sub(r"^#!\s*(?:\S*/env\s+(?:-S\s+)?)?", "", line).split()
        program = os.path.basename(interpreter[0]) if interpreter else ""
        if program in _SHELLS:
            if not _PASSES.search(body):
                return f'{path} does not pass its options on to Sidekiq; write exec bundle exec sidekiq "$@" in it'
            if not _EXEC.search(body):
                return (
                    f"{path} keeps a shell between systemd and Sidekiq, which would not get its signals; "
                    'write exec bundle exec sidekiq "$@" in it'
                )
        elif re.search(r"\b(?:exec|system|spawn|call|run)\b|`", body) and not re.search(r"ARGV|\bargv\b", body):
            return f"{path} does not pass its options on to Sidekiq; have it pass its arguments"
    return None


def _replacing(script: str, plain: Sequence[_Token]) -> str:
    """Return a script whose last command, with the words `plain`, replaces the shell."""
    first = next((token for token in plain if not _ASSIGNMENT.match(token.text)), plain[-1])
    name = os.path.basename(_unquoted(first.text))
    if name == "rvm":
        return _with_rvm(script, plain[plain.index(first) :])
    if name in _NO_PROGRAMS:
        return script
    return script[: first.start] + "exec " + script[first.start :]


def _with_rvm(script: str, plain: Sequence[_Token]) -> str:
    """Return a script in which RVM chooses the Ruby, and then is gone: `rvm RUBY do` stays as a parent."""
    texts = [token.text for token in plain]
    if len(texts) < 4 or texts[2] != "do" or texts[1] == "in":
        raise CommandError(
            f"rvm is not used as rvm RUBY do COMMAND ({script!r}); write for example rvm 3.2.2 do bundle exec sidekiq"
        )
    program = texts[0]
    load = f". {program[: -len('/bin/rvm')]}/scripts/rvm && " if program.endswith("/bin/rvm") else ""
    chosen = f"{load}rvm use {texts[1]} > /dev/null && exec"
    return script[: plain[0].start] + chosen + script[plain[2].end :]


def _shell(found: Sequence[str]) -> Optional[int]:
    """Return where the script of a shell (`bash -lc SCRIPT`) is in a command, or None. Raises CommandError."""
    for place, word in enumerate(found):
        name = os.path.basename(word)
        if name in (*_PROGRAMS, "bundle", "ruby"):
            return None
        if name in _SHELLS:
            for further, option in enumerate(found[place + 1 : -1], place + 1):
                if re.match(r"-[a-zA-Z]*c[a-zA-Z]*\Z", option):
                    return further + 1
                if not option.startswith("-"):
                    break
            raise CommandError(
                f"starts a shell without -c and a script ({shlex.join(found)!r}); write for example "
                "bash -lc 'bundle exec sidekiq', or name an executable script alone"
            )
    return None


def _needs_shell(declared: str, tokens: Sequence[_Token]) -> bool:
    if any(token.operator for token in tokens) or _ASSIGNMENT.match(tokens[0].text):
        return True
    # Within single quotes, these characters mean themselves.
    bare = re.sub(r"\\.|'[^']*'", "", declared)
    return bool(re.search(r"[$`*?]", bare)) or any(token.text.startswith("~") for token in tokens)


def _is_wrong_end(ends: Sequence[str]) -> bool:
    return bool(ends) and ends[-1] in ("&", "|", "|&", "||", "(", ")")


def _plain(command: Sequence[_Token]) -> List[_Token]:
    """Return the words of a simple command without its redirections."""
    found: List[_Token] = []
    skip = False
    for token in command:
        if token.operator:
            skip = token.text in _REDIRECTIONS
            if found and found[-1].end == token.start and found[-1].text.isdigit():
                found.pop()
        elif skip:
            skip = False
        else:
            found.append(token)
    return found


def _starts_sidekiq(plain: Sequence[_Token]) -> bool:
    return any(os.path.basename(_unquoted(token.text)) in _PROGRAMS for token in plain)


def _refuse_detached(found: Sequence[str]) -> None:
    names = [os.path.basename(word) for word in found]
    for name in names[:3]:
        if name in _USERS:
            raise CommandError(f"begins with {name}; leave that out, and set the worker's user")
        if name in _DETACHING:
            raise CommandError(f"begins with {name}, and systemd could not stop what that starts; leave it out")
    sidekiq = next((place for place, name in enumerate(names) if name in _PROGRAMS), None)
    if sidekiq is not None and {"-d", "--daemon"} & set(found[sidekiq:]):
        raise CommandError("puts Sidekiq into the background; leave out -d, systemd needs it in the foreground")


def _unquoted(text: str) -> str:
    try:
        return "".join(shlex.split(text))
    except ValueError:
        return text


def _tokens(text: str) -> List[_Token]:
    """Return the words and operators of a shell's line, each as it is written. Raises ValueError for an open quote."""
    found: List[_Token] = []
    place = 0
    while place < len(text):
        if text[place] in " \t":
            place += 1
        elif text[place] == "#":
            place = (text + "\n").index("\n", place)
        else:
            operator = next((one for one in _OPERATORS if text.startswith(one, place)), None)
            end = place + len(operator) if operator else _word_end(text, place)
            found.append(_Token(text[place:end], place, end, operator is not None))
            place = end
    return found


def _word_end(text: str, place: int) -> int:
    """Return where the word ends that begins at `place`."""
    quote = ""
    while place < len(text):
        char = text[place]
        if char == "\\" and quote != "'":
            place += 1
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "$" and text[place + 1 : place + 2] in ("(", "{"):
            place = _expansion_end(text, place + 1) - 1
        elif char in " \t\n;&|()<>":
            return place
        place += 1
    if quote:
        raise ValueError("No closing quotation")
    return place


def _expansion_end(text: str, place: int) -> int:
    """Return where `$(...)` or `${...}` ends whose bracket is at `place`."""
    opening, closing = text[place], {"(": ")", "{": "}"}[text[place]]
    depth = 0
    while place < len(text):
        depth += (text[place] == opening) - (text[place] == closing)
        place += 1
        if depth == 0:
            return place
    raise ValueError("No closing bracket")
