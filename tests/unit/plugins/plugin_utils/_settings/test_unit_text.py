# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the quoting for systemd. The scenario sidekiq_watchdog reads the same texts back with a real systemd."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import unit_text


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("/usr/bin/bundle", "/usr/bin/bundle"),
        ("a b", '"a b"'),
        ("", '""'),
        ("it's", '"it\'s"'),
        ('"$@"', '"\\"$$@\\""'),
        ("100%", '"100%%"'),
        ("a\\b", '"a\\\\b"'),
        ("a\nb", '"a\\nb"'),
        (";", '";"'),
        ("naïve", '"naïve"'),
    ],
)
def test_a_word_is_quoted_if_systemd_would_change_it(word, text):
    assert unit_text.words([word]) == text


def test_words_are_separated():
    assert unit_text.words(["a", "b c", "-V"]) == 'a "b c" -V'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", 'A="plain"\n'),
        ("Zürich ☃", 'A="Zürich ☃"\n'),
        ("two\nlines", 'A="two\nlines"\n'),
        ('a"b\\c`d$e', 'A="a\\"b\\\\c\\`d\\$e"\n'),
        (" blanks ", 'A=" blanks "\n'),
        ("50%", 'A="50%"\n'),
        (True, 'A="true"\n'),
        (False, 'A="false"\n'),
        (7, 'A="7"\n'),
        (1.5, 'A="1.5"\n'),
        ("", 'A=""\n'),
        (None, ""),
    ],
)
def test_a_value_is_written_as_it_is(value, text):
    assert unit_text.environment({"A": value}, "variables") == text


@given(value=st.text(st.characters(codec="utf-8", exclude_characters="\0\ufffe\uffff", exclude_categories=["Cn"])))
def test_a_file_of_variables_is_read_back_unchanged(value):
    line = unit_text.environment({"A": value}, "variables")
    read, place = "", 3
    while line[place] != '"':
        place += line[place] == "\\"
        read += line[place]
        place += 1
    assert (read, line[place:]) == (value, '"\n')


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"A-B": 1}, "not a name of an environment variable ('A-B'); use letters"),
        ({"1A": 1}, "not a name of an environment variable ('1A')"),
        ({"": 1}, "not a name of an environment variable ('')"),
        ({True: 1}, "not a name of an environment variable (True)"),
        ({"Ä": 1}, "not a name of an environment variable ('Ä')"),
        ({"A": ["b"]}, "A: not a text (list); write a text"),
        ({"A": {"b": "c"}}, "A: not a text (dict)"),
        ({"A": "a\0b"}, "A: has a character that systemd does not take"),
        ({"A": "\udc80"}, "A: has a character that systemd does not take"),
        (["A=b"], "not a dictionary (['A=b']); write names"),
    ],
)
def test_what_systemd_would_drop_is_refused(variables, complaint):
    with pytest.raises(SettingsError) as error:
        unit_text.environment(variables, "box1: variables")
    assert str(error.value).startswith("box1: variables: ") and complaint in str(error.value)
    assert "a\0b" not in str(error.value), "values are secrets"
