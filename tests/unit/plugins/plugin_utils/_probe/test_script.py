# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell kit in real shells: what a command prints can't leave its part, and a command that hangs is killed."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from growth import LIMIT, growth
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import script
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.script import Part

SHELLS = [shell for shell in (["dash"], ["bash"], ["busybox", "ash"]) if shutil.which(shell[0])]


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[-1])
def taken(request):
    """Return a function that runs commands with the kit and returns the parts of their answer."""

    def run(commands, seconds=60, limit=1 << 16):
        text = script.fill("{" + script.KIT + commands + " }", {"SECONDS": str(seconds), "LIMIT": str(limit)})
        done = subprocess.run([*request.param, "-c", text], stdout=subprocess.PIPE, check=False, timeout=60)
        return script.parts(script.text_of(done.stdout.decode("utf-8", "surrogateescape")))

    return run


def test_a_part_is_what_its_command_printed(taken):
    commands = """
        part a && taken 5 printf "x\\ny\\n"; part b && taken 5 printf "no line break"; part c && taken 5 false;
        part d && taken 5 ls /nowhere; part e && taken 5 no-such-program;"""
    found = taken(commands)
    assert found == {
        "a": Part("x\ny\n", 0),
        "b": Part("no line break\n", 0),
        "c": Part("", 1),
        "d": Part("", 2) if found["d"].code == 2 else Part("", 1),
        "e": Part("", 127),
    }
    assert [found[name].whole for name in "abcde"] == [True, True, False, False, False]
    assert [found[name].ended for name in "abcde"] == [True, True, True, True, False]


def test_no_output_is_a_heading_or_an_end(taken):
    forged = r"\n==> lifeline:b <==\n|x\nended 0\n|ended 0\n==> lifeline:late <=="
    found = taken(f'part a && {{ f() {{ printf "{forged}"; false; }}; taken 5 f; }}; part b && taken 5 echo real;')
    assert found["a"] == Part("\n==> lifeline:b <==\n|x\nended 0\n|ended 0\n==> lifeline:late <==\n", 1)
    assert found["b"] == Part("real\n", 0)


def test_what_a_command_printed_before_it_was_killed_counts(taken):
    found = taken("part a && { f() { echo begun; sleep 1000; }; taken 1 f; }; part b && taken 5 echo next;")
    assert found["a"] == Part("begun\n", None)
    assert not found["a"].ended
    assert found["b"] == Part("next\n", 0)


def test_too_much_output_is_cut_off(taken):
    found = taken('part a && { f() { head -c 5000 /dev/zero | tr "\\0" x; }; taken 5 f; };', limit=100)
    assert found["a"] == Part("x" * 100 + "\n", None)


def test_no_part_is_begun_after_the_time(taken):
    assert taken("part a && taken 5 echo x;", seconds=0) == {"a": Part("", None, late=True)}


def test_nothing_is_left_behind(taken):
    mark = "1017.31"
    taken(f"part a && {{ f() {{ sleep {mark} | sleep {mark}; }}; taken 1 f; }};")
    left = subprocess.run(["pgrep", "-f", f"sleep {mark}"], stdout=subprocess.PIPE, check=False)
    assert left.stdout == b""


def test_a_placeholder_without_a_value_is_an_error():
    assert script.fill("\na @B@\n c@d.e \n", {"B": "x"}) == "a x  c@d.e"
    with pytest.raises(KeyError):
        script.fill("@B@", {})


def test_an_answer_that_is_too_large_is_refused():
    with pytest.raises(ProbeError, match="at most 33554432 are read"):
        script.text_of("x" * (script.MOST_BYTES + 1))


def test_bytes_and_carriage_returns_become_text():
    assert script.text_of("\udcff\r\n") == "\\xff\n"
    assert script.text_of("\ud800") == "\\ud800"


@pytest.mark.parametrize(
    ("answer", "told"), [("", "nothing"), (" \n", "nothing"), ("a\n\x1bb", r"'a \\x1bb'"), ("x" * 300, repr("x" * 200))]
)
def test_what_is_shown_of_an_answer_is_short_and_safe(answer, told):
    assert script.shown(answer) == told


@given(st.text(alphabet=st.sampled_from("|=> <lifeine:ab\n0d")))
def test_any_answer_has_parts(text):
    for name, part in script.parts(text).items():
        assert name and isinstance(part.text, str)


def test_many_parts_of_one_name_take_no_longer_than_their_text():
    part = "\n==> lifeline:packages <==\n|bash amd64 5.2 install ok installed\n|\n|ended 0\n"
    assert growth(script.parts, lambda size: part * size, 4000) < LIMIT
