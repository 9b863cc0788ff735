// Shows a run at any of its rows: steps, plays, and keeps the place in the URL.

import { button, make, setText } from "./dom.js";
import { keysOf } from "./run_keys.js";
import { growMarks } from "./run_marks.js";
import { Place } from "./run_place.js";
import { RunRows } from "./run_rows.js";
import { SCALES, Scale } from "./run_scale.js";
import { Shown } from "./run_shown.js";
import { Timeline } from "./run_timeline.js";

/**
 * @typedef {import("./run_rows.js").Columns} Columns
 * @typedef {import("./run_scale.js").ScaleName} ScaleName
 * @typedef {import("./run_timeline.js").Marker} Marker
 * @typedef {import("./run_timeline.js").CallBar} CallBar
 * @typedef {{columns: Columns, markers: Marker[], calls: CallBar[], seq: number}} RunData
 */

const SPEEDS = [0.25, 0.5, 1, 2, 4, 10, 100];
const CLOCKS = {
  recorded: "times of the recorder",
  source: "times of the source",
  even: "no times are known: 0.1s each",
};

/** Names are of the whole page. */
let players = 0;

/** A player in an element of the page. */
export class Player {
  /**
   * @param {HTMLElement} host
   * @param {RunData} data
   * @param {{onRow?: (seq: number, player: Player) => void, onRun?: (direction: 1 | -1) => void,
   *   place?: Place}} [options] `onRow` is called soon after another row is shown, `onRun` to show
   *   the next run or the one before
   */
  constructor(host, data, { onRow, onRun, place } = {}) {
    this.rows = new RunRows(data.columns);
    this.marks = { markers: data.markers, calls: data.calls };
    this.seq = Math.min(data.seq, this.last);
    this.place = place ?? new Place();
    this.onRow = onRow;
    this.onRun = onRun;
    this.speed = 1;
    /** @type {{position: number, at: number} | null} where playing began, and when */
    this.playing = null;
    this.isDue = false;
    this.#build(host);
    this.setScale("idle");
    this.#restore();
    addEventListener("popstate", () => this.#restore());
    addEventListener("hashchange", () => this.#restore());
  }

  /** The last row. */
  get last() {
    return this.rows.count - 1;
  }

  /**
   * Show rows that were recorded since; as `/api/run/ID/rows?after=SEQ` has them. Who looks at the
   * last row goes on to the new one.
   * @param {Columns} columns
   */
  appendRows(columns) {
    const follows = this.seq === this.last && !this.playing;
    const before = this.rows.count;
    if (!this.rows.append(columns)) return;
    growMarks(this.marks, this.rows, before);
    this.slider.max = String(this.last);
    this.timeline.grow();
    if (follows) this.go(this.last);
    else this.#paintSoon();
  }

  /**
   * Show a row.
   * @param {number} seq
   * @param {{jumps?: boolean}} [how] whether going back leads to the row before
   */
  go(seq, { jumps = false } = {}) {
    this.seq = Math.min(Math.max(seq, 0), this.last);
    this.place.set(this.seq, this.last, this.timeline.scale.name, jumps);
    this.#paintSoon();
  }

  /** @param {number} rows */
  step(rows) {
    this.pause();
    this.go(this.seq + rows);
  }

  /**
   * Go to the next marker, or the one before.
   * @param {1 | -1} direction
   */
  jump(direction) {
    this.pause();
    const seqs = this.marks.markers.map((marker) => marker.seq);
    const found =
      direction > 0
        ? seqs.find((seq) => seq > this.seq)
        : seqs.findLast((seq) => seq < this.seq);
    if (found !== undefined) this.go(found, { jumps: true });
  }

  /** @param {ScaleName} name */
  setScale(name) {
    this.timeline.setScale(name);
    for (const [one, radio] of Object.entries(this.radios)) radio.checked = one === name;
    this.timeline.show(this.seq);
  }

  /** Start or stop to play. */
  toggle() {
    if (this.playing) this.pause();
    else this.#play();
  }

  /** Stop to play. */
  pause() {
    if (!this.playing) return;
    this.playing = null;
    this.#paintSoon();
  }

  #play() {
    if (this.seq === this.last) this.seq = 0;
    const { name } = this.timeline.scale;
    // By event, there is no time; pauses are not waited for.
    this.pace = name === "event" ? new Scale(this.rows, "idle") : this.timeline.scale;
    this.playing = { position: this.pace.positions[this.seq], at: performance.now() };
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches ? 1000 : 0;
    let shown = -Infinity;
    /** @param {number} now */
    const frame = (now) => {
      if (!this.playing || !this.pace) return;
      if (now - shown >= calm) {
        shown = now;
        // The time of a frame may be before that of the key.
        const passed = Math.max(now - this.playing.at, 0) * 1e3 * this.speed;
        const seq = this.pace.rowAt(this.playing.position + passed);
        if (seq !== this.seq) this.go(seq);
        if (seq >= this.pace.rows.count - 1) this.pause();
      }
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    this.#paintSoon();
  }

  /** @param {number} speed */
  #setSpeed(speed) {
    this.speed = speed;
    if (this.playing) {
      this.playing = null;
      this.#play();
    }
  }

  /** Show what the URL says. */
  #restore() {
    const found = this.place.read();
    if (found) {
      this.setScale(found.scale);
      this.seq = Math.min(found.seq ?? this.last, this.last);
    }
    this.#paintSoon();
  }

  #paintSoon() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.#paint();
    });
  }

  #paint() {
    const { rows, seq } = this;
    this.timeline.show(seq);
    this.slider.value = String(seq);
    const said = this.shown.show(rows, seq);
    this.slider.setAttribute("aria-valuetext", said);
    const label = this.playing ? "Pause" : "Play";
    setText(this.playButton, this.playing ? "❚❚" : "▶");
    this.playButton.setAttribute("aria-label", `${label} (space)`);
    this.playButton.title = `${label} (space)`;
    clearTimeout(this.later);
    this.later = setTimeout(() => this.onRow?.(this.seq, this), 80);
  }

  /** @param {HTMLElement} host */
  #build(host) {
    const scales = make("fieldset", { class: "scales" }, make("legend", {}, "Scale"));
    /** @type {Record<string, HTMLInputElement>} */
    this.radios = {};
    players += 1;
    for (const [name, title] of Object.entries(SCALES)) {
      const radio = make("input", { type: "radio", name: `scale-${players}`, value: name });
      radio.addEventListener("change", () => {
        this.setScale(/** @type {ScaleName} */ (name));
        this.go(this.seq, { jumps: true });
      });
      this.radios[name] = radio;
      scales.append(make("label", {}, radio, title));
    }
    this.shown = new Shown();
    const canvases = make("div", { class: "canvases" });
    this.slider = make("input", {
      ...{ type: "range", min: "0", max: String(this.last), step: "1", "aria-label": "Row" },
      class: "slider",
    });
    this.slider.addEventListener("input", () => {
      this.pause();
      this.go(Number(this.slider.value));
    });
    host.append(make("div", { class: "head" }, scales, this.#zooms()), canvases, this.slider);
    host.append(this.#controls(), this.shown.now);
    this.timeline = new Timeline(canvases, this.rows, this.marks, (seq, isFinal) => {
      this.pause();
      this.go(seq, { jumps: isFinal });
    });
    const label = `Timeline of ${this.rows.count} rows with ${this.marks.calls.length} tool calls`;
    this.timeline.canvas.setAttribute("aria-label", `${label}; the tables below have the same`);
    host.classList.add("player");
  }

  #zooms() {
    const zoom = (/** @type {number} */ factor) => () => {
      const { scale, from, to } = this.timeline;
      const at = (scale.positions[this.seq] - scale.start) / scale.length;
      this.timeline.zoom(factor, Math.min(Math.max((at - from) / (to - from), 0), 1));
    };
    return make(
      "div",
      { class: "zooms" },
      make("span", { class: "faint" }, CLOCKS[this.rows.clock]),
      button("−", "Show more around the row (-)", zoom(2)),
      button("+", "Show less around the row (+)", zoom(0.5)),
    );
  }

  #controls() {
    this.playButton = button("▶", "Play (space)", () => this.toggle());
    this.playButton.classList.add("play");
    const speeds = make("select", { "aria-label": "Speed" });
    for (const speed of SPEEDS) {
      speeds.append(make("option", { value: String(speed) }, `${speed}×`));
    }
    speeds.value = "1";
    speeds.addEventListener("change", () => this.#setSpeed(Number(speeds.value)));
    return make(
      "div",
      { class: "controls" },
      button("⇤", "Marker before ([)", () => this.jump(-1)),
      button("◀", "Row before (,)", () => this.step(-1)),
      this.playButton,
      button("▶|", "Row after (.)", () => this.step(1)),
      button("⇥", "Marker after (])", () => this.jump(1)),
      speeds,
      this.shown.place,
      button("?", "All keys (?)", () => keysOf(this).help()),
    );
  }
}
