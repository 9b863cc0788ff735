// Draws a timeline: each column of pixels once, however many rows are in it.

import { Pixels, prepared } from "./run_pixels.js";
import { lastUpTo } from "./run_rows.js";
import { brief } from "./run_scale.js";
import { SmallDrawing } from "./run_small.js";
import { visible } from "./visible.js";

/** @typedef {import("./run_timeline.js").Timeline} Timeline */

/** Heights in pixels. */
const AXIS = 20;
const TEXT_TOP = 26;
const TEXT_HEIGHT = 64;
const CALL_TOP = 98;
const CALL_HEIGHT = 22;
const MOST_LANES = 4;
const FLAG_TOP = 122;
/** Of the texts that are printed where rows are far apart. */
const FAR = 44;
/** Shapes of markers: none is told by its colour alone. */
const SHAPES = { first_text: "▲", tool: "◆", gap: "║", error: "✕", damage: "✕", start: "", end: "" };
/** @type {Record<string, string>} the colours of markers */
const COLOURS = { first_text: "first_text", tool: "tool", gap: "faint", error: "bad", damage: "bad" };

/** Draws on two canvases. */
export class Drawing {
  /** @param {HTMLCanvasElement} canvas @param {HTMLCanvasElement} map */
  constructor(canvas, map) {
    this.canvas = canvas;
    /** @type {Record<string, string>} */
    this.colours = {};
    this.pixels = new Pixels();
    this.small = new SmallDrawing(map);
  }

  /** @param {Timeline} timeline */
  draw(timeline) {
    const style = getComputedStyle(this.canvas);
    for (const name of [
      ...["ground", "raised", "text", "faint", "line", "link", "bad"],
      ...["stream", "tool", "first_text", "request"],
    ]) {
      this.colours[name] = style.getPropertyValue(`--${name}`).trim() || "gray";
    }
    this.font = `12px ${style.fontFamily}`;
    this.#drawMain(timeline);
    this.small.draw(timeline, this.colours);
  }

  /** @param {Timeline} timeline */
  #drawMain(timeline) {
    const { context, width, height } = prepared(this.canvas);
    const { scale, rows } = timeline;
    const start = scale.start + timeline.from * scale.length;
    const perPixel = ((timeline.to - timeline.from) * scale.length) / Math.max(width - 1, 1);
    /** @type {(seq: number) => number} */
    const x = (seq) => (scale.positions[seq] - start) / perPixel;
    context.font = this.font ?? "";
    context.clearRect(0, 0, width, height);
    this.#axis(context, timeline, start, perPixel, width);
    const first = Math.max(scale.rowAt(start) - 1, 0);
    const last = Math.min(lastUpTo(scale.positions, start + perPixel * width) + 1, rows.count - 1);
    const now = x(timeline.seq);
    context.fillStyle = this.colours.raised;
    context.fillRect(0, TEXT_TOP, width, TEXT_HEIGHT);
    this.#pauses(context, timeline, x, first, last);
    this.#texts(context, timeline, x, first, last, width, now);
    this.#calls(context, timeline, x, width);
    this.#flags(context, timeline, x, width);
    context.fillStyle = this.colours.text;
    context.fillRect(Math.round(now) - 1, AXIS - 2, 2, height - AXIS);
    context.beginPath();
    context.moveTo(now - 6, AXIS - 8);
    context.lineTo(now + 6, AXIS - 8);
    context.lineTo(now, AXIS + 1);
    context.fill();
  }

  /**
   * @param {CanvasRenderingContext2D} context @param {Timeline} timeline
   * @param {number} start @param {number} perPixel @param {number} width
   */
  #axis(context, timeline, start, perPixel, width) {
    const count = Math.max(Math.floor(width / 110), 1);
    context.textBaseline = "middle";
    const room = width - context.measureText(timeline.scale.label(start + width * perPixel)).width;
    for (let n = 0; n <= count; n++) {
      const at = Math.round((n * (width - 1)) / count);
      const label = timeline.scale.label(start + at * perPixel);
      context.fillStyle = this.colours.line;
      context.globalAlpha = 0.35;
      context.fillRect(at, AXIS, 1, FLAG_TOP - AXIS);
      context.globalAlpha = 1;
      context.fillStyle = this.colours.faint;
      context.textAlign = n === 0 ? "left" : n === count ? "right" : "center";
      const end = at + context.measureText(label).width / 2 + 6;
      if (n === 0 || n === count || end < room) context.fillText(label, at, AXIS / 2 - 1);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context @param {Timeline} timeline
   * @param {(seq: number) => number} x @param {number} first @param {number} last
   * @param {number} width @param {number} now
   */
  #texts(context, timeline, x, first, last, width, now) {
    const { added } = timeline.rows;
    const { sums, others } = this.pixels;
    const most = this.pixels.count(timeline.rows, x, first, last, width);
    const bar = Math.min(Math.max((width / Math.max(last - first, 1)) * 0.6, 1), 4);
    const bottom = TEXT_TOP + TEXT_HEIGHT;
    const scale = TEXT_HEIGHT / Math.log1p(most || 1);
    for (const isPast of [true, false]) {
      context.globalAlpha = isPast ? 1 : 0.35;
      const [begin, end] = isPast ? [0, Math.min(now + 1, width)] : [Math.max(now + 1, 0), width];
      context.fillStyle = this.colours.stream;
      for (let at = Math.floor(begin); at < end; at++) {
        const sum = sums[at];
        if (!sum) continue;
        const high = Math.max(Math.log1p(sum) * scale, 3);
        context.fillRect(at - bar / 2, bottom - high, bar, high);
      }
      context.fillStyle = this.colours.faint;
      for (let at = Math.floor(begin); at < end; at++) {
        if (others[at]) context.fillRect(at - bar / 2, bottom - 5, bar, 5);
      }
    }
    context.globalAlpha = 1;
    if (last - first > width / FAR) return;
    context.fillStyle = this.colours.text;
    context.textAlign = "left";
    for (let seq = first; seq < last; seq++) {
      if (!added[seq] || x(seq + 1) - x(seq) < FAR) continue;
      const room = Math.floor((x(seq + 1) - x(seq) - 10) / 7);
      const text = visible(timeline.rows.textAt(seq, added[seq]).slice(0, room));
      context.fillText(text.replace(/\s+/g, " "), x(seq) + 5, TEXT_TOP + 9);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context @param {Timeline} timeline
   * @param {(seq: number) => number} x @param {number} first @param {number} last
   */
  #pauses(context, timeline, x, first, last) {
    const { scale } = timeline;
    if (!scale.pause) return;
    context.textAlign = "center";
    for (let seq = first + 1; seq <= last; seq++) {
      const pause = scale.collapsed(seq);
      if (!pause) continue;
      const [left, right] = [x(seq - 1), x(seq)];
      context.fillStyle = this.colours.line;
      context.globalAlpha = 0.25;
      context.fillRect(left, TEXT_TOP, right - left, TEXT_HEIGHT);
      context.globalAlpha = 1;
      const label = `║ ${brief(pause)} ║`;
      if (context.measureText(label).width > right - left - 4) continue;
      context.fillStyle = this.colours.faint;
      context.fillText(label, (left + right) / 2, TEXT_TOP + TEXT_HEIGHT / 2);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context @param {Timeline} timeline
   * @param {(seq: number) => number} x @param {number} width
   */
  #calls(context, timeline, x, width) {
    context.textAlign = "left";
    const { calls } = timeline.marks;
    const { lanes, next, count } = lanesOf(calls);
    const high = CALL_HEIGHT / count;
    /** @type {number[]} where the last bar or name of each lane ends */
    const ends = [];
    calls.forEach((call, n) => {
      const left = x(call.seq);
      const right = x(call.result_seq ?? call.seq);
      if (right < -20 || left > width) return;
      const long = Math.max(right - left, 4);
      const top = CALL_TOP + lanes[n] * high;
      context.fillStyle = this.colours.tool;
      context.globalAlpha = call.seq > timeline.seq ? 0.35 : 0.85;
      context.fillRect(left, top, long, high - 1);
      context.globalAlpha = 1;
      if (call.result_seq === null) {
        context.strokeStyle = this.colours.bad;
        context.strokeRect(left + 0.5, top + 0.5, long, high - 2);
      }
      const name = visible(call.name).slice(0, 40);
      const end = left + long + 4 + context.measureText(name).width;
      const limit = Math.min(next[n] === undefined ? width : x(next[n]), width);
      if (high < 10 || left < (ends[lanes[n]] ?? -Infinity) || end > limit) return;
      context.fillStyle = this.colours.text;
      context.fillText(name, left + long + 4, top + high / 2 + 1);
      ends[lanes[n]] = end + 8;
    });
  }

  /**
   * @param {CanvasRenderingContext2D} context @param {Timeline} timeline
   * @param {(seq: number) => number} x @param {number} width
   */
  #flags(context, timeline, x, width) {
    context.textAlign = "left";
    /** @type {[number, number][]} where something is written */
    const taken = [];
    const isFree = (/** @type {number} */ from, /** @type {number} */ to) =>
      to <= width && !taken.some(([left, right]) => from < right && left < to);
    const { markers } = timeline.marks;
    const isTool = (/** @type {import("./run_timeline.js").Marker} */ one) => one.kind === "tool";
    // Tool calls have bars above: the others come first.
    for (const { kind, name, seq } of [...markers.filter((m) => !isTool(m)), ...markers.filter(isTool)]) {
      const shape = /** @type {Record<string, string>} */ (SHAPES)[kind];
      const at = x(seq);
      if (!shape || at < -4 || at > width + 4) continue;
      const left = Math.min(Math.max(at - 5, 0), width - 12);
      if (!isFree(left, left + 12)) continue;
      context.fillStyle = this.colours[COLOURS[kind]];
      context.fillText(shape, left, FLAG_TOP + 8);
      taken.push([left, left + 12]);
      const label = kind === "tool" ? "" : visible(name).slice(0, 40);
      const room = context.measureText(label).width;
      const start = left + 15 + room <= width ? left + 15 : left - 4 - room;
      if (!label || !isFree(start, start + room)) continue;
      context.fillText(label, start, FLAG_TOP + 8);
      taken.push([start - 2, start + room + 6]);
    }
  }
}

/**
 * The lane of each call, from 0, and the row of the next call in it. Calls at the same time are in
 * different lanes.
 * @param {import("./run_timeline.js").CallBar[]} calls in order
 */
export function lanesOf(calls) {
  /** @type {number[]} the row in which each lane is free again */
  const free = [];
  const lanes = calls.map((call) => {
    const found = free.findIndex((seq) => seq <= call.seq);
    const lane = found < 0 ? Math.min(free.length, MOST_LANES - 1) : found;
    free[lane] = call.result_seq ?? call.seq;
    return lane;
  });
  /** @type {(number | undefined)[]} */
  const later = [];
  /** @type {(number | undefined)[]} */
  const next = [];
  for (let n = calls.length - 1; n >= 0; n--) {
    next[n] = later[lanes[n]];
    later[lanes[n]] = calls[n].seq;
  }
  return { lanes, next, count: Math.max(free.length, 1) };
}
