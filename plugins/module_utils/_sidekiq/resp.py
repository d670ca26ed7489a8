# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client for the subset of the Redis protocol (RESP2) that the collection uses.

A command is a list of words; a reply is a string, an integer, a list or None. Hosts have only the standard library, so
no client library can be used.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from typing import Iterable, List, Optional, Sequence, Union

from ansible_collections.lifeline.fleet.plugins.module_utils._asking import within
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape

# Far more than all of Sidekiq's keys together; a larger reply is an answer to none of our commands.
MOST_BYTES = 64 << 20
_MOST_LINE = 64 << 10
_DEEPEST = 8


class Refusal(Exception):
    """Redis answered with an error: its text, which starts with a code such as NOAUTH or WRONGTYPE."""

    @property
    def code(self) -> str:
        """Return the first word of the error."""
        return str(self).split(" ", 1)[0]

    def __str__(self) -> str:
        """Return the error, safe to print."""
        return escape(super().__str__())


Reply = Union[str, int, None, List["Reply"], Refusal]
Word = Union[str, int, bytes]


class Connection:
    """A connection to Redis with one deadline for everything that is done with it."""

    def __init__(self, name: str, seconds: float) -> None:
        """Name the server for messages (`name`) and start the clock of `seconds`."""
        self.name = name
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._doing = "connecting"
        self._socket: Optional[socket.socket] = None
        self._buffer = bytearray()
        self._received = 0

    def close(self) -> None:
        """Close the socket, if there is one."""
        if self._socket is not None:
            self._socket.close()

    def open_tcp(self, host: str, port: int, tls: Optional[ssl.SSLContext] = None) -> None:
        """Connect by TCP, and start TLS when `tls` is given. Raises ServerFailure."""
        try:
            found = within(self._left(), lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except TimeoutError:
            raise ServerFailure(
                "timeout", f"{self.name}: looking up the name {host} took more than {self._seconds:g} s"
            ) from None
        except (OSError, UnicodeError) as error:
            raise ServerFailure("unreachable", f"{self.name}: cannot look up the name {host}: {error}") from error
        reason: Optional[OSError] = None
        for number, (family, kind, protocol, _name, address) in enumerate(found):
            self._socket = socket.socket(family, kind, protocol)
            # An address that does not answer must leave time for the others.
            self._socket.settimeout(max(self._left() / (len(found) - number), 0.001))
            try:
                self._socket.connect(address)
                break
            except OSError as refused:
                self._socket.close()
                reason = refused
        else:
            raise self._unreachable(reason) from reason
        if tls is not None:
            self._start_tls(tls, host)

    def open_unix(self, path: str) -> None:
        """Connect to a Unix socket. Raises ServerFailure."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(max(self._left(), 0.001))
        try:
            self._socket.connect(path)
        except OSError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error):
        if isinstance(error, TimeoutError) or "timed out" in str(error):
            return self._timeout()
        return ServerFailure("unreachable", f"{self.name}: cannot connect: {getattr(error, 'strerror', None) or error}")

    def _connected(self):
        if self._socket is None:
            raise RuntimeError(f"{self.name}: open_tcp or open_unix must come first")
        return self._socket

    def _start_tls(self, context, host):
        self._doing = "starting TLS"
        try:
            connected = self._connected()
            connected.settimeout(self._remaining())
            self._socket = context.wrap_socket(connected, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            raise ServerFailure(
                "tls", f"{self.name}: its certificate is not trusted: {error.verify_message}"
            ) from error
        except (socket.timeout, TimeoutError) as error:
            raise self._timeout("; check that this port expects TLS") from error
        except (ssl.SSLError, ValueError) as error:
            raise ServerFailure("tls", f"{self.name}: TLS failed: {getattr(error, 'reason', None) or error}") from error
        except OSError as error:
            raise ServerFailure(
                "tls",
                f"{self.name}: the connection ended while starting TLS: {error}; check that this port expects TLS",
            ) from error

    def _left(self):
        return self._deadline - time.monotonic()

    def _remaining(self):
        left = self._left()
        if left <= 0:
            raise self._timeout()
        return left

    def _timeout(self, hint=""):
        return ServerFailure(
            "timeout", f"{self.name}: no answer within {self._seconds:g} s (while {self._doing}){hint}"
        )

    def ask(self, *words: Word) -> Reply:
        """Return the reply to one command. Raises Refusal and ServerFailure."""
        (reply,) = self.ask_all([words])
        if isinstance(reply, Refusal):
            raise reply
        return reply

    def ask_all(self, commands: Sequence[Sequence[Word]]) -> List[Reply]:
        """Send all `commands` at once and return their replies. Raises ServerFailure.

        A Refusal is returned in its place among the replies, so it hides no other.
        """
        if not commands:
            return []
        self._doing = "asking " + str(commands[0][0])
        try:
            connected = self._connected()
            connected.settimeout(self._remaining())
            # A server that rejects the client sends its reason and closes before it has read anything: the reason is
            # worth reading.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connected.sendall(b"".join(map(encode, commands)))
            return [self._reply() for _command in commands]
        except (socket.timeout, TimeoutError) as error:
            raise self._timeout() from error
        except ssl.SSLError as error:
            # With TLS 1.3 a server asks for the client's certificate only now.
            raise ServerFailure("tls", f"{self.name}: TLS failed: {error.reason or error}") from error
        except OSError as error:
            raise self._ended(error) from error

    def _ended(self, error=None):
        reason = "" if error is None else f": {error}"
        return ServerFailure(
            "protocol",
            f"{self.name}: the connection ended (while {self._doing}){reason}; check that it is Redis, whether it "
            "expects TLS, and its number of clients",
        )

    def _fill(self):
        connected = self._connected()
        connected.settimeout(self._remaining())
        part = connected.recv(65536)
        if not part:
            raise self._ended()
        self._received += len(part)
        if self._received > MOST_BYTES:
            raise ServerFailure(
                "protocol", f"{self.name}: the answer exceeds {MOST_BYTES >> 20} MB (while {self._doing})"
            )
        self._buffer += part

    def _line(self):
        start = 0
        while True:
            end = self._buffer.find(b"\r\n", start)
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 2]
                return line
            if len(self._buffer) > _MOST_LINE:
                raise self._strange(bytes(self._buffer))
            start = max(len(self._buffer) - 1, 0)
            self._fill()

    def _exactly(self, length):
        while len(self._buffer) < length + 2:
            self._fill()
        value = bytes(self._buffer[:length])
        del self._buffer[: length + 2]
        return value

    def _strange(self, answer):
        return ServerFailure(
            "protocol",
            f"{self.name}: the answer is not the Redis protocol ({answer[:60]!r}); check that it is Redis, and "
            "whether it expects TLS",
        )

    def _reply(self, depth=0):
        if not self._buffer:
            self._fill()
        if self._buffer[0] not in b"+-:$*":
            raise self._strange(bytes(self._buffer))
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return _text(rest)
        if kind == b"-":
            return Refusal(_text(rest))
        try:
            number = int(rest)
        except ValueError:
            raise self._strange(line) from None
        if kind == b":":
            if not -(1 << 63) <= number < 1 << 63:
                raise self._strange(line)
            return number
        if number == -1:
            return None
        if number < 0 or number > MOST_BYTES or depth > _DEEPEST:
            raise self._strange(line)
        return _text(self._exactly(number)) if kind == b"$" else [self._reply(depth + 1) for _item in range(number)]

    def unexpected(self, reply: Reply) -> ServerFailure:
        """Return the ServerFailure for a reply of a type that its command never gives."""
        return self._strange(repr(reply).encode("utf-8", "backslashreplace"))


def as_text(connection: Connection, reply: Reply) -> Optional[str]:
    """Return a reply that must be a string or None. Raises ServerFailure."""
    if reply is None or isinstance(reply, str):
        return reply
    raise connection.unexpected(reply)


def as_int(connection: Connection, reply: Reply) -> int:
    """Return a reply that must be an integer. Raises ServerFailure."""
    if isinstance(reply, int):
        return reply
    raise connection.unexpected(reply)


def as_texts(connection: Connection, reply: Reply) -> List[Optional[str]]:
    """Return a reply that must be a list of strings or None. Raises ServerFailure."""
    if isinstance(reply, list):
        return [as_text(connection, item) for item in reply]
    raise connection.unexpected(reply)


def encode(words: Iterable[Word]) -> bytes:
    """Return a command as it is sent."""
    parts = [word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogateescape") for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def _text(value):
    # Bytes that are not UTF-8 survive the round trip when they are part of the next command.
    return value.decode("utf-8", "surrogateescape")
