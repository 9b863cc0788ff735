// The timeline of a run on a canvas, with a small one below that shows the window in the whole.

import { make } from "./dom.js";
import { Drawing } from "./run_drawing.js";
import { Scale } from "./run_scale.js";

/**
 * @typedef {import("./run_rows.js").RunRows} RunRows
 * @typedef {import("./run_scale.js").ScaleName} ScaleName
 * @typedef {{kind: string, name: string, seq: number}} Marker
 * @typedef {{name: string, seq: number, result_seq: number | null}} CallBar
 * @typedef {{markers: Marker[], calls: CallBar[]}} Marks
 */

/** The shortest window, as a share of the scale. */
const SHORTEST = 1e-6;
/** Of the edges of the window that can be dragged, in pixels. */
const EDGE = 8;

/** Draws the rows in a window of a scale; the pointer chooses rows and moves the window. */
export class Timeline {
  /**
   * @param {HTMLElement} host
   * @param {RunRows} rows
   * @param {Marks} marks
   * @param {(seq: number, isFinal: boolean) => void} pick a row was chosen
   */
  constructor(host, rows, marks, pick) {
    this.rows = rows;
    this.marks = marks;
    this.seq = 0;
    this.scale = new Scale(rows, "idle");
    /** The window, in parts of the scale. */
    this.from = 0;
    this.to = 1;
    this.canvas = make("canvas", { class: "timeline", role: "img" });
    this.map = make("canvas", { class: "minimap", "aria-hidden": "true" });
    host.append(this.canvas, this.map);
    this.drawing = new Drawing(this.canvas, this.map);
    this.pick = pick;
    this.isDue = false;
    this.#listen();
  }

  /** @param {ScaleName} name */
  setScale(name) {
    this.scale = new Scale(this.rows, name);
    this.from = 0;
    this.to = 1;
    this.draw();
  }

  /** Take in rows that were added. */
  grow() {
    this.scale = new Scale(this.rows, this.scale.name);
    this.draw();
  }

  /**
   * Show a row, and move the window to it.
   * @param {number} seq
   */
  show(seq) {
    this.seq = seq;
    const at = (this.scale.positions[seq] - this.scale.start) / this.scale.length;
    const width = this.to - this.from;
    if (width < 1 && (at < this.from || at > this.to)) this.#moveTo(at - width / 2, width);
    this.draw();
  }

  /**
   * Show more or less around a place.
   * @param {number} factor below 1 shows less
   * @param {number} [at] the part of the window that stays in its place
   */
  zoom(factor, at = 0.5) {
    const width = Math.min(Math.max((this.to - this.from) * factor, SHORTEST), 1);
    this.#moveTo(this.from + at * (this.to - this.from - width), width);
    this.draw();
  }

  /** Draw in the next frame. */
  draw() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.drawing.draw(this);
    });
  }

  /** @param {number} from @param {number} width */
  #moveTo(from, width) {
    this.from = Math.min(Math.max(from, 0), 1 - width);
    this.to = this.from + width;
  }

  #listen() {
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
      matchMedia(query).addEventListener("change", () => this.draw());
    }
    this.#drag(this.canvas, (x) => {
      const part = this.from + x * (this.to - this.from);
      const seq = this.scale.nearest(this.scale.start + part * this.scale.length);
      return (isFinal) => this.pick(seq, isFinal);
    });
    this.#dragWindow();
    this.canvas.addEventListener(
      "wheel",
      (event) => {
        // A wheel without a key scrolls the page.
        if (!event.ctrlKey && !event.shiftKey && Math.abs(event.deltaX) < Math.abs(event.deltaY)) {
          return;
        }
        event.preventDefault();
        const box = this.canvas.getBoundingClientRect();
        if (event.ctrlKey) {
          this.zoom(Math.exp(event.deltaY / 200), (event.clientX - box.left) / box.width);
        } else {
          const width = this.to - this.from;
          this.#moveTo(this.from + ((event.deltaX || event.deltaY) / box.width) * width, width);
          this.draw();
        }
      },
      { passive: false },
    );
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {(x: number) => (isFinal: boolean) => void} move for a place from 0 to 1
   */
  #drag(canvas, move) {
    const at = (/** @type {PointerEvent} */ event) => {
      const box = canvas.getBoundingClientRect();
      return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      move(at(event))(false);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) move(at(event))(false);
    });
    canvas.addEventListener("pointerup", (event) => move(at(event))(true));
  }

  /** Drag the window of the small timeline, or one of its edges; or draw another one. */
  #dragWindow() {
    /** @type {((x: number) => void) | null} */
    let act = null;
    this.#drag(this.map, (x) => (isFinal) => {
      act ??= this.#grip(x);
      act(x);
      if (isFinal) act = null;
      this.draw();
    });
    this.map.addEventListener("dblclick", () => {
      this.#moveTo(0, 1);
      this.draw();
    });
  }

  /** @param {number} x @returns {(x: number) => void} */
  #grip(x) {
    const edge = EDGE / Math.max(this.map.clientWidth, 1);
    const { from, to } = this;
    const between = (/** @type {number} */ a, /** @type {number} */ b) =>
      this.#moveTo(Math.min(a, b), Math.max(Math.abs(b - a), SHORTEST));
    if (Math.abs(x - from) < edge) return (now) => between(now, to);
    if (Math.abs(x - to) < edge) return (now) => between(from, now);
    if (to - from < 1 && x > from && x < to) return (now) => this.#moveTo(from + now - x, to - from);
    return (now) => between(x, Math.abs(now - x) < edge ? x + edge * 4 : now);
  }
}
