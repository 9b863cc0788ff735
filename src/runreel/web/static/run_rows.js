// The rows of a run in columns, as the server sends them, and what they say at any row.

/**
 * Rows after row `after`; see RunColumns in run_columns.py.
 * @typedef {{run_id: string, after: number, clock: "recorded" | "source" | "even",
 *   names: string[], wait_us: number[], kind: number[], type: number[],
 *   keep: (number | null)[], added: (string | null)[], texts: Record<string, string>,
 *   states: RunState[]}} Columns
 * @typedef {{seq: number, state: string, recording: string, model: string | null,
 *   error: string | null, tokens: [number, number, number] | null}} RunState
 */

/** All rows so far; rows are only added. */
export class RunRows {
  /** @param {Columns} columns of the rows from the first */
  constructor(columns) {
    this.runId = columns.run_id;
    this.clock = columns.clock;
    /** @type {number[]} µs since the run was asked, by row */
    this.times = [];
    /** @type {string[]} the kind of each row */
    this.kinds = [];
    /** @type {string[]} the type of each row, else its kind */
    this.types = [];
    /** @type {Record<string, string>} what rows without text hold */
    this.texts = {};
    /** @type {RunState[]} */
    this.states = [];
    /** @type {number[]} characters that a row adds */
    this.added = [];
    /** @type {number[]} characters of the text after a row */
    this.lengths = [];
    /** @type {number[]} the first row of each text that does not only grow */
    this.starts = [];
    /** @type {string[]} those texts, whole */
    this.wholes = [];
    this.append(columns);
  }

  /** The number of rows. */
  get count() {
    return this.times.length;
  }

  /**
   * Add rows that follow these; those that are known are left out.
   * @param {Columns} columns
   * @returns {number} how many were added
   */
  append(columns) {
    const skip = this.count - 1 - columns.after;
    if (skip < 0) throw new RangeError(`rows before row ${columns.after + 1} are missing`);
    const before = this.count;
    for (let n = skip; n < columns.kind.length; n++) this.#add(columns, n);
    Object.assign(this.texts, columns.texts);
    for (const state of columns.states) if (state.seq >= before) this.states.push(state);
    return this.count - before;
  }

  /** @param {Columns} columns @param {number} n */
  #add(columns, n) {
    const last = this.count - 1;
    const kind = columns.names[columns.kind[n]];
    this.times.push((last < 0 ? 0 : this.times[last]) + columns.wait_us[n]);
    this.kinds.push(kind);
    this.types.push(columns.type[n] < 0 ? kind : columns.names[columns.type[n]]);
    const length = last < 0 ? 0 : this.lengths[last];
    const keep = columns.keep[n] ?? length;
    const added = columns.added[n] ?? "";
    const at = this.wholes.length - 1;
    if (at < 0 || keep < length) {
      this.starts.push(last + 1);
      this.wholes.push((at < 0 ? "" : this.wholes[at].slice(0, keep)) + added);
    } else {
      this.wholes[at] += added;
    }
    this.added.push(added.length);
    this.lengths.push(keep + added.length);
  }

  /**
   * The text of the run after a row.
   * @param {number} seq
   * @param {number} [most] only so many characters of its end
   * @returns {string}
   */
  textAt(seq, most = Infinity) {
    const end = this.lengths[seq];
    return this.wholes[lastUpTo(this.starts, seq)].slice(Math.max(0, end - most), end);
  }

  /**
   * What the run shows after a row.
   * @param {number} seq
   * @returns {RunState}
   */
  stateAt(seq) {
    let [low, high] = [0, this.states.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.states[middle].seq <= seq) low = middle;
      else high = middle - 1;
    }
    return this.states[low];
  }
}

/**
 * The index of the last of some rising numbers that is up to a limit; -1 if none is.
 * @param {ArrayLike<number>} rising
 * @param {number} limit
 * @returns {number}
 */
export function lastUpTo(rising, limit) {
  let [low, high] = [-1, rising.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (rising[middle] <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}
