# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of the table that restricts SSH, and when it is loaded."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import firewall

NETWORKS = st.tuples(st.ip_addresses(), st.integers(0, 128)).map(
    lambda pair: str(ipaddress.ip_network((pair[0], min(pair[1], pair[0].max_prefixlen)), strict=False))
)


def test_without_a_list_there_is_no_table():
    assert firewall.text([], [22]) is None


def test_a_list_of_one_family_closes_the_other_one():
    text = firewall.text(["192.0.2.1"], [22])
    assert "elements = { 192.0.2.1 }" in text and "allowed6" not in text
    assert text.rindex("counter drop") > text.rindex("saddr")


def test_a_list_of_all_addresses_of_a_family_needs_no_set():
    text = firewall.text(["0.0.0.0/0", "192.0.2.0/24", "2001:db8::/32"], [22])
    assert "meta nfproto ipv4 accept" in text and "allowed4" not in text and "2001:db8::/32" in text


def test_repetition_and_order_make_no_difference():
    first = firewall.text(["192.0.2.0/25", "192.0.2.128/25", "192.0.2.7"], [2222, 22])
    assert first == firewall.text(["192.0.2.0/24"], [22, 2222, 22])
    assert "tcp dport { 22, 2222 } counter drop" in first


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("198.51.100.1", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
    ],
)
def test_allowed_addresses(address, allowed):
    assert firewall.allows(["192.0.2.0/24", "2001:db8::/32"], address) is allowed


@given(st.lists(NETWORKS, min_size=1, max_size=8), st.ip_addresses())
def test_the_sets_contain_the_addresses_of_the_list(allowed, address):
    text = firewall.text(allowed, [22])
    if getattr(address, "ipv4_mapped", None):
        return
    members = [
        word.strip(" {},")
        for line in text.splitlines()
        if "elements" in line
        for word in line.partition("=")[2].split(",")
    ]
    inside = any(address in ipaddress.ip_network(member) for member in members)
    every_address = f"meta nfproto ipv{address.version} accept" in text
    assert (inside or every_address) is firewall.allows(allowed, str(address))
