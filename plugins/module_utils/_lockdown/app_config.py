# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find services on the host itself that the configuration of an application names."""

from __future__ import annotations

import glob
import os
import re
from typing import Dict, Iterable, List, Optional, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._files import trusted

# Services whose end may lose data, and the names of their units.
SERVICES = {
    "redis": ("redis*", "valkey*", "keydb*"),
    "memcached": ("memcached*",),
    "postgresql": ("postgresql*",),
    "mysql": ("mysql*", "mariadb*"),
    "elasticsearch": ("elasticsearch*", "opensearch*"),
    "mongodb": ("mongod*",),
    "rabbitmq": ("rabbitmq*",),
}
_PORTS = {
    "6379": "redis",
    "11211": "memcached",
    "5432": "postgresql",
    "3306": "mysql",
    "9200": "elasticsearch",
    "27017": "mongodb",
    "5672": "rabbitmq",
}
_WORDS = {
    "redis": r"rediss?|valkey",
    "memcached": r"memcached?|dalli|mem_cache_store",
    "postgresql": r"postgres(?:ql)?|postgis",
    "mysql": r"mysql2?|mariadb|trilogy",
    "elasticsearch": r"elasticsearch|opensearch",
    "mongodb": r"mongo(?:db|id)?",
    "rabbitmq": r"amqps?|rabbitmq|bunny",
}
_FILES = (".env", ".env.*", "config/*.yml", "config/*.rb", "config/environments/*.rb", "config/initializers/*.rb")
_LOCAL = r"(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[?::1\]?|/(?:var/)?run/)"
_HERE = re.compile(rf"(?<![\w.-]){_LOCAL}", re.IGNORECASE)
_PORT = re.compile(rf"{_LOCAL}[\"']?\s*:\s*(\d{{2,5}})\b", re.IGNORECASE)
_NAMED = {service: re.compile(rf"(?<![A-Za-z]){words}(?![A-Za-z])", re.IGNORECASE) for service, words in _WORDS.items()}
_ADAPTER = re.compile(r"^\s*adapter:\s*[\"']?(\w+)")
_HOST = re.compile(r"^\s*(?:host|url|socket):\s*\S", re.MULTILINE)
_MOST_FILES = 200
_MOST_BYTES = 64 << 10


def local_services(folders: Iterable[str]) -> Dict[str, str]:
    """Return the services on this host that applications name, each with `path:line` of the first place."""
    found: Dict[str, str] = {}
    for path in _paths(folders):
        text = _read(path)
        for number, service in named(os.path.basename(path), text or ""):
            found.setdefault(service, f"{path}:{number}")
    return found


def named(name: str, text: str) -> List[Tuple[int, str]]:
    """Return the line numbers and services on the local host that the text of a file names."""
    # In config/redis.yml, a line only says `host: localhost`.
    of_file = next((service for service, words in _NAMED.items() if words.search(name.partition(".")[0])), None)
    has_host = bool(_HOST.search(text))
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith(("#", ";", "//")):
            continue
        adapter = _ADAPTER.match(line)
        if adapter and not has_host:
            # Without a host, the driver connects to the socket on this host.
            found += [(number, service) for service, words in _NAMED.items() if words.search(adapter.group(1))]
        if "mem_cache_store" in line and "," not in line:
            found.append((number, "memcached"))
        if _HERE.search(line):
            service = _service(line) or of_file or _adapter(text)
            found += [(number, service)] if service else []
    return found


def _service(line: str) -> Optional[str]:
    port = _PORT.search(line)
    if port and port.group(1) in _PORTS:
        return _PORTS[port.group(1)]
    return next((service for service, words in _NAMED.items() if words.search(line)), None)


def _adapter(text: str) -> Optional[str]:
    adapters = [match.group(1) for match in map(_ADAPTER.match, text.splitlines()) if match]
    return next((service for service, words in _NAMED.items() for one in adapters if words.search(one)), None)


def _paths(folders: Iterable[str]) -> List[str]:
    found: List[str] = []
    for folder in folders:
        for pattern in _FILES:
            found += sorted(glob.glob(os.path.join(glob.escape(folder), pattern)))
    return found[:_MOST_FILES]


def _read(path: str) -> Optional[str]:
    try:
        with trusted.open_regular(path) as stream:
            return _reader.decode(stream.read(_MOST_BYTES))
    except OSError:
        return None
