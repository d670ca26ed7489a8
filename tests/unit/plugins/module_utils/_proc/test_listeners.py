# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import listeners

BOXES = [11, 12, 13, 14]
ROW = (
    "  %d: %s:%04X %s:%04X %s 00000000:00000000 00:00000000 00000000  %4d        0 %d 1 0000000000000000 100 0 0 10 0\n"
)
STAT = "%d (%s) S %d 1 1 0 -1 4194560 0 0 0 0 5 5 0 0 20 0 1 0 15000 1000 %d 0"


def process(pid, name, unit, ppid=1, pages=256, command_line=""):
    return {
        f"/proc/{pid}/stat": STAT % (pid, name, ppid, pages),
        f"/proc/{pid}/cmdline": command_line,
        f"/proc/{pid}/cgroup": f"0::/{unit}\n",
    }


def made(tcp="", sockets="", *processes, **more):
    sources = {
        "/proc/net/tcp": tcp,
        "sockets": sockets,
        "/proc/stat": "btime 1790000000\n",
        "/proc/uptime": "2500.50 4000.00\n",
        **more,
    }
    for one in processes:
        sources.update(one)
    return sources


VARNISH = made(
    ROW % (0, "00000000", 6081, "00000000", 0, "0A", 110, 77)
    + ROW % (1, "0100007F", 6082, "00000000", 0, "0A", 0, 78)
    + ROW % (2, "0100007F", 6081, "0100007F", 40000, "01", 110, 79),
    "77 812\n77 830\n78 812\n",
    process(
        812,
        "varnishd",
        "system.slice/varnish.service",
        pages=1000,
        command_line="/usr/sbin/varnishd\0-a\0:6081\0-s\0malloc,1G\0",
    ),
    process(830, "cache-main", "system.slice/varnish.service", ppid=812, pages=24000),
    exes="812 /usr/sbin/varnishd\n",
    packages="varnish: /usr/sbin/varnishd\nvarnish: /lib/systemd/system/varnish.service\n",
)


def test_the_varnish_of_the_seed_is_named_with_its_size():
    (service,) = listeners.parse(VARNISH, [])["unexpected"]
    assert service["text"] == (
        "varnishd (varnish.service, package varnish) listens on tcp/0.0.0.0:6081 tcp/127.0.0.1:6082, "
        "holds 98M, has a cache of up to 1.0G"
    )
    assert (service["memory_bytes"], service["cache_bytes"]) == (25000 * 4096, 1 << 30)
    assert (service["loopback"], service["pid"], service["started"]) == (False, 812, "2026-09-21T14:15:50Z")


def test_an_established_connection_is_no_listener():
    assert [(one["port"], one["loopback"]) for one in listeners.parse(VARNISH)["listeners"]] == [
        (6081, False),
        (6082, True),
    ]


@pytest.mark.parametrize("release", BOXES)
def test_what_debian_starts_is_found_on_every_release(box, release):
    facts = listeners.parse(box(f"listeners-debian-{release}"), ["ssh.service"])
    varnish = "vinyl-cache" if release == 14 else "varnish"
    found = {service["unit"]: service for service in facts["unexpected"]}
    assert set(found) == {
        "apache2.service",
        "exim4.service",
        "memcached.service",
        "redis-server.service",
        varnish + ".service",
    }
    assert {unit: one["unit_package"] for unit, one in found.items() if unit != "exim4.service"} == {
        "apache2.service": "apache2",
        "memcached.service": "memcached",
        "redis-server.service": "redis-server",
        varnish + ".service": varnish,
    }
    assert found[varnish + ".service"]["cache_bytes"] == 256 << 20
    assert found["memcached.service"]["cache_bytes"] == 64 << 20
    assert found["memcached.service"]["loopback"]
    assert not found["apache2.service"]["loopback"]
    assert all(service["memory_bytes"] > 1 << 20 and service["started"] for service in found.values())
    assert facts["unreadable"] == 0
    assert sum(one["expected"] for one in facts["listeners"]) == 2


@pytest.mark.parametrize("release", BOXES)
def test_without_rights_it_says_of_how_many_it_knows_nothing(box, release):
    sources = dict(box(f"listeners-debian-{release}"), sockets="")
    facts = listeners.parse(sources, ["tcp/22"])
    assert facts["unreadable"] == facts["listeners_total"] > 8
    assert {one["port"] for one in facts["listeners"] if one["expected"]} == {22}
    assert all(one["pid"] is one["unit"] is one["memory_bytes"] is None for one in facts["listeners"])
    assert facts["unexpected"][0]["text"].startswith("the kernel, or a process that this user may not see, listens on")


def test_whoever_logs_in_is_not_counted_to_sshd():
    sources = made(
        ROW % (0, "00000000", 22, "00000000", 0, "0A", 0, 7),
        "7 40\n",
        process(40, "sshd", "system.slice/ssh.service", pages=10),
        process(41, "sshd", "user.slice/user-0.slice/session-1.scope", ppid=40, pages=20),
        process(42, "make", "user.slice/user-0.slice/session-1.scope", ppid=41, pages=3000),
        process(43, "sshd", "system.slice/ssh.service", ppid=40, pages=5),
    )
    assert listeners.parse(sources)["listeners"][0]["memory_bytes"] == 15 * 4096


def test_what_only_systemd_holds_is_the_socket_units():
    sources = made(
        ROW % (0, "0100007F", 9001, "00000000", 0, "0A", 0, 7) + ROW % (1, "00000000", 22, "00000000", 0, "0A", 0, 8),
        "7 1\n8 1\n8 50\n",
        process(1, "systemd", "init.scope", ppid=0),
        process(50, "sshd", "system.slice/ssh.service"),
        socket_units="Listen=127.0.0.1:9001 (Stream)\nId=lab.socket\n\nId=ssh.socket\nListen=[::]:22 (Stream)\n",
    )
    ssh, waiting = listeners.parse(sources)["listeners"]
    assert (waiting["unit"], waiting["name"], waiting["memory_bytes"]) == ("lab.socket", "systemd", None)
    assert (ssh["unit"], ssh["pid"]) == ("ssh.service", 50)


@pytest.mark.parametrize(
    ("text", "address", "loopback"),
    [
        ("0100007F", "127.0.0.1", True),
        ("00000000", "0.0.0.0", False),
        ("0" * 32, "::", False),
        ("0" * 24 + "01000000", "::1", True),
        ("B80D0120000000000000000001000000", "2001:db8::1", False),
        ("0000000000000000FFFF00000100007F", "::ffff:127.0.0.1", True),
    ],
)
def test_addresses(text, address, loopback):
    name = "/proc/net/tcp" if len(text) == 8 else "/proc/net/tcp6"
    (listener,) = listeners.parse({name: ROW % (0, text, 80, "0" * len(text), 0, "0A", 0, 5)})["listeners"]
    assert (listener["address"], listener["loopback"]) == (address, loopback)


@pytest.mark.parametrize(
    ("name", "words", "size"),
    [
        ("varnishd", ["-s", "malloc,256m"], 256 << 20),
        ("varnishd", ["-smalloc,1G"], 1 << 30),
        ("varnishd", ["-s", "a=malloc,1G", "-s", "b=malloc,1G"], 2 << 30),
        ("vinyld", ["-s", "default,100M"], 100 << 20),
        ("varnishd", ["-s", "file,/var/lib/x.bin,1G"], 1 << 30),
        ("varnishd", ["-s", "malloc"], None),
        ("memcached", ["-m", "64"], 64 << 20),
        ("memcached", ["-m", "x"], None),
        ("memcached", ["-m"], None),
        ("nginx", ["-m", "64"], None),
    ],
)
def test_the_size_of_a_cache(name, words, size):
    assert listeners.cache_bytes(name, words) == size


@pytest.mark.parametrize("entry", ["tcp/0", "tcp/65536", "tcp/ssh", "sctp/5", "", "two words", "/usr/sbin/sshd"])
def test_what_cannot_be_expected_is_named(entry):
    with pytest.raises(ValueError, match="write tcp/22") as raised:
        listeners.check_expected(["tcp/22", "ssh.service", entry])
    assert repr(entry) in str(raised.value)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("varnish.service", True),
        ("varnish", True),
        ("varn*", True),
        ("varnishd", True),
        ("tcp/6081", False),
        ("udp/6081", False),
        ("apache2", False),
    ],
)
def test_expected_by_unit_name_process_or_port(entry, expected):
    assert (listeners.parse(VARNISH, [entry])["unexpected"] == []) is expected
    assert listeners.parse(VARNISH, [entry])["listeners"][0]["expected"] is (expected or entry == "tcp/6081")


def test_without_expected_entries_no_listener_is_unexpected():
    facts = listeners.parse(VARNISH)
    assert facts["unexpected"] is None
    assert {one["expected"] for one in facts["listeners"]} == {None}


def test_the_same_keys_on_every_box():
    assert set(listeners.parse({})) == set(listeners.parse(VARNISH, []))
    assert listeners.parse({})["listeners_total"] is None


PATHS = st.sampled_from([*listeners.SOURCES, *VARNISH, "socket_units", "/proc/1/cgroup"])
TEXTS = st.text() | st.sampled_from([*VARNISH.values(), "Id=x\nListen=[::]:99999\n", "77 77\n77 1\n", "/proc/:::: 0A"])


@given(st.dictionaries(PATHS, TEXTS), st.lists(st.text(), max_size=2))
def test_no_text_makes_it_raise(sources, expected):
    listeners.parse(sources, expected)


@given(st.sampled_from(sorted(VARNISH)), st.binary(max_size=60), st.integers(0, 300))
def test_no_damage_makes_it_raise(path, damage, place):
    text = VARNISH[path]
    listeners.parse(
        dict(VARNISH, **{path: text[:place] + damage.decode("utf-8", "backslashreplace") + text[place:]}), []
    )


@given(st.text(), st.lists(st.text()))
def test_no_command_line_makes_it_raise(name, words):
    for known in (name, "varnishd", "memcached"):
        listeners.cache_bytes(known, words)
