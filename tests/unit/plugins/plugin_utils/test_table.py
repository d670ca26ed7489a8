# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import facts, thresholds, verdict
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _table
from ansible_collections.lifeline.fleet.plugins.plugin_utils._table import Row

OK = Row("box2", "ok", ("1.0G/15G 7%", "-", "12% /", "1%", "0", "-"), (), 93.0)
FULL = Row(
    "box10", "critical", ("9.0G/15G 61%", "-", "96% /", "1%", "0", "8.5G/13G 65%"), ("/ is 96 % full, 305M left",), 39.0
)
DYING = Row(
    "box9",
    "critical",
    ("15G/15G 99%", "-", "75% /", "1%", "2", "none"),
    ("only 120M of 15G memory available", "worker sidekiq is not running (99 % of the memory is in use)"),
    1.0,
)
DOWN = _table.down(
    "box1", {"msg": "Failed to connect to the host via ssh: ssh: connect to host 192.0.2.9 port 22: No route to host"}
)


def test_worst_first_and_counted():
    lines = _table.render([OK, FULL, DOWN, DYING])
    assert [line.split()[:2] for line in lines[1:-1]] == [
        ["box1", "down"],
        ["box9", "critical"],
        ["box10", "critical"],
        ["box2", "ok"],
    ]
    assert lines[-1] == "4 boxes: 1 down, 2 critical, 1 ok"


def test_names_sort_as_people_count():
    rows = [Row(name, "ok") for name in ("box10", "box9", "abc", "box1a")]
    assert [line.split()[0] for line in _table.render(rows)[1:-1]] == ["abc", "box1a", "box9", "box10"]


def test_in_a_pipe_every_box_has_one_line_with_all_its_reasons():
    lines = _table.render([FULL, DYING])
    assert len(lines) == 4
    assert lines[1].endswith(
        "only 120M of 15G memory available; worker sidekiq is not running (99 % of the memory is in use)"
    )


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_on_a_terminal_it_fits_the_width_and_loses_no_reason(width):
    lines = _table.render([OK, FULL, DYING, DOWN], width)
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    for word in ("305M", "120M", "99", "route"):
        assert word in text


def test_a_narrow_terminal_keeps_the_figures_that_matter_most():
    assert _table.render([OK, FULL], 60)[0].split() == ["BOX", "VERDICT", "MEMORY", "DISK", "FDS", "OOM", "WORKER"]
    assert _table.render([OK, FULL], 20)[0].split() == ["BOX", "VERDICT"]


def test_columns_stand_below_their_heads():
    head, first, *_rest = _table.render([FULL])
    assert first.index("critical") == head.index("VERDICT")
    assert first.index("9.0G/15G") == head.index("MEMORY")
    assert first.index("96% /") == head.index("DISK")
    assert first.index("/ is 96 %") == head.index("REASONS")


def test_only_the_verdict_is_painted():
    plain = _table.render([FULL, OK], 120)
    painted = _table.render([FULL, OK], 120, lambda text, verdict: f"<{verdict}:{text}>")
    assert painted[1] == plain[1].replace("critical", "<critical:critical>", 1)
    assert painted[0] == plain[0]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            "Failed to connect to the host via ssh: ssh: connect to host 192.0.2.9 port 22: Connection timed out",
            "connect to host 192.0.2.9 port 22: Connection timed out",
        ),
        (
            (
                "Task failed: Failed to connect to the host via ssh: Warning: added '192.0.2.9'.\n"
                "root@192.0.2.9: Permission denied."
            ),
            "it answers, but rejects the login: root@192.0.2.9: Permission denied.",
        ),
        (
            (
                'Data could not be sent to remote host "192.0.2.9". Make sure this host can be reached over ssh: '
                "ssh: connect to host 192.0.2.9 port 22: Connection timed out"
            ),
            "connect to host 192.0.2.9 port 22: Connection timed out",
        ),
        ("", "this machine could not ask it: no reason given"),
    ],
)
def test_why_a_box_is_down_in_few_words(message, reason):
    assert _table.down("box", {"msg": message}).reasons == (reason,)


HOSTILE = [
    "a\nweb9  ok",
    "a\r\x1b[2J\x1b[H",
    "a\x9b2J",
    "a\x85b\u2028c\u2029d",
    "\x00\x07\x0b\x0c\x1c\x1d\x1e\x7f",
    "\u202egnp.ok",
    "\udc80\ud83d",
    pytest.param("x" * 100000, id="long"),
    "",
    " ",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("width", [None, 100])
def test_no_text_forges_a_row_or_reaches_the_terminal_raw(text, width):
    rows = [Row(text, "critical", (text,) * 6, (text, text)), OK]
    lines = _table.render(rows, width)
    assert all(line.isprintable() for line in lines)
    if width is None:
        assert len(lines) == 4
        assert not lines[1].startswith("web9") and not lines[2].startswith("web9")


@pytest.mark.parametrize("text", HOSTILE)
def test_the_words_of_ssh_are_one_printable_line(text):
    for row in (_table.down("box", {"msg": text}), _table.unknown("box", {"msg": text})):
        (reason,) = row.reasons
        assert reason.isprintable() and len(reason) <= 500


@given(st.lists(st.tuples(st.text(), st.sampled_from(_table.VERDICTS), st.lists(st.text(), max_size=3)), max_size=4))
def test_a_piped_table_has_one_line_per_host_whatever_the_texts_are(rows):
    lines = _table.render([Row(box, verdict, (box,) * 6, tuple(reasons)) for box, verdict, reasons in rows])
    assert len(lines) == len(rows) + 2
    # For every program, whatever it takes for the end of a line.
    assert len("\n".join(lines).splitlines()) == len(lines)


def test_a_host_with_thousands_of_reasons_has_the_worst_and_their_number():
    row = Row("box", "critical", reasons=tuple(f"reason {number}" for number in range(5000)))
    assert (len(row.reasons), row.reasons[0], row.reasons[-1]) == (51, "reason 0", "and 4950 more")


def test_an_empty_table():
    assert _table.render([])[-1] == "0 boxes: "


def test_a_process_that_has_lowered_its_limit_is_not_near_it():
    near = {"open": 64, "soft_limit": 64, "used_percent": 100.0}
    lowered = {"open": 7, "soft_limit": 1, "used_percent": 700.0}
    assert _table._fds({"processes": [lowered, near], "used_percent": 1.0}) == "100%"
    assert _table._fds({"processes": [lowered], "used_percent": 1.0}) == "1%"
    assert _table._fds({"processes": [lowered], "used_percent": None}) == "-"


def result(*checks, unread=()):
    return {
        "verdict": "critical" if checks else "ok",
        "findings": [{"check": check, "severity": "critical", "message": check} for check in checks],
        "unread": list(unread),
        "oom_kills": None,
        "workers": [],
        "ansible_facts": {
            "lifeline_memory": {
                "limit_bytes": None,
                "limit_available_bytes": None,
                "limit_available_percent": None,
                "swap": {"total_bytes": 0},
            },
            "lifeline_disks": {"filesystems": []},
            "lifeline_fds": {"processes": [], "used_percent": None},
        },
    }


def test_among_critical_hosts_the_one_that_ends_soonest_is_first():
    rows = [
        _table.judged("box1", result("workers_missing")),
        _table.judged("box2", result("disk_used_percent", "workers_missing")),
        _table.judged("box3", result("sshd_missing")),
    ]
    assert [line.split()[0] for line in _table.render(rows)[1:-1]] == ["box3", "box2", "box1"]


def test_what_was_not_read_is_said_shortly():
    assert _table.judged("box", result()).reasons == ()
    assert _table.judged("box", result(unread=["load"])).reasons == ("not read: load",)
    many = _table.judged("box", result("sshd_missing", unread=["a", "b", "c", "d", "e"])).reasons
    assert many == ("sshd_missing", "not read: a, b, c and 2 more")


def test_a_result_that_makes_no_sense_does_not_cost_the_host_its_row():
    row = _table.row_of(_table.judged, "b1", {"ansible_facts": {}})
    assert (row.box, row.verdict, row.reasons) == (
        "b1",
        "unknown",
        ("its result makes no sense: KeyError('lifeline_memory')",),
    )
    assert _table.row_of(_table.unknown, "b1", {"msg": "x"}) == _table.unknown("b1", {"msg": "x"})


def test_swap_of_which_the_use_is_unknown_is_left_out():
    row = _table.judged("b1", result_of({"/proc/meminfo": "SwapTotal: 4 kB\n"}))
    assert row.texts["swap"] == "-"


def result_of(sources):
    """Return what health makes of the sources of a host."""
    found, table = facts.parse(sources, 60), facts.process_table(sources)
    judged = verdict.judge(found, table, facts.watchdog(sources), thresholds.defaults(), [], 60)
    return {"ansible_facts": found, **judged}
