// The markers and calls of rows that were recorded while their page is open.

/**
 * @typedef {import("./run_rows.js").RunRows} RunRows
 * @typedef {import("./run_timeline.js").Marks} Marks
 */

/**
 * Add the marks of new rows to those that the server found in the rows before.
 * @param {Marks} marks
 * @param {RunRows} rows
 * @param {number} from the first new row
 */
export function growMarks(marks, rows, from) {
  const { markers, calls } = marks;
  const end = markers.find((marker) => marker.kind === "end");
  const has = (/** @type {string} */ kind) => markers.some((marker) => marker.kind === kind);
  for (let seq = from; seq < rows.count; seq++) {
    if (rows.added[seq] && !has("first_text")) {
      markers.push({ kind: "first_text", name: "first text", seq });
    }
    if (rows.types[seq] === "TOOL_CALLS") {
      const name = (rows.texts[seq] ?? "?").split("(", 1)[0];
      calls.push({ name, seq, result_seq: null });
      markers.push({ kind: "tool", name: `tool ${name}`, seq });
    } else if (rows.kinds[seq] === "tool_results") {
      for (const call of calls) call.result_seq ??= seq;
    }
  }
  const failed = rows.states.find((state) => state.error !== null);
  if (failed && !has("error")) markers.push({ kind: "error", name: "error", seq: failed.seq });
  if (end) end.seq = rows.count - 1;
  markers.sort((one, other) => one.seq - other.seq);
}
