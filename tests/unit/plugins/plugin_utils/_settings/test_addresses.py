# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The merged list of addresses, and a message with its place for every typo."""

from __future__ import annotations

import re

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import sshd as sshd_settings
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings.addresses import merged


def test_all_layers_together_in_one_way_of_writing():
    assert merged(
        [
            ("all", ["192.0.2.7/32", "2001:DB8:0::/48", " 198.51.100.0/24"]),
            ("web", None),
            ("here", [{"name": "office", "address": ["203.0.113.1", "2001:db8::"]}, "192.0.2.7"]),
        ]
    ) == ["192.0.2.7", "2001:db8::/48", "198.51.100.0/24", "203.0.113.1", "2001:db8::"]


def test_a_later_layer_takes_out_by_name_or_by_address():
    layers = [("all", ["192.0.2.7", {"name": "office", "address": "203.0.113.1"}, "2001:db8::1"])]
    here = [{"name": "office", "state": "absent"}, {"name": "2001:DB8::1/128", "state": "absent"}]
    assert merged([*layers, ("here", here)]) == ["192.0.2.7"]


def test_a_later_layer_replaces_the_addresses_of_a_name():
    assert merged(
        [
            ("all", [{"name": "office", "address": "203.0.113.1"}]),
            ("here", [{"name": "office", "address": "203.0.113.2"}]),
        ]
    ) == ["203.0.113.2"]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("300.1.1.0/24", ["all[0]: not an address or a network ('300.1.1.0/24')", "192.0.2.0/24"]),
        ("192.0.2.1/24", ["bits set beyond its prefix", "192.0.2.0/24 or 192.0.2.1"]),
        ("192.0.2.0/33", ["all[0]: not an address or a network ('192.0.2.0/33')"]),
        ("office.example.com", ["'office.example.com'"]),
        ("fe80::1%eth0", ["all[0]: an address with an interface"]),
        ("::ffff:192.0.2.1", ["IPv4 written as IPv6 ('::ffff:192.0.2.1')"]),
        ("", ["all[0]: not an address or a network ('')"]),
        (7, ["all[0]: not an address or a network (7)"]),
        (None, ["all[0]: not an address or a network (None)"]),
        ({"name": "office"}, ["all[0]: no address ('office'); add one"]),
        ({"name": "office", "address": "10.0.0.256"}, ["all[0] (office): not an address or a network ('10.0.0.256')"]),
        (
            {"name": "office", "adress": "192.0.2.1"},
            ["all[0]: neither an address nor a named entry ({'name': 'office', 'adress': '192.0.2.1'})"],
        ),
        ({"address": "192.0.2.1"}, ["all[0]: neither an address nor a named entry ({'address'"]),
        ({"name": "office", "address": "192.0.2.1", "state": "gone"}, ["all[0].state: unknown ('gone')"]),
    ],
)
def test_a_typo_is_named(entry, words):
    with pytest.raises(SettingsError) as error:
        merged([("all", [entry])])
    for word in words:
        assert word in str(error.value)


def test_a_list_must_be_one_and_a_name_stands_once():
    with pytest.raises(SettingsError, match=re.escape("all: not a list ('192.0.2.1')")):
        merged([("all", "192.0.2.1")])
    with pytest.raises(SettingsError, match=re.escape("all: the same name twice ('a')")):
        merged([("all", [{"name": "a", "address": "192.0.2.1"}, {"name": "a", "address": "192.0.2.2"}])])


def test_settings_of_sshd_are_merged_by_keyword_without_regard_to_case():
    assert sshd_settings.merged(
        [
            ("the defaults", {"LoginGraceTime": 30, "MaxStartups": "30:30:100"}),
            ("all", {"passwordauthentication": True}),
            ("web", None),
            ("here", {"PasswordAuthentication": False, "MaxStartups": None}),
        ]
    ) == {"LoginGraceTime": 30, "PasswordAuthentication": False}


@pytest.mark.parametrize("settings", ["no", ["a"], {"Pass word": 1}, {7: 1}, {"Match": {"User": "x"}}])
def test_settings_of_sshd_that_are_none_are_named(settings):
    with pytest.raises(SettingsError, match="^all"):
        sshd_settings.merged([("all", settings)])
