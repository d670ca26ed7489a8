# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open the report in a real browser, and check what it shows and what it must never do."""

from __future__ import annotations

import pytest
from report.pages import END, page_of
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Kill, Reading, Sample
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import gather, page as report_page

WIDTHS = (390, 820, 1100, 1440)
SCHEMES = ("light", "dark")
NAMES = (
    "Array.from(document.querySelectorAll('#fleet tbody tr'))"
    ".filter(row => !row.hidden).map(row => row.cells[0].textContent.trim())"
)
HOSTILE = (
    "<script>window.pwned=1</script>",
    '"><img src=x onerror=window.pwned=1>',
    "</title></style><svg onload=window.pwned=1>",
    "{{ 7 * 7 }}{% raw %}",
    "a\u202egnp.exe\x1b[31m\x00",
    "javascript:window.pwned=1",
    "&lt;b&gt;",
    "x" * 700,
    "' onclick='window.pwned=1",
)
# The contrast of each text with its background, by WCAG 2.
CONTRASTS = """(() => {
  const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const color = parse(getComputedStyle(node).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
    throw new Error("nothing is behind it");
  };
  const found = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || node.closest("script, svg, [hidden]") || !node.checkVisibility()) continue;
    const style = getComputedStyle(node);
    const pair = [light(parse(style.color)), light(ground(node))].sort((a, b) => b - a);
    found.set(style.color + " on " + ground(node), (pair[0] + 0.05) / (pair[1] + 0.05));
  }
  return Array.from(found);
})()"""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_loads_nothing_and_the_console_stays_empty(browser, page, scheme):
    browser.open(page, scheme=scheme)
    assert browser.ask("document.querySelectorAll('#fleet tbody tr').length") == 12
    browser.driver.find_element(By.CSS_SELECTOR, "#fleet thead button").click()
    browser.driver.find_element(By.ID, "open").click()
    assert browser.requests() == [f"file://{page}"]
    assert browser.messages() == []


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_the_screen(browser, page, width):
    browser.open(page, width=width)
    browser.driver.find_element(By.ID, "open").click()
    assert browser.ask("document.documentElement.scrollWidth") <= width
    # No cell's text runs into its neighbour.
    assert (
        browser.ask(
            "Array.from(document.querySelectorAll('#fleet :is(td, th)'))"
            ".filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.outerHTML)"
        )
        == []
    )


def test_on_paper_everything_is_there(browser, page):
    browser.open(page, width=718, media="print")
    assert browser.ask("document.documentElement.scrollWidth") <= 718
    assert browser.ask("getComputedStyle(document.querySelector('.words')).display") == "none"
    pages = browser.tell("Page.printToPDF", printBackground=True)["data"]
    assert len(pages) > 20000
    browser.driver.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    opened = browser.ask(
        "Array.from(document.querySelectorAll('details.box')).map(one => [one.open, one.classList.contains('ok')])"
    )
    assert all(is_open != is_ok for is_open, is_ok in opened)
    browser.driver.execute_script("window.dispatchEvent(new Event('afterprint'))")
    assert browser.ask("document.querySelectorAll('details.box[open]').length") == 0


def test_the_worst_come_first(browser, page):
    browser.open(page)
    verdicts = browser.ask("Array.from(document.querySelectorAll('#fleet tbody tr'), row => row.dataset.verdict)")
    order = ["down", "critical", "unknown", "warning", "ok"]
    assert verdicts == sorted(verdicts, key=order.index)
    assert set(verdicts) == set(order)
    assert browser.ask("document.querySelector('[aria-sort]').textContent") == "Verdict"


def test_each_column_sorts_both_ways_by_keyboard_too(browser, page):
    browser.open(page)
    before = browser.ask(NAMES)
    heads = browser.driver.find_elements(By.CSS_SELECTOR, "#fleet thead th")
    memory = next(head for head in heads if head.text.startswith("Memory"))
    values = "Array.from(document.querySelectorAll('#fleet td.memory'), cell => Number(cell.dataset.sort))"
    memory.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert memory.get_attribute("aria-sort") == "descending"
    assert browser.ask(values) == sorted(browser.ask(values), reverse=True)
    memory.find_element(By.TAG_NAME, "button").send_keys(Keys.SPACE)
    assert memory.get_attribute("aria-sort") == "ascending"
    assert browser.ask(values) == sorted(browser.ask(values))
    assert browser.ask("document.querySelectorAll('[aria-sort]').length") == 1
    forecast = next(head for head in heads if head.text.startswith("Forecast"))
    for _direction in range(2):
        forecast.find_element(By.TAG_NAME, "button").click()
        found = browser.ask(
            "Array.from(document.querySelectorAll('#fleet td.forecast'), cell => cell.dataset.sort ?? null)"
        )
        known = [value for value in found if value is not None]
        # Missing values are last in both directions.
        assert 0 < len(known) < len(found) and found[len(known) :] == [None] * (len(found) - len(known))
    box = heads[0].find_element(By.TAG_NAME, "button")
    box.click()
    assert [name[:7] for name in browser.ask(NAMES)][:2] == ["crawler", "crawler"]
    next(head for head in heads if head.text.startswith("Verdict")).find_element(By.TAG_NAME, "button").click()
    assert browser.ask(NAMES) == before


def test_words_and_verdicts_filter_table_and_boxes_alike(browser, page):
    browser.open(page)
    words = browser.driver.find_element(By.ID, "words")
    shown = browser.driver.find_element(By.ID, "shown")
    words.send_keys("SWAP 1.0g")
    assert len(browser.ask(NAMES)) == 1
    assert shown.text == "1 of 12 boxes"
    assert shown.get_attribute("aria-live") == "polite"
    assert browser.ask("Array.from(document.querySelectorAll('details.box')).filter(box => !box.hidden).length") == 1
    words.send_keys(" nowhere")
    assert browser.ask(NAMES) == []
    assert browser.driver.find_element(By.ID, "nothing").is_displayed()
    words.clear()
    words.send_keys(Keys.BACKSPACE)
    assert len(browser.ask(NAMES)) == 12
    for verdict in ("critical", "down"):
        browser.driver.find_element(By.CSS_SELECTOR, f"input[value={verdict}]").click()
    assert set(
        browser.ask(
            "Array.from(document.querySelectorAll('#fleet tbody tr:not([hidden])'), row => row.dataset.verdict)"
        )
    ) == {"critical", "down"}
    words.send_keys(Keys.ENTER)
    assert browser.ask("location.href").startswith("file:///") and "?" not in browser.ask("location.href")


def test_a_link_opens_its_box_even_one_that_is_filtered_away(browser, page):
    browser.open(page)
    link = browser.driver.find_element(By.CSS_SELECTOR, "#fleet tbody tr:last-child a")
    name, target = link.text, link.get_attribute("href").partition("#")[2]
    link.click()
    assert browser.ask("document.getElementById(arguments[0]).closest('details').open", target)
    assert name in browser.ask("document.activeElement.closest('details').querySelector('summary').textContent")
    browser.open(page, anchor="#" + target)
    assert browser.ask("document.querySelector('details[open]').dataset.box") == target
    browser.driver.find_element(By.CSS_SELECTOR, "input[value=down]").click()
    browser.driver.execute_script("location.hash = '#each'")
    browser.driver.execute_script("location.hash = '#' + arguments[0]", target)
    assert browser.driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        " const look = () => document.querySelector('details[open]:not([hidden])')"
        " && !document.querySelector('tr[hidden]') ? done(true) : requestAnimationFrame(look); look();"
    )


def test_it_can_be_read_without_scripts(browser, page):
    browser.open(page, scripts=False)
    try:
        text = browser.driver.find_element(By.TAG_NAME, "body").text
        assert "Connection timed out" in text and "in 27 min" in text
        assert browser.driver.find_elements(By.CSS_SELECTOR, "#fleet thead button") == []
        for selector in ("#words", ".tile input", "#open"):
            assert not browser.driver.find_element(By.CSS_SELECTOR, selector).is_displayed()
        assert len(browser.driver.find_elements(By.CSS_SELECTOR, "#fleet tbody tr")) == 12
        # Browsers open the details that a link leads into by themselves.
        browser.driver.find_element(By.CSS_SELECTOR, "#fleet tbody tr:first-child a").click()
        assert "Calm:" in browser.driver.find_element(By.ID, "b1").text
    finally:
        browser.tell("Emulation.setScriptExecutionDisabled", value=False)


def test_headings_tables_pictures_and_fields_say_what_they_are(browser, page):
    browser.open(page)
    browser.driver.find_element(By.ID, "open").click()
    assert browser.ask("document.documentElement.lang") == "en"
    levels = browser.ask("Array.from(document.querySelectorAll('h1, h2, h3, h4'), head => Number(head.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:]))
    assert browser.ask("Array.from(document.querySelectorAll('th:not([scope])')).length") == 0
    assert (
        browser.ask(
            "Array.from(document.querySelectorAll('table')).filter(table => !table.caption || !table.tHead).length"
        )
        == 0
    )
    assert (
        browser.ask(
            "Array.from(document.querySelectorAll('svg')).filter(one => one.getAttribute('aria-hidden') !== 'true'"
            " && !(one.getAttribute('role') === 'img' && one.querySelector('title').textContent.length > 10)).length"
        )
        == 0
    )
    assert (
        browser.ask("Array.from(document.querySelectorAll('input')).filter(input => !input.labels.length).length") == 0
    )
    ids = browser.ask("Array.from(document.querySelectorAll('[id]'), one => one.id)")
    assert len(ids) == len(set(ids))
    assert set(browser.ask("Array.from(document.querySelectorAll('a'), one => one.hash.slice(1))")) <= set(ids)
    labels = browser.ask(
        "Array.from(document.querySelectorAll('[aria-labelledby]'), one => one.getAttribute('aria-labelledby'))"
    )
    assert labels and set(labels) <= set(ids)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_screen_reader_finds_a_table_at_every_width(browser, page, width):
    browser.open(page, width=width)
    tree = browser.tell("Accessibility.getFullAXTree")["nodes"]
    by_id = {node["nodeId"]: node for node in tree}
    table = next(node for node in tree if node.get("role", {}).get("value") == "table")

    def below(node):
        for child in node.get("childIds", ()):
            if child in by_id:
                yield by_id[child]
                yield from below(by_id[child])

    roles = [node["role"]["value"] for node in below(table) if "role" in node]
    assert roles.count("row") == 13
    assert roles.count("rowheader") == 12
    assert roles.count("columnheader") == 9
    assert roles.count("cell") == 12 * 8


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [390, 1440])
def test_all_text_stands_out_from_its_ground(browser, page, scheme, width):
    browser.open(page, scheme=scheme, width=width)
    browser.driver.find_element(By.ID, "open").click()
    contrasts = dict(browser.ask(CONTRASTS))
    assert len(contrasts) > 8
    assert {pair: round(ratio, 2) for pair, ratio in contrasts.items() if ratio < 4.5} == {}


def test_the_schemes_differ(browser, page):
    grounds = set()
    for scheme in SCHEMES:
        browser.open(page, scheme=scheme)
        grounds.add(browser.ask("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2


def test_what_boxes_say_is_text_and_nothing_else(browser, tmp_path):
    path = tmp_path / "hostile.db"
    with History(path, create=True) as history:
        for number, text in enumerate(HOSTILE):
            for back in range(3, 0, -1):
                history.record(
                    Reading(
                        text,
                        "health",
                        taken=END - 300 * back,
                        verdict="critical",
                        booted=END - 86400,
                        samples=[
                            Sample("memory_used_bytes", "", 5 + back, 10),
                            Sample("disk_used_bytes", "/" + text, 9, 10),
                            Sample("worker_rss_bytes", text, 9, 10),
                            Sample("process_fds", text, 9, 10),
                            Sample(f"x{text}_per_hour", text, 9),
                        ],
                        findings=[
                            {
                                "check": text,
                                "severity": "critical",
                                "subject": text,
                                "value": 1,
                                "threshold": 1,
                                "unit": text,
                                "message": "finding " + text,
                            }
                        ],
                        kills=[Kill(END - 600, number, text, text, text, text, 5)],
                        state={"kernel": text if back > 1 else text + "!", "package:" + text: text},
                    )
                )
    file = tmp_path / "hostile.html"
    fresh = {
        HOSTILE[0]: {"unreachable": True, "msg": "no route to " + HOSTILE[1]},
        HOSTILE[1]: {"failed": True, "msg": HOSTILE[0]},
    }
    file.write_text(page_of(path, fresh=fresh, groups=[(HOSTILE[0], list(HOSTILE))]), encoding="utf-8")
    browser.open(file)
    browser.driver.find_element(By.ID, "open").click()
    assert browser.ask("window.pwned") is None
    assert browser.messages() == []
    assert browser.requests() == [f"file://{file}"]
    assert browser.ask("document.scripts.length") == 1
    assert browser.ask("document.querySelectorAll('img, iframe, object, [onclick], [onload], [onerror]').length") == 0
    assert browser.ask("document.title").startswith(f"{len(HOSTILE)} boxes: ")
    names = set(browser.ask(NAMES))
    assert {HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[3], HOSTILE[5], HOSTILE[6], HOSTILE[8]} <= names
    assert "a\ufffdgnp.exe\ufffd[31m\ufffd" in names
    text = browser.driver.find_element(By.TAG_NAME, "body").text
    assert "no route to " + HOSTILE[1] in text and "49" not in text.split("Made")[0]
    assert browser.ask("document.documentElement.scrollWidth") <= 1440


def test_without_a_history_it_says_so(browser, tmp_path):
    fleet = gather.gather(["web1", "web2"], {"web1": {"unreachable": True, "msg": "no route to host"}}, None, END, 7)
    file = tmp_path / "bare.html"
    file.write_text(report_page.render(fleet), encoding="utf-8")
    browser.open(file)
    text = browser.driver.find_element(By.TAG_NAME, "body").text
    assert "There is no history" in text and "no route to host" in text and "lifeline_history" in text
    assert browser.messages() == []
    assert browser.ask("document.querySelectorAll('#time, #changed, #coming, .spark').length") == 0
