# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host of a report."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Kill, Reading, Sample
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import fleet, look
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report.gather import gather
from histories import END, FINDING, HOUR, record_verdicts


def of(history, names, fresh=None, made=END, groups=None):
    """Return the fleet of a report over seven days."""
    return gather(names, fresh or {}, history, made, 7, groups)


def test_since_when_a_verdict_holds_and_the_verdict_before(history):
    record_verdicts(history, "web", ["ok", "ok", "warning", "critical", "critical", "critical"])
    (box,) = of(history, ["web"]).boxes
    assert (box.since, box.before) == (END - 2 * HOUR, "warning")
    record_verdicts(history, "calm", ["ok"] * 3)
    (calm,) = of(history, ["calm"]).boxes
    assert (calm.since, calm.before) == (END - 2 * HOUR, None)


def test_a_host_that_was_left_out_is_unknown(history):
    record_verdicts(history, "asked", ["ok"] * 10)
    record_verdicts(history, "left-out", ["ok"] * 6, end=END - 4 * HOUR)
    record_verdicts(history, "twice-a-day", ["ok"] * 4, end=END - 12 * HOUR, step=12 * HOUR)
    found = {box.name: box for box in of(history, ["asked", "left-out", "twice-a-day"]).boxes}
    assert {name: box.verdict for name, box in found.items()} == {
        "asked": "ok",
        "left-out": "unknown",
        "twice-a-day": "ok",
    }
    assert found["left-out"].findings[0]["message"] == "last read 4 h before the others; it was ok then"


def test_a_fresh_result_counts_more_than_the_history(history):
    record_verdicts(history, "web", ["ok", "ok"], samples=[Sample("memory_used_bytes", "", 5, 10)])
    (box,) = of(
        history,
        ["web"],
        {"web": {"unreachable": True, "msg": "Failed to connect to the host via ssh: No route to host"}},
    ).boxes
    assert (box.verdict, box.findings[0]["message"]) == ("down", "No route to host")
    # The last reading is better than nothing.
    assert box.samples["memory_used_bytes", ""].value == 5
    (box,) = of(history, ["web"], {"web": {"failed": True, "msg": "it answered nonsense"}}).boxes
    assert (box.verdict, box.findings[0]["message"]) == ("unknown", "it answered nonsense")


def test_findings_of_other_sources_make_a_host_no_better(history):
    record_verdicts(history, "slow", ["ok", "ok"])
    slow = {**FINDING, "severity": "critical", "message": "80 times slower than its best hour"}
    history.record(Reading("slow", "throughput_info", taken=END - 2 * HOUR, findings=[slow, slow]))
    history.record(Reading("slow", "throughput_info", taken=END - HOUR, findings=[slow]))
    record_verdicts(history, "was-slow", ["ok", "ok"])
    history.record(Reading("was-slow", "throughput_info", taken=END - 2 * HOUR, findings=[slow]))
    history.record(Reading("was-slow", "throughput_info", taken=END - HOUR))
    first, second = of(history, ["was-slow", "slow"]).boxes
    assert (first.name, first.verdict, [finding["message"] for finding in first.findings]) == (
        "slow",
        "critical",
        [slow["message"]],
    )
    assert (second.verdict, second.findings) == ("ok", ())


def test_a_kill_in_two_readings_is_one(history):
    record_verdicts(history, "web", ["ok"], kills=[Kill(END - 500, 7, "ruby"), Kill(END - 400, 8, "ruby")])
    assert look.united([Kill(END - 500, 7, "ruby")], [Kill(END - 498, 7, "ruby"), Kill(END - 498, 9, "ruby")]) == [
        Kill(END - 500, 7, "ruby"),
        Kill(END - 498, 9, "ruby"),
    ]
    (box,) = of(history, ["web"]).boxes
    assert [kill.pid for kill in box.kills] == [7, 8]


def test_the_peaks_of_a_sawtooth_are_kept(history):
    for number in range(600):
        value = 95 if number % 50 == 49 else 20 + number % 50
        history.record(
            Reading(
                "web",
                "health",
                taken=END - (600 - number) * 300,
                verdict="ok",
                samples=[Sample("memory_used_bytes", "", value, 100)],
            )
        )
    (box,) = of(history, ["web"]).boxes
    found = box.series["memory_used_bytes", ""]
    assert len(found) == fleet.BUCKETS
    assert sum(bucket.high == 95 for bucket in found) == 12
    assert min(bucket.low for bucket in found) == 20


def test_a_counter_becomes_a_rate_except_where_it_was_reset(history):
    for number, count in enumerate([0, 100, 200, 300, 10, 110, 210]):
        history.record(
            Reading(
                "web", "sidekiq_info", taken=END - (6 - number) * HOUR, samples=[Sample("sidekiq_processed", "", count)]
            )
        )
    (box,) = of(history, ["web"], made=END).boxes
    rates = [round(bucket.high) for bucket in box.series["sidekiq_processed", ""]]
    assert rates == [100, 100, 100, 100, 100]
