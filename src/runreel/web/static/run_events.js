// The events around a row as a table, and the story up to it.

import { make } from "./dom.js";
import { duration, visible } from "./visible.js";

/** @typedef {import("./run_rows.js").RunRows} RunRows */

/** Rows before and after the one that is shown. */
const AROUND = 12;
const NAMES = ["Row", "At", "Kind", "Type", "Text"];
/** Characters of one text. */
const LONGEST = 300;

/**
 * The rows of a table of events around a row.
 * @param {RunRows} rows
 * @param {number} seq
 * @param {(seq: number) => string} link the URL of a row
 * @returns {HTMLTableRowElement[]}
 */
export function eventRows(rows, seq, link) {
  const made = [];
  const end = Math.min(seq + AROUND, rows.count - 1);
  for (let n = Math.max(seq - AROUND, 0); n <= end; n++) {
    const text = rows.added[n] ? rows.textAt(n, rows.added[n]) : (rows.texts[n] ?? "");
    const row = make(
      "tr",
      n === seq ? { "aria-current": "true" } : {},
      make("th", { scope: "row" }, make("a", { href: link(n) }, String(n))),
      make("td", { class: "number" }, `+${duration(rows.times[n])}`),
      make("td", {}, rows.kinds[n]),
      make("td", {}, visible(rows.types[n] === rows.kinds[n] ? "" : rows.types[n])),
      make("td", { class: "text" }, visible(text.slice(0, LONGEST))),
    );
    made.push(row);
  }
  return made;
}

/**
 * An empty table of events.
 * @returns {{table: HTMLElement, body: HTMLTableSectionElement}}
 */
export function eventTable() {
  const head = make("tr");
  for (const name of NAMES) {
    const more = name === "At" ? { class: "number" } : {};
    head.append(make("th", { scope: "col", ...more }, name));
  }
  const body = make("tbody");
  const region = { class: "wide", role: "region", "aria-label": "Events", tabindex: "0" };
  const table = make("table", {}, make("thead", {}, head), body);
  return { table: make("div", region, table), body };
}

/**
 * Dim the steps of a story that come after a row.
 * @param {ParentNode} root
 * @param {number} seq
 */
export function dimAfter(root, seq) {
  for (const step of root.querySelectorAll(".story > li")) {
    step.classList.toggle("later", Number(step.getAttribute("data-seq")) > seq);
  }
}

/**
 * The JSON of an event as text.
 * @param {unknown} raw null if it was erased
 */
export function rawText(raw) {
  return raw === null ? "erased" : visible(JSON.stringify(raw, null, 2).slice(0, 20_000));
}
