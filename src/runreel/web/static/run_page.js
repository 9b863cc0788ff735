// The page of a run on a server: its player, and what follows the row that is shown.

import { make, setText } from "./dom.js";
import { eventRows, rawText, dimAfter } from "./run_events.js";
import { listen } from "./run_keys.js";
import { Player } from "./run_player.js";
import { visible } from "./visible.js";

/** @typedef {import("./run_player.js").RunData & {event_url: string, cost: string}} PageData */

/** The parts of the page that follow the row. */
class Page {
  /** @param {PageData} data */
  constructor(data) {
    this.eventUrl = data.event_url;
    /** The row whose story the page has. */
    this.storyOf = data.seq;
    /** The row that the table of events is around, and the number of rows then. */
    this.shown = -1;
    this.count = 0;
    /** The row whose JSON is shown, or was asked for. */
    this.asked = data.seq;
    this.title = document.getElementById("rows-title");
    this.body = document.querySelector("#events tbody");
    this.raw = /** @type {HTMLDetailsElement | null} */ (document.querySelector("details.raw"));
    this.raw?.addEventListener("toggle", () => player && this.follow(player.seq, player));
    this.more = make("a", { id: "more", href: "" }, "The story goes on: show it as of this row");
    this.more.hidden = true;
    document.querySelector(".story")?.after(this.more);
    const cost = document.querySelector('[data-of="cost"]');
    if (cost) setText(cost, visible(data.cost.replace(/:.*/s, "")));
    const steps = document.getElementById("steps");
    if (steps) steps.hidden = true;
  }

  /** @param {number} seq @param {Player} shown */
  follow(seq, shown) {
    const { rows, last } = shown;
    const now = seq === last ? `Now, after row ${seq}` : `As of row ${seq} of ${last}`;
    if (this.title) setText(this.title, now);
    for (const of of document.querySelectorAll('[data-of="seq"]')) setText(of, String(seq));
    dimAfter(document, seq);
    this.more.hidden = seq <= this.storyOf;
    this.more.href = rowUrl(seq);
    if (seq !== this.shown || rows.count !== this.count) {
      this.body?.replaceChildren(...eventRows(rows, seq, rowUrl));
      const clock = document.querySelector('[data-of="clock"]');
      if (clock) setText(clock, "the run was asked, or began");
    }
    this.shown = seq;
    this.count = rows.count;
    if (this.raw?.open && this.asked !== seq) void this.#ask(seq, this.raw);
  }

  /** @param {number} seq @param {HTMLElement} raw */
  async #ask(seq, raw) {
    this.asked = seq;
    const shown = raw.querySelector("pre");
    let text = "";
    try {
      const answer = await fetch(`${this.eventUrl}${this.eventUrl.includes("?") ? "&" : "?"}seq=${seq}`);
      const found = await answer.json();
      text = answer.ok ? rawText(found.raw) : visible(String(found.error));
    } catch (error) {
      text = `The server did not answer: ${error}`;
    }
    if (shown && this.asked === seq) setText(shown, text);
  }
}

/**
 * The URL of a row, with all else that is in that of the page.
 * @param {number} seq
 */
function rowUrl(seq) {
  const url = new URL(location.href);
  url.searchParams.set("seq", String(seq));
  return url.pathname + url.search;
}

/**
 * Links to other rows of the run do not load the page again.
 * @param {Player} shown
 */
function takeLinks(shown) {
  document.addEventListener("click", (event) => {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || link.id || link.pathname !== location.pathname || link.hash) return;
    const found = new URLSearchParams(link.search);
    const seq = found.get("seq");
    if (seq === null || found.has("verify") || found.has("id")) return;
    event.preventDefault();
    shown.go(Number(seq), { jumps: true });
  });
}

/** @returns {Player | null} */
function start() {
  const host = document.getElementById("player");
  const element = document.getElementById("run-data");
  if (host) host.hidden = !element;
  if (!host || !element) return null;
  const data = /** @type {PageData} */ (JSON.parse(element.textContent ?? ""));
  const page = new Page(data);
  const made = new Player(host, data, {
    onRow: (seq, shown) => page.follow(seq, shown),
    onRun: (direction) => document.getElementById(direction > 0 ? "next-run" : "run-before")?.click(),
  });
  takeLinks(made);
  listen(() => made);
  return made;
}

/** The player of the page; null if the run could not be read. */
export const player = start();
