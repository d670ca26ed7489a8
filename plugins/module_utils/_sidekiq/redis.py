# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connect to the Redis that a module's options describe, by itself or through its Sentinels, with TLS and login."""

from __future__ import annotations

import re
import ssl
import time
from typing import List, NamedTuple, Optional, Tuple, TypedDict, TypeVar
from urllib.parse import unquote, urlsplit

from ansible_collections.lifeline.fleet.plugins.module_utils import _tls
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.resp import Connection, Refusal, as_text, as_texts

PORT = 6379
SENTINEL_PORT = 26379

_ADDRESS = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>[0-9]+))?")
_FORMS = "redis://user:password@host:6379/0, rediss://host for TLS, or unix:///run/redis.sock?db=0"

T = TypeVar("T")


class Options(TypedDict, total=False):
    """The options of the module that say which Redis to ask, and how."""

    url: Optional[str]
    host: Optional[str]
    port: Optional[int]
    socket: Optional[str]
    database: Optional[int]
    username: Optional[str]
    password: Optional[str]
    prefix: str
    tls: Optional[bool]
    ca_path: Optional[str]
    validate_certs: bool
    client_cert: Optional[str]
    client_key: Optional[str]
    sentinels: Optional[List[str]]
    sentinel_master: Optional[str]
    sentinel_username: Optional[str]
    sentinel_password: Optional[str]
    timeout: float


class Place(NamedTuple):
    """The address of Redis and the login for it. `socket` replaces host, port and TLS."""

    host: str = "127.0.0.1"
    port: int = PORT
    socket: Optional[str] = None
    database: int = 0
    username: Optional[str] = None
    password: Optional[str] = None
    tls: bool = False


def from_url(url: str) -> Place:
    """Parse a URL of Redis. Raises ValueError."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(f"url: {error}; write {_FORMS}") from error
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError(f"url: unknown scheme ({parts.scheme!r}); write {_FORMS}")
    username, password = unquote(parts.username or "") or None, unquote(parts.password or "") or None
    if parts.scheme == "unix":
        if not parts.path or parts.hostname:
            raise ValueError("url: no path of a socket; write unix:///run/redis.sock?db=0, with three slashes")
        number = parts.query[3:] if parts.query.startswith("db=") else parts.query
        return Place(socket=unquote(parts.path), database=_number(number), username=username, password=password)
    if parts.query:
        raise ValueError(f"url: unknown query ({'?' + parts.query!r}); write {_FORMS}")
    return Place(
        host=parts.hostname or "127.0.0.1",
        port=port or PORT,
        database=_number(parts.path.strip("/")),
        username=username,
        password=password,
        tls=parts.scheme == "rediss",
    )


def _number(text):
    if not re.fullmatch(r"[0-9]*", text):
        raise ValueError(f"url: the database is not a number ({text!r}); write {_FORMS}")
    return int(text or 0)


def address(text: str, default: int = SENTINEL_PORT) -> Tuple[str, int]:
    """Parse `host`, `host:port` or `[::1]:port`. Raises ValueError."""
    found = _ADDRESS.fullmatch(text.strip())
    port = int(found.group("port") or default) if found else 0
    if found is None or not 0 < port < 65536:
        raise ValueError(f"sentinels: not an address ({text!r}); write host, host:port or [2001:db8::1]:port")
    return found.group("six") or found.group("host"), port


def _first(value: Optional[T], otherwise: T) -> T:
    return otherwise if value is None else value


def target(options: Options) -> Place:
    """Return the place that a module's options name: each option overrides its part of the URL. Raises ValueError."""
    url = options.get("url")
    place = from_url(url) if url else Place()
    place = Place(
        host=_first(options.get("host"), place.host),
        port=_first(options.get("port"), place.port),
        socket=_first(options.get("socket"), place.socket),
        database=_first(options.get("database"), place.database),
        username=_first(options.get("username"), place.username),
        password=_first(options.get("password"), place.password),
        tls=_first(options.get("tls"), place.tls),
    )
    if not 0 < place.port < 65536:
        raise ValueError(f"port: out of range ({place.port}); use 1 to 65535")
    if place.database < 0:
        raise ValueError(f"database: out of range ({place.database}); use 0 or more")
    if place.username and not place.password:
        raise ValueError(f"username: given without a password ({place.username!r}); set password as well")
    return place


def asked(options: Options) -> str:
    """Return place, database and prefix in a few words without a secret, the same for every master that Sentinels name.

    Raises ValueError.
    """
    place = target(options)
    name = options.get("sentinel_master") or place.socket or f"{place.host}:{place.port}"
    prefix = options.get("prefix")
    return f"{name}/{place.database}{' ' + prefix if prefix else ''}"


def connect(options: Options, seconds: float) -> Connection:
    """Return a connection that is logged in and has the database selected. Raises ValueError and ServerFailure."""
    place = target(options)
    tls = _tls.context(options) if place.tls else None
    sentinels = options.get("sentinels")
    if sentinels:
        return _through_sentinels([address(text) for text in sentinels], options, place, tls, seconds)
    return _redis(place, tls, seconds)


def _redis(place, tls, seconds, note=""):
    connection = Connection(f"Redis at {place.socket or f'{place.host}:{place.port}'}{note}", seconds)
    try:
        if place.socket:
            connection.open_unix(place.socket)
        else:
            connection.open_tcp(place.host, place.port, tls)
        _log_in(connection, place.username, place.password)
        if place.database:
            connection.ask("SELECT", place.database)
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


def refused(connection: Connection, refusal: Refusal) -> ServerFailure:
    """Return the ServerFailure for an error that a server answered with, and what to check."""
    code, words = refusal.code, str(refusal)
    if code in ("NOAUTH", "WRONGPASS") or "invalid password" in words or re.search(r"\bAUTH\b", words):
        hint = "set password" if code == "NOAUTH" else "check username and password"
        return ServerFailure("login", f"{connection.name}: authentication failed ({words}); {hint}")
    if code == "NOPERM":
        return ServerFailure(
            "login", f"{connection.name}: this user may not read Sidekiq's keys ({words}); extend its ACL"
        )
    if code == "WRONGTYPE":
        return ServerFailure(
            "nothing",
            f"{connection.name}: keys with Sidekiq's names hold other data ({words}); check database and prefix",
        )
    return ServerFailure("refused", f"{connection.name}: {words}")


def _through_sentinels(
    sentinels: List[Tuple[str, int]],
    options: Options,
    place: Place,
    tls: Optional[ssl.SSLContext],
    seconds: float,
) -> Connection:
    """Return a connection to the master that the first Sentinel with an answer names."""
    deadline = time.monotonic() + seconds
    errors: List[ServerFailure] = []
    for number, (host, port) in enumerate(sentinels):
        # A Sentinel that hangs must leave time for the others, and for the master.
        share = max(deadline - time.monotonic(), 0.001) / (len(sentinels) - number + 1)
        try:
            master, at = _master(host, port, options, tls, share)
        except ServerFailure as failure:
            errors.append(failure)
            continue
        left = max(deadline - time.monotonic(), 0.001)
        note = f", the master that the Sentinel at {host}:{port} names"
        redis = _redis(place._replace(host=master, port=at, socket=None), tls, left, note)
        if _is_replica(redis):
            redis.close()
            errors.append(ServerFailure("refused", f"{redis.name}: is a replica now"))
            continue
        return redis
    raise ServerFailure(errors[0].cause, "; ".join(map(str, errors)))


def _master(host, port, options, tls, seconds):
    """Return host and port of the master that one Sentinel names. Raises ServerFailure."""
    connection = Connection(f"Sentinel at {host}:{port}", seconds)
    try:
        connection.open_tcp(host, port, tls)
        _log_in(connection, options.get("sentinel_username"), options.get("sentinel_password"))
        found = connection.ask("SENTINEL", "get-master-addr-by-name", options["sentinel_master"])
        if found is None:
            raise ServerFailure(
                "nothing", f"{connection.name}: no master of this name ({options['sentinel_master']!r})"
            )
        host, port = [*as_texts(connection, found), None, None][:2]
        if not host or not port or not re.fullmatch("[0-9]{1,5}", port):
            raise connection.unexpected(found)
        return host, int(port)
    except Refusal as refusal:
        raise refused(connection, refusal) from refusal
    finally:
        connection.close()


def _is_replica(connection):
    try:
        role = connection.ask("ROLE")
    except Refusal:
        # A user without permission for ROLE can still read.
        return False
    return isinstance(role, list) and bool(role) and as_text(connection, role[0]) == "slave"
