# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a Redis is and how it lets one in: its URL or options, TLS, the login, the database, and the Sentinels that know the master."""

from __future__ import annotations

import re
import time
from urllib.parse import unquote, urlsplit

from ansible_collections.lifeline.fleet.plugins.module_utils import _tls
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.resp import Connection, Refusal

PORT = 6379
SENTINEL_PORT = 26379

_ADDRESS = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>\d+))?")
_FORMS = "redis://user:password@host:6379/0, rediss://host for TLS, or unix:///run/redis.sock?db=0"


def from_url(url):
    """What a URL says, under the names of the options. Raises ValueError."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(f"url: {error}; write {_FORMS}") from error
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError(f"url starts with {parts.scheme!r}: write {_FORMS}")
    said = {"username": unquote(parts.username or "") or None, "password": unquote(parts.password or "") or None}
    if parts.scheme == "unix":
        if not parts.path or parts.hostname:
            raise ValueError("url names no socket: write unix:///run/redis.sock?db=0, with three strokes")
        number = parts.query[3:] if parts.query.startswith("db=") else parts.query
        return dict(said, socket=unquote(parts.path), database=_number(number))
    if parts.query:
        raise ValueError(f"url ends in {'?' + parts.query!r}, which is not known here: write {_FORMS}")
    return dict(
        said,
        host=parts.hostname or "127.0.0.1",
        port=port or PORT,
        database=_number(parts.path.strip("/")),
        tls=parts.scheme == "rediss",
    )


def _number(text):
    if not re.fullmatch(r"\d*", text):
        raise ValueError(f"url names the database {text!r}: it must be a number; write {_FORMS}")
    return int(text or 0)


def address(text, default=SENTINEL_PORT):
    """Host and port of C(host), C(host:port) or C([::1]:port). Raises ValueError."""
    found = _ADDRESS.fullmatch(text.strip())
    port = int(found.group("port") or default) if found else 0
    if not 0 < port < 65536:
        raise ValueError(f"{text!r} is no address: write host, host:port or [2001:db8::1]:port")
    return found.group("six") or found.group("host"), port


def target(options):
    """Where to ask, and as whom, from the options of a module. Raises ValueError."""
    merged = {
        "host": "127.0.0.1",
        "port": PORT,
        "socket": None,
        "database": 0,
        "username": None,
        "password": None,
        "tls": False,
    }
    if options.get("url"):
        merged.update(from_url(options["url"]))
    merged.update((key, options[key]) for key in merged if options.get(key) is not None)
    if not 0 < merged["port"] < 65536:
        raise ValueError(f"port is {merged['port']}: it must be from 1 to 65535")
    if merged["database"] < 0:
        raise ValueError(f"database is {merged['database']}: it must be 0 or more")
    if merged["username"] and not merged["password"]:
        raise ValueError(f"username is {merged['username']!r}, and no password is given")
    return merged


def asked(options):
    """What is asked, in few words and without a secret: the same for every master that the Sentinels name. Raises ValueError."""
    where = target(options)
    place = options.get("sentinel_master") or where["socket"] or f"{where['host']}:{where['port']}"
    return f"{place}/{where['database']}{' ' + options['prefix'] if options.get('prefix') else ''}"


def connect(options, seconds):
    """A Connection that is logged in, at the right database. Raises ValueError before anything is asked, and ServerFailure."""
    where = target(options)
    tls = _tls.context(options) if where["tls"] else None
    if options.get("sentinels"):
        return _through_sentinels([address(text) for text in options["sentinels"]], options, where, tls, seconds)
    return _redis(where, tls, seconds)


def _redis(where, tls, seconds, note=""):
    name = where["socket"] or f"{where['host']}:{where['port']}"
    connection = Connection(f"Redis at {name}{note}", seconds)
    try:
        if where["socket"]:
            connection.open_unix(where["socket"])
        else:
            connection.open_tcp(where["host"], where["port"], tls)
        _log_in(connection, where["username"], where["password"])
        if where["database"]:
            connection.ask("SELECT", where["database"])
    except Refusal as refusal:
        connection.close()
        raise refused(connection, refusal) from refusal
    except ServerFailure:
        connection.close()
        raise
    return connection


def _log_in(connection, username, password):
    if password:
        connection.ask("AUTH", *([username] if username else []), password)


def refused(connection, refusal):
    """A ServerFailure for what a server refuses, with what to look at."""
    code, words = refusal.code, str(refusal)
    if code in ("NOAUTH", "WRONGPASS") or "invalid password" in words or re.search(r"\bAUTH\b", words):
        hint = "it wants a password, and none was given" if code == "NOAUTH" else "are username and password right?"
        return ServerFailure("login", f"{connection.name} lets nobody in like this ({hint}): {words}")
    if code == "NOPERM":
        return ServerFailure("login", f"{connection.name} does not let this user read Sidekiq's keys: {words}")
    if code == "WRONGTYPE":
        return ServerFailure(
            "nothing",
            f"{connection.name} has keys with the names of Sidekiq's that are something else (are database and prefix right?): {words}",
        )
    return ServerFailure("refused", f"{connection.name} refuses: {words}")


def _through_sentinels(sentinels, options, where, tls, seconds):
    """The master, as the first Sentinel says that knows one."""
    deadline, errors = time.monotonic() + seconds, []
    for number, (host, port) in enumerate(sentinels):
        # One Sentinel that hangs must leave time for the others, and for the master.
        share = max(deadline - time.monotonic(), 0.001) / (len(sentinels) - number + 1)
        connection = Connection(f"Sentinel at {host}:{port}", share)
        try:
            connection.open_tcp(host, port, tls)
            _log_in(connection, options.get("sentinel_username"), options.get("sentinel_password"))
            found = connection.ask("SENTINEL", "get-master-addr-by-name", options["sentinel_master"])
            if found is None:
                raise ServerFailure("nothing", f"{connection.name} knows no master {options['sentinel_master']!r}")
        except Refusal as refusal:
            errors.append(refused(connection, refusal))
            continue
        except ServerFailure as failure:
            errors.append(failure)
            continue
        finally:
            connection.close()
        master = dict(where, host=found[0], port=int(found[1]), socket=None)
        left = max(deadline - time.monotonic(), 0.001)
        redis = _redis(master, tls, left, f", the master that the Sentinel at {host}:{port} names")
        if _is_replica(redis):
            redis.close()
            errors.append(ServerFailure("refused", f"{redis.name} is none any more"))
            continue
        return redis
    raise ServerFailure(errors[0].cause, "; ".join(map(str, errors)))


def _is_replica(connection):
    try:
        return connection.ask("ROLE")[0] == "slave"
    except Refusal:
        # A user who may not ask that can read all the same.
        return False
