// The page of a run grows as its rows are committed.

import { setText } from "./dom.js";
import { player } from "./run_page.js";
import { follow } from "./stream.js";

/**
 * @typedef {object} Facts
 * @property {string} state
 * @property {string} kind
 * @property {string} recording
 * @property {string} took
 * @property {string} first_text
 * @property {string} tokens
 */

const live = document.getElementById("live");
/** The facts that the page shows are those after the last row. */
const isNow = live?.hasAttribute("data-now") ?? false;

/** @param {Facts} facts */
function show(facts) {
  if (!isNow) return;
  for (const element of document.querySelectorAll("[data-fact]")) {
    const name = /** @type {keyof Facts} */ (element.getAttribute("data-fact"));
    // The page says more about tokens; it is kept as long as it is right.
    const isKnown = name === "tokens" && element.textContent?.trim().startsWith(`${facts.tokens}:`);
    if (!isKnown) setText(element, facts[name]);
    if (name === "state") element.className = `state ${facts.kind}`;
  }
}

if (live !== null && player !== null) {
  const url = live.getAttribute("data-url") ?? "";
  const shown = player;
  follow(() => `${url}${url.includes("?") ? "&" : "?"}after=${shown.last}`, {
    events: {
      rows: (columns) => shown.appendRows(columns),
      state: show,
      // What was erased is in the memory of this page.
      erased: () => location.reload(),
    },
    status: (text) => setText(live, text),
  });
}
