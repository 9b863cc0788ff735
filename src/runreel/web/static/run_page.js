// The page of a run: reads what the page holds, and starts its player.

import { RunRows } from "./run_rows.js";

/** @typedef {import("./run_rows.js").Columns} Columns */

/** Shows a run at any of its rows. */
export class Player {
  /** @param {{columns: Columns}} data */
  constructor(data) {
    this.rows = new RunRows(data.columns);
  }

  /**
   * Show rows that were recorded since; as `/api/run/ID/rows?after=SEQ` has them.
   * @param {Columns} columns
   */
  appendRows(columns) {
    this.rows.append(columns);
  }
}

const element = document.getElementById("run-data");
/** The player of the page; null if the run could not be read. */
export const player = element ? new Player(JSON.parse(element.textContent ?? "")) : null;
