// The small timeline: the whole run, and the window in it.

import { Pixels, prepared } from "./run_pixels.js";

/** @typedef {import("./run_timeline.js").Timeline} Timeline */

/** In pixels. */
const HEIGHT = 30;

/** Draws the small timeline. */
export class SmallDrawing {
  /** @param {HTMLCanvasElement} map */
  constructor(map) {
    this.map = map;
    this.pixels = new Pixels();
    /** What it shows without the window: it is drawn once. */
    this.whole = document.createElement("canvas");
    this.wholeKey = "";
  }

  /** @param {Timeline} timeline @param {Record<string, string>} colours */
  draw(timeline, colours) {
    const { context, width, ratio } = prepared(this.map);
    const { scale } = timeline;
    const key = [scale.name, timeline.rows.count, width, ratio, colours.stream].join();
    if (key !== this.wholeKey) {
      this.wholeKey = key;
      this.#drawWhole(timeline, colours, width, ratio);
    }
    context.clearRect(0, 0, width, HEIGHT);
    context.drawImage(this.whole, 0, 0, width, HEIGHT);
    const [left, right] = [timeline.from * width, timeline.to * width];
    context.fillStyle = colours.ground;
    context.globalAlpha = 0.6;
    context.fillRect(0, 0, left, HEIGHT);
    context.fillRect(right, 0, width - right, HEIGHT);
    context.globalAlpha = 1;
    context.strokeStyle = colours.link;
    context.lineWidth = 2;
    context.strokeRect(left + 1, 1, Math.max(right - left - 2, 2), HEIGHT - 2);
    const now = ((scale.positions[timeline.seq] - scale.start) / scale.length) * width;
    context.fillStyle = colours.text;
    context.fillRect(now - 1, 0, 2, HEIGHT);
  }

  /**
   * @param {Timeline} timeline @param {Record<string, string>} colours
   * @param {number} width @param {number} ratio
   */
  #drawWhole(timeline, colours, width, ratio) {
    this.whole.width = Math.max(width * ratio, 1);
    this.whole.height = HEIGHT * ratio;
    const context = /** @type {CanvasRenderingContext2D} */ (this.whole.getContext("2d"));
    context.scale(ratio, ratio);
    context.fillStyle = colours.raised;
    context.fillRect(0, 0, width, HEIGHT);
    const { scale, rows } = timeline;
    const x = (/** @type {number} */ seq) =>
      ((scale.positions[seq] - scale.start) / scale.length) * (width - 1);
    const most = this.pixels.count(rows, x, 0, rows.count - 1, width);
    const high = (HEIGHT - 12) / Math.log1p(most || 1);
    context.fillStyle = colours.stream;
    for (let at = 0; at < width; at++) {
      const bar = Math.log1p(this.pixels.sums[at]) * high;
      if (bar) context.fillRect(at, HEIGHT - 8 - bar, 1, bar);
    }
    context.fillStyle = colours.tool;
    for (const call of timeline.marks.calls) {
      const left = x(call.seq);
      const long = Math.max(x(call.result_seq ?? call.seq) - left, 2);
      context.fillRect(left, HEIGHT - 7, long, 4);
    }
  }
}
