/* GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
   SPDX-License-Identifier: GPL-3.0-or-later
   Sorting, filtering and opening. Without it the page is the same, in the order in which it was written. */
"use strict";
(() => {
  const table = document.getElementById("fleet");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const boxes = new Map(Array.from(document.querySelectorAll("details.box"), (one) => [one.dataset.box, one]));
  const collator = new Intl.Collator("en", {numeric: true});
  document.documentElement.classList.add("js");

  // Return the sort key of a cell: a number, a text, or null if it is empty. Null is last in both directions.
  function key(row, column) {
    const cell = row.cells[column];
    if (cell.dataset.sort !== undefined) return Number(cell.dataset.sort);
    const text = cell.textContent.trim();
    return text === "-" || text === "" ? null : text;
  }

  function sort(column, down) {
    const keyed = rows.map((row, place) => [key(row, column), place, row]);
    keyed.sort(([a, i], [b, j]) => {
      if (a === null || b === null) return (a === null) - (b === null) || i - j;
      const order = typeof a === "number" && typeof b === "number" ? a - b : collator.compare(a, b);
      return (down ? -order : order) || i - j;
    });
    body.append(...keyed.map(([, , row]) => row));
  }

  Array.from(table.tHead.rows[0].cells).forEach((head, column, heads) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      // If large values are dangerous, the first click sorts the largest to the top.
      const down = now === null ? head.dataset.down !== undefined : now === "ascending";
      heads.forEach((one) => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(column, down);
    });
  });

  const filter = document.getElementById("filter");
  const words = document.getElementById("words");
  const shown = document.getElementById("shown");
  const texts = new Map();

  function text(row) {
    if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
    return texts.get(row);
  }

  function show() {
    const verdicts = Array.from(filter.querySelectorAll("input:checked"), (one) => one.value);
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const fits = (verdicts.length === 0 || verdicts.includes(row.dataset.verdict)) && wanted.every((word) => text(row).includes(word));
      row.hidden = !fits;
      boxes.get(row.dataset.box).hidden = !fits;
      count += fits;
    }
    document.getElementById("nothing").hidden = count > 0;
    shown.textContent = count === rows.length ? "" : `${count} of ${rows.length} boxes`;
  }

  filter.addEventListener("submit", (event) => event.preventDefault());
  filter.addEventListener("change", show);
  words.addEventListener("input", show);

  // The target of a link may be in a box that is closed or filtered out.
  function reveal() {
    const target = document.getElementById(location.hash.slice(1));
    const box = target && target.closest("details.box");
    if (!box) return;
    if (box.hidden) {
      filter.reset();
      show();
    }
    box.open = true;
    target.focus({preventScroll: true});
    box.scrollIntoView();
  }

  window.addEventListener("hashchange", reveal);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#b"]');
    if (link && link.hash === location.hash) reveal();
  });

  document.querySelector(".tools").hidden = false;
  for (const [id, open] of [["open", true], ["close", false]]) {
    document.getElementById(id).addEventListener("click", () => boxes.forEach((box) => {
      box.open = open && !box.hidden;
    }));
  }

  // Paper has no controls, so print the details of all boxes that are not ok.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = Array.from(boxes.values()).filter((box) => !box.open && !box.hidden && !box.classList.contains("ok"));
    opened.forEach((box) => { box.open = true; });
  });
  window.addEventListener("afterprint", () => {
    opened.forEach((box) => { box.open = false; });
  });

  // After a reload, the browser may have kept the state of the form.
  show();
  reveal();
})();
