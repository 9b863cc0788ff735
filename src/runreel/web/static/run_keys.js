// The keys of a player, and the dialog that lists them.

import { button, make } from "./dom.js";

/** @typedef {import("./run_player.js").Player} Player */

/** Keys, what they do, and how. @type {[string, string, string, (player: Player) => void][]} */
const KEYS = [
  [" ", "space", "play or pause", (player) => player.toggle()],
  [",", ",", "row before", (player) => player.step(-1)],
  [".", ".", "row after", (player) => player.step(1)],
  ["[", "[", "marker before: first text, tool call, gap, error", (player) => player.jump(-1)],
  ["]", "]", "marker after", (player) => player.jump(1)],
  ["-", "-", "show more around the row", (player) => player.timeline.zoom(2)],
  ["+", "+", "show less around the row", (player) => player.timeline.zoom(0.5)],
  ["j", "j", "next run", (player) => player.onRun?.(1)],
  ["k", "k", "run before", (player) => player.onRun?.(-1)],
  ["?", "?", "these keys", (player) => keysOf(player).help()],
];

/** @type {WeakMap<Player, Keys>} */
const known = new WeakMap();

/**
 * The keys of a player.
 * @param {Player} player
 */
export function keysOf(player) {
  const found = known.get(player) ?? new Keys(player);
  known.set(player, found);
  return found;
}

class Keys {
  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    /** @type {HTMLDialogElement | null} */
    this.dialog = null;
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.dialog?.open) return;
    if (this.#types(event)) return;
    const found = KEYS.find(([key]) => key === event.key || (key === "+" && event.key === "="));
    if (!found) return;
    event.preventDefault();
    found[3](this.player);
  }

  /** Show all keys. */
  help() {
    if (!this.dialog) {
      const list = make("dl");
      for (const [, shown, does] of KEYS) {
        list.append(make("dt", {}, make("kbd", {}, shown)), make("dd", {}, does));
      }
      const title = make("h2", { id: "keys-title" }, "Keys");
      const dialog = make("dialog", { class: "keys", "aria-labelledby": "keys-title" }, title, list);
      dialog.append(button("Close", "Close", () => dialog.close()));
      document.body.append(dialog);
      this.dialog = dialog;
    }
    this.dialog.showModal();
  }

  /**
   * Whether a key is for the element that has the focus.
   * @param {KeyboardEvent} event
   */
  #types({ key, target }) {
    if (!(target instanceof Element)) return false;
    const control = target.closest("input, select, textarea, [contenteditable]");
    if (control instanceof HTMLInputElement && ["range", "radio"].includes(control.type)) {
      return key === " " && control.type === "radio";
    }
    return control !== null || (key === " " && target.closest("button, summary, a") !== null);
  }
}

/**
 * Let the keyboard control a player.
 * @param {() => Player | null} current
 */
export function listen(current) {
  document.addEventListener("keydown", (event) => {
    const player = current();
    if (player) keysOf(player).press(event);
  });
}
