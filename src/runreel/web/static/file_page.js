// A file of runs: each run has a player once it is open.

import { make, setText } from "./dom.js";
import { eventRows, eventTable, rawText, dimAfter } from "./run_events.js";
import { listen } from "./run_keys.js";
import { Place } from "./run_place.js";
import { Player } from "./run_player.js";

/**
 * @typedef {import("./run_player.js").RunData & {events: Record<string, unknown> | null}} FileData
 * @typedef {{details: HTMLDetailsElement, data: HTMLElement, id: string, player: Player | null}} Run
 */

/** @type {Run[]} */
const runs = [];
/** @type {Run | null} the run that keys are for */
let current = null;

/** @param {Run} run */
function open(run) {
  current = run;
  run.player ??= started(run);
}

/** @param {Run} run @returns {Player} */
function started(run) {
  const data = /** @type {FileData} */ (JSON.parse(run.data.textContent ?? ""));
  const host = make("section", { "aria-label": "Rows" });
  const { table, body } = eventTable();
  const title = make("summary");
  const raw = make("pre");
  const shown = make("details", { class: "raw" }, title, raw);
  const events = make("details", {}, make("summary", {}, "Events around this row"), table, shown);
  run.details.querySelector(".facts")?.after(host, events);
  const place = new Place(run.id);
  const onRow = (/** @type {number} */ seq, /** @type {Player} */ player) => {
    dimAfter(run.details, seq);
    body.replaceChildren(...eventRows(player.rows, seq, (row) => place.url(row).href));
    setText(title, `Row ${seq} as its source sent it`);
    setText(raw, data.events ? rawText(data.events[seq]) : "It is not in this file.");
  };
  return new Player(host, data, { place, onRow, onRun: (direction) => turn(run, direction) });
}

/** Go to another run of the file. @param {Run} run @param {1 | -1} direction */
function turn(run, direction) {
  const next = runs[runs.indexOf(run) + direction];
  if (!next) return;
  run.player?.pause();
  next.details.open = true;
  open(next);
  next.details.scrollIntoView();
  next.details.querySelector("summary")?.focus();
}

/** Open the run that the URL names. */
function openNamed() {
  const named = new URLSearchParams(location.hash.slice(1)).get("run");
  if (named === null) return;
  for (const run of runs) {
    if (run.id !== named || run.details.open) continue;
    run.details.open = true;
    open(run);
  }
}

for (const details of document.querySelectorAll("details.run")) {
  const data = details.querySelector("script.run-data");
  if (!(details instanceof HTMLDetailsElement) || !(data instanceof HTMLElement)) continue;
  const run = { details, data, id: decodeURIComponent(details.dataset.run ?? ""), player: null };
  runs.push(run);
  details.addEventListener("toggle", () => (details.open ? open(run) : run.player?.pause()));
  details.addEventListener("pointerdown", () => details.open && (current = run));
  if (details.open) open(run);
}
openNamed();
addEventListener("hashchange", openNamed);
listen(() => current?.player ?? null);
