// What the columns of pixels of a timeline have in them.

/** @typedef {import("./run_rows.js").RunRows} RunRows */

/** Counts rows by columns of pixels: each is drawn once, however many rows are in it. */
export class Pixels {
  constructor() {
    /** Characters that were added. */
    this.sums = new Float64Array(0);
    /** Whether a row is without text. */
    this.others = new Uint8Array(0);
  }

  /**
   * Count the characters, and the rows without any, in each column of pixels.
   * @param {RunRows} rows @param {(seq: number) => number} x
   *   the column of a row
   * @param {number} first @param {number} last @param {number} width
   * @returns {number} the most characters of one column
   */
  count(rows, x, first, last, width) {
    const size = Math.ceil(width) + 1;
    if (this.sums.length !== size) {
      this.sums = new Float64Array(size);
      this.others = new Uint8Array(size);
    }
    this.sums.fill(0);
    this.others.fill(0);
    let most = 0;
    const { added } = rows;
    for (let seq = first; seq <= last; seq++) {
      const at = Math.round(x(seq));
      if (at < 0 || at >= size) continue;
      if (added[seq]) most = Math.max((this.sums[at] += added[seq]), most);
      else this.others[at] = 1;
    }
    return most;
  }
}

/**
 * Fit the pixels of a canvas to its size on the page.
 * @param {HTMLCanvasElement} canvas
 */
export function prepared(canvas) {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height, ratio };
}
