# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol of Redis (RESP2), as far as a few questions need it: a command is a list of words, a reply text, a number, a list or None.

On a box there is the standard library and nothing else, so that no client library can be counted on.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time

from ansible_collections.lifeline.fleet.plugins.module_utils._asking import within
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ServerFailure

# Far more than Sidekiq's keys ever hold together; what is larger is no answer to any question asked here.
MOST_BYTES = 64 << 20
_MOST_LINE = 64 << 10
_DEEPEST = 8


class Refusal(Exception):
    """Redis answers that it won't: its own words, the first of which is a code such as NOAUTH or WRONGTYPE."""

    @property
    def code(self):
        return str(self).split(" ", 1)[0]


class Connection:
    """A connection that ends, as do all waits on it, at a point in time."""

    def __init__(self, name, seconds):
        """V(name) is what the server is called in messages."""
        self.name = name
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._doing = "taking the connection"
        self._socket = None
        self._buffer = bytearray()
        self._received = 0

    def close(self):
        if self._socket is not None:
            self._socket.close()

    def open_tcp(self, host, port, tls=None):
        """Connect; V(tls) is an SSLContext or None."""
        try:
            found = within(self._left(), lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except TimeoutError:
            raise ServerFailure(
                "timeout", f"the name {host} could not be looked up within {self._seconds:g} s"
            ) from None
        except (OSError, UnicodeError) as error:
            raise ServerFailure("unreachable", f"{self.name}: the name {host} can't be looked up: {error}") from error
        error = None
        for number, (family, kind, protocol, _name, address) in enumerate(found):
            self._socket = socket.socket(family, kind, protocol)
            # An address that doesn't answer leaves the others their share of the time.
            self._socket.settimeout(max(self._left() / (len(found) - number), 0.001))
            try:
                self._socket.connect(address)
                break
            except OSError as refused:
                self._socket.close()
                error = refused
        else:
            raise self._unreachable(error) from error
        if tls is not None:
            self._start_tls(tls, host)

    def open_unix(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(max(self._left(), 0.001))
        try:
            self._socket.connect(path)
        except OSError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error):
        if isinstance(error, TimeoutError) or "timed out" in str(error):
            return self._timeout()
        return ServerFailure("unreachable", f"{self.name} can't be reached: {error.strerror or error}")

    def _start_tls(self, context, host):
        self._doing = "starting TLS"
        try:
            self._socket.settimeout(self._remaining())
            self._socket = context.wrap_socket(self._socket, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            raise ServerFailure(
                "tls", f"{self.name} shows a certificate that is not trusted here: {error.verify_message}"
            ) from error
        except (socket.timeout, TimeoutError) as error:
            raise self._timeout(" (is it a server of TLS?)") from error
        except (ssl.SSLError, ValueError) as error:
            raise ServerFailure("tls", f"{self.name}: TLS fails: {getattr(error, 'reason', None) or error}") from error
        except OSError as error:
            raise ServerFailure(
                "tls", f"{self.name} ends the connection while TLS starts: {error} (is it a server of TLS?)"
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
            "timeout", f"{self.name} has not answered within {self._seconds:g} s (while {self._doing}){hint}"
        )

    def ask(self, *words):
        """The reply to one command. Raises Refusal or ServerFailure."""
        (reply,) = self.ask_all([words])
        if isinstance(reply, Refusal):
            raise reply
        return reply

    def ask_all(self, commands):
        """The replies to V(commands), sent at once; a Refusal among them is returned, so that it does not hide the others."""
        if not commands:
            return []
        self._doing = "asking " + str(commands[0][0])
        try:
            self._socket.settimeout(self._remaining())
            # Who is not let in at all is told so and shown the door, without having been listened to.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._socket.sendall(b"".join(map(encode, commands)))
            return [self._reply() for _command in commands]
        except (socket.timeout, TimeoutError) as error:
            raise self._timeout() from error
        except ssl.SSLError as error:
            # With TLS 1.3 a server that wants a client's certificate says so only now.
            raise ServerFailure("tls", f"{self.name}: TLS fails: {error.reason or error}") from error
        except OSError as error:
            raise self._ended(error) from error

    def _ended(self, error=None):
        return ServerFailure(
            "protocol",
            "%s ended the connection (while %s)%s: is it Redis, does it want TLS, or has it too many clients?"
            % (self.name, self._doing, "" if error is None else ", %s" % error),
        )

    def _fill(self):
        self._socket.settimeout(self._remaining())
        part = self._socket.recv(65536)
        if not part:
            raise self._ended()
        self._received += len(part)
        if self._received > MOST_BYTES:
            raise ServerFailure(
                "protocol", f"{self.name} answers with more than {MOST_BYTES >> 20} MB (while {self._doing})"
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
            f"{self.name} answers {answer[:60]!r}, which is not how Redis talks: is it Redis, and does it want TLS?",
        )

    def _reply(self, depth=0):
        if not self._buffer:
            self._fill()
        if self._buffer[:1] not in (b"+", b"-", b":", b"$", b"*"):
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
            return number
        if number == -1:
            return None
        if number < 0 or number > MOST_BYTES or depth > _DEEPEST:
            raise self._strange(line)
        return _text(self._exactly(number)) if kind == b"$" else [self._reply(depth + 1) for _item in range(number)]


def encode(words):
    """A command as it is sent."""
    parts = [word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogateescape") for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def _text(value):
    # What is no UTF-8 comes back as the bytes that it was when it is a part of the next question.
    return value.decode("utf-8", "surrogateescape")
