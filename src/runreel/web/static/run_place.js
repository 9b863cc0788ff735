// The place in a run, kept in the URL of its page.

import { SCALES } from "./run_scale.js";

/** @typedef {import("./run_scale.js").ScaleName} ScaleName */

const DEFAULT = "idle";
/** Browsers refuse many changes of the URL in a short time. In ms. */
const PAUSE = 250;

/** Reads and writes `seq` and `scale`: in the query of a server's page, behind # in a file. */
export class Place {
  /** @param {string} [run] the run, in a file */
  constructor(run) {
    this.run = run;
    this.due = 0;
    /** @type {number | undefined} the timer of a change that waits */
    this.waiting = undefined;
  }

  /** @returns {{seq: number | null, scale: ScaleName} | null} null if the URL names another run */
  read() {
    const found = this.#parameters(new URL(location.href));
    if (this.run !== undefined && (found.get("run") ?? this.run) !== this.run) return null;
    const seq = found.get("seq") ?? "";
    const scale = found.get("scale") ?? "";
    return {
      seq: /^\d{1,15}$/.test(seq) ? Number(seq) : null,
      scale: Object.hasOwn(SCALES, scale) ? /** @type {ScaleName} */ (scale) : DEFAULT,
    };
  }

  /**
   * Note a place; of many in a short time, the last one.
   * @param {number} seq @param {number} last the last row, which the URL does not name
   * @param {ScaleName} scale
   * @param {boolean} jumps whether going back leads to the place before
   */
  set(seq, last, scale, jumps) {
    clearTimeout(this.waiting);
    const url = this.url(seq === last ? null : seq, scale);
    if (jumps) {
      this.#change(url, true);
      return;
    }
    this.waiting = setTimeout(
      () => this.#change(url, false),
      Math.max(this.due - performance.now(), 0),
    );
  }

  /** @param {URL} url @param {boolean} adds */
  #change(url, adds) {
    this.due = performance.now() + PAUSE;
    if (url.href === location.href) return;
    try {
      if (adds) history.pushState(null, "", url.href);
      else history.replaceState(null, "", url.href);
    } catch {
      // A browser may refuse it in files: the place is only not kept.
    }
  }

  /**
   * The URL of a row.
   * @param {number | null} seq
   * @param {ScaleName} [scale]
   */
  url(seq, scale = DEFAULT) {
    const url = new URL(location.href);
    const found = this.#parameters(url);
    if (this.run !== undefined) found.set("run", this.run);
    if (seq === null) found.delete("seq");
    else found.set("seq", String(seq));
    if (scale === DEFAULT) found.delete("scale");
    else found.set("scale", scale);
    if (this.run !== undefined) url.hash = found.toString();
    else url.search = found.toString();
    return url;
  }

  /** @param {URL} url */
  #parameters(url) {
    return new URLSearchParams(this.run !== undefined ? url.hash.slice(1) : url.search);
  }
}
