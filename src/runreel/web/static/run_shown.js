// What a player says of the row that it shows: its place, the state, the text so far.

import { make, setText } from "./dom.js";
import { duration, visible } from "./visible.js";

/** @typedef {import("./run_rows.js").RunRows} RunRows */

/** Characters of the text so far that are shown: its end. */
const MOST = 2_000;

/** Two elements: the `place` of a row, and what the run shows `now`, after that row. */
export class Shown {
  constructor() {
    this.where = make("strong");
    this.when = make("span", { class: "when" });
    this.what = make("span", { class: "what faint" });
    this.place = make("span", { class: "place" }, this.where, " ", this.when, " ", this.what);
    this.state = make("span", { class: "state" });
    this.tokens = make("span", { class: "faint" });
    this.error = make("span", { class: "problem" });
    this.count = make("span", { class: "holds faint" });
    this.before = make("span");
    this.added = make("mark");
    const region = { class: "said", tabindex: "0", role: "region", "aria-label": "Text so far" };
    this.now = make(
      "div",
      { class: "now" },
      make("p", {}, this.state, " ", this.tokens, " ", this.error, " ", this.count),
      make("div", region, make("pre", { dir: "auto" }, this.before, this.added)),
    );
  }

  /**
   * Show a row.
   * @param {RunRows} rows
   * @param {number} seq
   * @returns {string} its place in words
   */
  show(rows, seq) {
    const state = rows.stateAt(seq);
    const type = rows.types[seq];
    const last = rows.count - 1;
    const since = duration(rows.times[seq]);
    setText(this.where, `Row ${seq} of ${last}`);
    setText(this.when, `+${since}`);
    setText(this.what, visible(type));
    setText(this.state, state.state);
    this.state.className = `state ${statusOf(state.state)}`;
    const used = state.tokens ? `${state.tokens[2].toLocaleString("en")} tokens` : "";
    setText(this.tokens, used);
    setText(this.error, state.error === null ? "" : visible(state.error));
    this.#showText(rows, seq);
    return `Row ${seq} of ${last}, ${type}, +${since}`;
  }

  /** @param {RunRows} rows @param {number} seq */
  #showText(rows, seq) {
    const length = rows.lengths[seq];
    const added = Math.min(rows.added[seq], MOST);
    const text = rows.textAt(seq, MOST);
    const cut = length > text.length ? "… " : "";
    setText(this.before, cut + visible(text.slice(0, text.length - added)));
    setText(this.added, visible(text.slice(text.length - added)));
    const { error } = rows.stateAt(seq);
    const what = rows.texts[seq] === error ? undefined : rows.texts[seq];
    const counted = `${length.toLocaleString("en")} characters so far`;
    setText(this.count, what === undefined ? counted : visible(what));
  }
}

/** @param {string} state */
function statusOf(state) {
  if (state === "completed") return "success";
  if (["in_progress", "pending", "tool_calls"].includes(state)) return "running";
  return "failed";
}
