# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Escapes that logs write for bytes."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.escapes import OCTAL, readable, unescape


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("plain", "plain"),
        ("a\\x0ab", "a\nb"),
        ("a\\x5cb", "a\\b"),
        ("\\xc3\\xa9", "é"),
        ("\\xff\\xfe", "\\xff\\xfe"),
        ("cut \\x", "cut \\x"),
        ("cut \\x0", "cut \\x0"),
    ],
)
def test_escapes_of_the_kernels_buffer(written, text):
    assert unescape(written) == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("\\xc3\\xa9", "é"),
        ("\\xff", "\\xff"),
        ("\\x41", "\\x41"),
        ("a\\x0ab", "a\\x0ab"),
        ("\\xe2\\x82", "\\xe2\\x82"),
    ],
)
def test_a_readable_name_has_letters_for_utf_8_only(written, text):
    assert readable(written) == text


def test_octal_escapes_are_those_of_control_characters():
    assert [match.group() for match in OCTAL.finditer("#012 #033 #099 #123")] == ["#012", "#033"]
