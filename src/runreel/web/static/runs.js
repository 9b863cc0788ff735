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

const NAMES = { first: "Newest", next: "Older" };

/** The rows; a list that is empty has none. */
const table = document.getElementById("runs");
const asOf = document.getElementById("as-of");
const pages = document.getElementById("pages");
const live = document.getElementById("live");

/** @param {Page} page */
function show(page) {
  // The server knows what to say of an empty list.
  if (table === null || page.runs.length === 0) {
    if (table !== null || page.runs.length !== 0) location.reload();
    return;
  }
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
  if (asOf !== null) setText(asOf, page.as_of);
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
  if (link(row).getAttribute("href") !== url) link(row).href = url;
  setText(link(row), id);
  cells.forEach((text, index) => setText(row.cells[index + 1], text));
  row.cells[1].className = `state ${kind}`;
}

/**
 * @param {"first" | "next"} relation
 * @param {string | null} url
 */
function point(relation, url) {
  let anchor = pages?.querySelector(`[rel=${relation}]`) ?? null;
  if (url === null) {
    anchor?.remove();
  } else if (anchor === null) {
    anchor = make("a", { rel: relation, href: url }, NAMES[relation]);
    if (relation === "first") pages?.prepend(anchor);
    else pages?.append(anchor);
  } else if (anchor.getAttribute("href") !== url) {
    anchor.setAttribute("href", url);
  }
}

follow(() => `/live/runs${location.search}`, {
  events: { runs: show },
  status: (text) => live !== null && setText(live, text),
});
