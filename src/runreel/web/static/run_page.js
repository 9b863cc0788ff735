// The page of a run on a server: its player, and what follows the row that is shown.

import { make, setText } from "./dom.js";
import { Player } from "./run_player.js";
import { duration, visible } from "./visible.js";

/** @typedef {import("./run_player.js").RunData & {event_url: string}} PageData */

/** Rows of the table of events before and after the one that is shown. */
const AROUND = 12;
/** Characters of JSON that are shown. */
const MOST = 20_000;

/** The parts of the page that follow the row. */
class Page {
  /** @param {PageData} data */
  constructor(data) {
    this.eventUrl = data.event_url;
    /** The row whose story the page has. */
    this.told = data.seq;
    /** The row that the table of events is around, and the number of rows then. */
    this.shown = data.seq;
    this.count = data.columns.kind.length;
    /** The row whose JSON is shown, or was asked for. */
    this.asked = data.seq;
    this.title = document.getElementById("rows-title");
    this.body = document.querySelector("#events tbody");
    this.raw = /** @type {HTMLDetailsElement | null} */ (document.querySelector("details.raw"));
    this.raw?.addEventListener("toggle", () => player && this.follow(player.seq, player));
    this.more = make("a", { id: "more", href: "" }, "The story goes on: show it as of this row");
    this.more.hidden = true;
    document.querySelector(".story")?.after(this.more);
    const steps = document.getElementById("steps");
    if (steps) steps.hidden = true;
  }

  /** @param {number} seq @param {Player} shown */
  follow(seq, shown) {
    const { rows, last } = shown;
    const now = seq === last ? `Now, after row ${seq}` : `As of row ${seq} of ${last}`;
    if (this.title) setText(this.title, now);
    for (const of of document.querySelectorAll('[data-of="seq"]')) setText(of, String(seq));
    this.#tell(seq);
    if (seq !== this.shown || rows.count !== this.count) {
      this.body?.replaceChildren(...this.#around(seq, rows));
    }
    this.shown = seq;
    this.count = rows.count;
    if (this.raw?.open && this.asked !== seq) void this.#ask(seq, this.raw);
  }

  /**
   * Dim the steps of the story that come later.
   * @param {number} seq
   */
  #tell(seq) {
    for (const step of document.querySelectorAll(".story > li")) {
      const from = Number(step.getAttribute("data-seq"));
      step.classList.toggle("later", from > seq);
    }
    this.more.hidden = seq <= this.told;
    const url = new URL(location.href);
    url.searchParams.set("seq", String(seq));
    this.more.href = url.href;
  }

  /**
   * @param {number} seq
   * @param {import("./run_rows.js").RunRows} rows
   */
  #around(seq, rows) {
    const made = [];
    const end = Math.min(seq + AROUND, rows.count - 1);
    for (let n = Math.max(seq - AROUND, 0); n <= end; n++) {
      const text = rows.added[n] ? rows.textAt(n, rows.added[n]) : (rows.texts[n] ?? "");
      const url = new URL(location.href);
      url.searchParams.set("seq", String(n));
      const link = make("a", { href: url.pathname + url.search }, String(n));
      const row = make(
        "tr",
        n === seq ? { "aria-current": "true" } : {},
        make("th", { scope: "row" }, link),
        make("td", { class: "number" }, `+${duration(rows.times[n] - rows.times[0])}`),
        make("td", {}, rows.kinds[n]),
        make("td", {}, visible(rows.types[n] === rows.kinds[n] ? "" : rows.types[n])),
        make("td", { class: "text" }, visible(text.slice(0, 300))),
      );
      made.push(row);
    }
    return made;
  }

  /** @param {number} seq @param {HTMLElement} raw */
  async #ask(seq, raw) {
    this.asked = seq;
    const shown = raw.querySelector("pre");
    let text = "";
    try {
      const answer = await fetch(`${this.eventUrl}${this.eventUrl.includes("?") ? "&" : "?"}seq=${seq}`);
      const found = await answer.json();
      if (!answer.ok) text = String(found.error);
      else text = found.raw === null ? "erased" : JSON.stringify(found.raw, null, 2);
    } catch (error) {
      text = `The server did not answer: ${error}`;
    }
    if (shown && this.asked === seq) setText(shown, visible(text.slice(0, MOST)));
  }
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
  if (!host || !element) return null;
  const data = /** @type {PageData} */ (JSON.parse(element.textContent ?? ""));
  const page = new Page(data);
  const made = new Player(host, data, { onRow: (seq, shown) => page.follow(seq, shown) });
  takeLinks(made);
  return made;
}

/** The player of the page; null if the run could not be read. */
export const player = start();
