// The three scales of a timeline: where the rows of a run are on it.

import { duration } from "./visible.js";
import { lastUpTo } from "./run_rows.js";

/** @typedef {import("./run_rows.js").RunRows} RunRows */
/** @typedef {"real" | "idle" | "event"} ScaleName */

/** @type {Record<ScaleName, string>} */
export const SCALES = { idle: "Idle collapsed", real: "Real time", event: "By event" };
/** Longer pauses are collapsed, in µs. */
const IDLE = 1e6;
/** Collapsed pauses are together up to this share of the time without pauses, each to SHARE. */
const SHARES = 0.5;
const SHARE = 0.1;

/** Where rows are on one scale. */
export class Scale {
  /** @param {RunRows} rows @param {ScaleName} name */
  constructor(rows, name) {
    this.name = name;
    this.rows = rows;
    /** The pause that longer ones are collapsed to; 0 if none are. */
    this.pause = 0;
    this.positions = new Float64Array(rows.count);
    if (name === "event") this.positions.forEach((_, seq) => (this.positions[seq] = seq));
    else if (name === "real") this.positions.set(rows.times);
    else this.#collapse();
  }

  /** The length of the scale, above 0. */
  get length() {
    return Math.max(this.positions[this.rows.count - 1] - this.positions[0], 1);
  }

  /** The position of the first row. */
  get start() {
    return this.positions[0];
  }

  /**
   * The pause before a row, in µs, if the scale collapses it; else 0.
   * @param {number} seq
   */
  collapsed(seq) {
    if (!this.pause || seq === 0) return 0;
    const pause = this.rows.times[seq] - this.rows.times[seq - 1];
    return pause > Math.max(IDLE, this.pause) ? pause : 0;
  }

  /**
   * The last row up to a position.
   * @param {number} position
   */
  rowAt(position) {
    return Math.max(lastUpTo(this.positions, position), 0);
  }

  /**
   * The row that is nearest to a position.
   * @param {number} position
   */
  nearest(position) {
    const before = this.rowAt(position);
    const after = Math.min(before + 1, this.rows.count - 1);
    const { positions } = this;
    return position - positions[before] <= positions[after] - position ? before : after;
  }

  /**
   * What an axis says at a position.
   * @param {number} position
   */
  label(position) {
    if (this.name === "event") return `row ${Math.round(position).toLocaleString("en")}`;
    if (this.name === "real") return short(position);
    const seq = this.rowAt(position);
    const since = this.collapsed(seq + 1) ? 0 : position - this.positions[seq];
    return short(this.rows.times[seq] + since);
  }

  #collapse() {
    const { times } = this.rows;
    let [busy, pauses] = [0, 0];
    for (let seq = 1; seq < times.length; seq++) {
      const pause = times[seq] - times[seq - 1];
      if (pause <= IDLE) busy += pause;
      else pauses += 1;
    }
    this.pause = Math.max(busy * Math.min(SHARE, SHARES / Math.max(pauses, 1)), 2e5);
    this.positions[0] = times[0];
    for (let seq = 1; seq < times.length; seq++) {
      const pause = this.collapsed(seq) ? this.pause : times[seq] - times[seq - 1];
      this.positions[seq] = this.positions[seq - 1] + pause;
    }
  }
}

/**
 * A duration in few characters: 20ms, 1.5s, 2h 03m.
 * @param {number} us
 */
export function brief(us) {
  return us < 36e8 ? short(us) : duration(us).replace(/ \d\ds$/, "");
}

/** @param {number} us */
export function short(us) {
  const seconds = us / 1e6;
  if (Math.abs(seconds) < 0.01) return us ? `${(us / 1e3).toFixed(1)}ms` : "0s";
  if (Math.abs(seconds) < 1) return `${Math.round(us / 1e3)}ms`;
  if (Math.abs(seconds) < 60) return `${Number(seconds.toFixed(1))}s`;
  return duration(us);
}
