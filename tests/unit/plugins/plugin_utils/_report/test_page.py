# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page: its policy, its escaping, and that the same fleet is the same text."""

from __future__ import annotations

import base64
import hashlib
import re

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Kill, Sample
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import page
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report.gather import gather
from histories import END, FINDING, record_verdicts


def of(history, names, fresh=None, made=END, groups=None):
    """Return the fleet of a report over seven days."""
    return gather(names, fresh or {}, history, made, 7, groups)


def test_the_same_fleet_is_the_same_page(history):
    for box in ("b", "a", "c"):
        record_verdicts(
            history,
            box,
            ["ok", "warning"],
            findings=[FINDING],
            samples=[Sample("memory_used_bytes", "", 5, 10)],
            state={"kernel": box},
        )
    pages = {page.render(of(history, names)) for names in (["a", "b", "c"], ["c", "b", "a", "a"])}
    assert len(pages) == 1


def test_only_the_page_s_own_script_and_style_may_run(history):
    record_verdicts(history, "web", ["ok"])
    rendered = page.render(of(history, ["web"]))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', rendered).group(1).replace("&#39;", "'")
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", rendered, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert not re.search(r"""(src|href)=["'](?!#|data:,)""", rendered)
    assert " style=" not in rendered


def test_numbers_that_are_not_finite_are_left_out(history):
    record_verdicts(
        history,
        "odd",
        ["ok"] * 3,
        samples=[
            Sample("memory_used_bytes", "", float("inf"), 10),
            Sample("disk_used_bytes", "/", 1, 0),
            Sample("worker_rss_bytes", "w", 5, None),
            Sample("swap_used_bytes", "", -1, 10),
            Sample("load_per_cpu", "", 1e300),
        ],
        kills=[Kill(None, None, None, None), Kill(1e18, 1, "x")],
    )
    text = page.render(of(history, ["odd"]))
    assert "inf" not in re.sub("<(style|script)>.*?</", "", text, flags=re.DOTALL).replace("information", "")


def test_a_fleet_without_hosts_has_a_page(history):
    assert "0 boxes" in page.render(of(history, []))


def test_texts_are_escaped_and_control_characters_replaced(history):
    evil = "<script>alert(1)</script>\x1b[2J\u202e\udc80"
    result = {"unreachable": True, "msg": evil}
    text = page.render(of(history, ["<b>web"], {"<b>web": result}))
    assert "<script>alert" not in text and "<b>web" not in text
    assert "&lt;b&gt;web" in text and "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\ud800-\udfff]", text)
