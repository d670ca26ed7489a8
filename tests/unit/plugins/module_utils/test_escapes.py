# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text from a host cannot move the cursor, end a line or break an encoding."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils import _escapes


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("", ""),
        ("ruby 3.1 [5 of 25 busy]", "ruby 3.1 [5 of 25 busy]"),
        ("/srv/\u00fcber/\u6587 \U0001f600", "/srv/\u00fcber/\u6587 \U0001f600"),
        ("a\\x1b", "a\\x1b"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nweb9 ok", "a\\x0aweb9 ok"),
        ("\t\r\x00\x7f", "\\x09\\x0d\\x00\\x7f"),
        ("\x9b2J\x85", "\\x9b2J\\x85"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"),
        ("\udcff\ud800", "\\udcff\\ud800"),
        ("ssh\u200bd\xad\ufeff", "ssh\\u200bd\\xad\\ufeff"),
        ("a\U000e0041", "a\\U000e0041"),
        ("\u00a0\u3000", "\u00a0\u3000"),
    ],
)
def test_what_a_terminal_would_obey_is_spelt_out(text, escaped):
    assert _escapes.escape(text) == escaped


@pytest.mark.parametrize("number", [*range(0x20), *range(0x7F, 0xA0)])
def test_no_control_character_is_left(number):
    assert _escapes.escape(f"a{chr(number)}b") == f"a\\x{number:02x}b"


@given(st.text(st.characters() | st.characters(categories=["Cs"])))
def test_any_text_becomes_one_line_that_can_be_encoded(text):
    escaped = _escapes.escape(text)
    escaped.encode("utf-8")
    assert len((escaped + "x").splitlines()) == 1
    assert not [char for char in escaped if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Cs")]
    assert _escapes.escape(escaped) == escaped


def test_no_text_stays_none():
    assert _escapes.escape_or_none(None) is None
    assert _escapes.escape_or_none("\n") == "\\x0a"
