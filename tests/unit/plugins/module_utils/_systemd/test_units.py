# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of units, and what `systemctl show` prints."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import units

SHOWN = """\
Id=redis-server.service
Names=redis.service redis-server.service
Requires=system.slice sysinit.target
RequiredBy=
LoadState=loaded
ActiveState=active
FragmentPath=/lib/systemd/system/redis-server.service
UnitFileState=enabled

Id=nothing.service
Names=nothing.service
LoadState=not-found
ActiveState=inactive
"""


def test_properties_of_each_unit_in_their_order():
    redis, nothing = units.parse_show(SHOWN)
    assert redis["Requires"] == "system.slice sysinit.target"
    assert redis["RequiredBy"] == ""
    assert nothing == {
        "Id": "nothing.service",
        "Names": "nothing.service",
        "LoadState": "not-found",
        "ActiveState": "inactive",
    }


def test_a_value_may_hold_an_equals_sign_and_a_repeated_property_has_a_line_for_each():
    assert units.parse_show("a line\nEnvironment=A=1 B=2\nListen=1\nListen=2\n\n\n\nnot a property\n") == [
        {"Environment": "A=1 B=2", "Listen": "1\n2"}
    ]


def test_a_unit_has_lists_of_names():
    redis, nothing = units.parse_units(SHOWN + "\nActiveState=active\n")
    assert (redis["Id"], redis["Names"], redis["RequiredBy"], redis["Wants"]) == (
        "redis-server.service",
        ["redis.service", "redis-server.service"],
        [],
        [],
    )
    assert (units.exists(redis), units.runs(redis)) == (True, True)
    assert (units.exists(nothing), units.runs(nothing)) == (False, False)


def test_every_property_that_is_asked_for_is_in_the_unit():
    (unit,) = units.parse_units("\n".join(f"{name}=x" for name in units.PROPERTIES))
    assert tuple(unit) == units.PROPERTIES
    assert all(value in ("x", ["x"]) for value in unit.values())


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("active", True),
        ("deactivating", True),
        ("reloading", True),
        ("failed", False),
        ("inactive", False),
        ("", False),
    ],
)
def test_a_unit_runs_until_it_is_inactive(state, expected):
    (unit,) = units.parse_units(f"Id=a.service\nActiveState={state}\n")
    assert units.runs(unit) is expected


@given(st.text())
def test_no_text_makes_the_parsers_raise(text):
    units.parse_units(text)
    units.parse_units(SHOWN + text)
    for properties in units.parse_show(text) + units.parse_show("Listen=" + text):
        units.stream_addresses(properties)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Listen=[::]:22 (Stream)\nListen=0.0.0.0:53 (Datagram)\n",
            [("Stream", "[::]:22"), ("Datagram", "0.0.0.0:53")],
        ),
        ("ListenStream=/run/a b\nListenStream=22\n", [("Stream", "/run/a b"), ("Stream", "22")]),
        ("Listen=/run/a b (Stream)\n", [("Stream", "/run/a b")]),
        ("Listen=22\n", [("", "22")]),
        ("Listen=\nId=x.socket\n", []),
    ],
)
def test_sockets_of_old_and_new_versions(text, expected):
    (properties,) = units.parse_show(text)
    assert units.listens(properties) == expected
    assert units.stream_addresses(properties) == [address for kind, address in expected if kind == "Stream"]


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("varnish", "varnish.service"),
        ("cups.socket", "cups.socket"),
        ("postfix@-", "postfix@-.service"),
        ("php7.4-fpm", "php7.4-fpm.service"),
        ("lab@.service", "lab@.service"),
        ("exim4-base.timer", "exim4-base.timer"),
    ],
)
def test_a_name_without_a_kind_is_a_service(name, full):
    assert units.unit_name(name) == full


@pytest.mark.parametrize("name", ["", " ", "a b", "a/b", "x*", "a\nb", "a\n", None, 5, "\xfc", "x" * 300])
def test_a_bad_name_is_refused(name):
    with pytest.raises(ValueError, match=r"(?s)not a name of a unit \(.*\); write varnish, varnish.service"):
        units.unit_name(name)


@pytest.mark.parametrize(
    ("name", "kind"), [("multi-user.target", "target"), ("system.slice", "slice"), ("-.mount", "mount")]
)
def test_other_kinds_are_refused(name, kind):
    with pytest.raises(ValueError, match=rf"a {kind} \(.*\); name a service, a socket, a timer or a path"):
        units.unit_name(name)


@pytest.mark.parametrize(
    ("name", "template"),
    [("a@b.service", "a@.service"), ("a@b.c.service", "a@.service"), ("a@.service", None), ("a.service", None)],
)
def test_the_template_of_an_instance(name, template):
    assert units.template_of(name) == template
    assert units.is_template(name) is (name == "a@.service")


@pytest.mark.parametrize(
    ("unit", "pattern", "expected"),
    [
        ("redis.service", "redis", True),
        ("redis.service", "redis.service", True),
        ("redis-server.service", "redis*", True),
        ("redis.service", "red", False),
        ("Redis.service", "redis", False),
        ("a@b.service", "a@*", True),
    ],
)
def test_a_pattern_matches_with_or_without_the_kind(unit, pattern, expected):
    assert units.matches(unit, ["other", pattern]) is expected


def test_the_stem_is_the_name_without_its_kind():
    assert [units.stem(name) for name in ("a.b.service", "a")] == ["a.b", ""]
