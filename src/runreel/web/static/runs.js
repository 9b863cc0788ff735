// The list of runs grows and changes as runs are recorded.

import { make, setText } from "./dom.js";
import { follow } from "./stream.js";

/**
 * @typedef {object} Page
 * @property {string[][]} runs For each run its URL, kind of status, and the cells of its row.
 * @property {string | null} first
 * @property {string | null} next
 * @property {string} as_of
 */

const table = element("runs");
const live = element("live");

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

/** @param {Page} page */
function show(page) {
  /** @type {Map<string, HTMLTableRowElement>} */
  const rows = new Map();
  for (const row of /** @type {HTMLCollectionOf<HTMLTableRowElement>} */ (table.children)) {
    rows.set(link(row).getAttribute("href") ?? "", row);
  }
  let place = /** @type {HTMLTableRowElement | null} */ (table.firstElementChild);
  for (const run of page.runs) {
    const known = rows.get(run[0]);
    rows.delete(run[0]);
    const row = known ?? newRow();
    fill(row, run);
    // A row that is in its place is not moved, so that the focus stays on it.
    if (row === place) place = /** @type {HTMLTableRowElement | null} */ (row.nextElementSibling);
    else table.insertBefore(row, place);
  }
  for (const row of rows.values()) row.remove();
  element("list").hidden = page.runs.length === 0;
  element("empty").hidden = page.runs.length !== 0;
  setText(element("as-of"), page.as_of);
  point("first", page.first);
  point("next", page.next);
}

/** @param {HTMLTableRowElement} row */
function link(row) {
  return /** @type {HTMLAnchorElement} */ (row.querySelector("a"));
}

function newRow() {
  const row = make("tr", {}, make("th", { scope: "row" }, make("a")));
  for (const name of ["state", "time", "number", "number", "", "number", ""]) {
    row.append(make("td", name ? { class: name } : {}));
  }
  return row;
}

/**
 * @param {HTMLTableRowElement} row
 * @param {string[]} run
 */
function fill(row, [url, kind, id, ...cells]) {
  link(row).href = url;
  setText(link(row), id);
  cells.forEach((text, index) => setText(row.cells[index + 1], text));
  row.cells[1].className = `state ${kind}`;
}

/**
 * @param {"first" | "next"} relation
 * @param {string | null} url
 */
function point(relation, url) {
  const anchor = /** @type {HTMLAnchorElement} */ (element(relation));
  anchor.hidden = url === null;
  anchor.rel = relation;
  if (url !== null) anchor.href = url;
}

follow(() => `/live/runs${location.search}`, {
  events: { runs: show },
  status: (text) => setText(live, text),
});
