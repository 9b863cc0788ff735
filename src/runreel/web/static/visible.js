// Text of models and callers as people may safely see it. Pages only ever set it as text.

/** Controls, format characters (bidi, zero width), surrogates, private and unassigned ones. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
/** Joiners where they have a meaning: in emoji, and between letters. */
const JOINER = new RegExp(
  "(?<=\\p{ExtPict}[\\ufe0f\\u{1f3fb}-\\u{1f3ff}]*)\\u200d(?=\\p{ExtPict})" +
    "|(?<=[\\p{Lo}\\p{M}])[\\u200c\\u200d](?=[\\p{Lo}\\p{M}])",
  "gu",
);

/**
 * Make each character visible that could hide or reorder others.
 * @param {string} text
 * @returns {string}
 */
export function visible(text) {
  HIDDEN.lastIndex = 0;
  if (!HIDDEN.test(text)) return text;
  const kept = new Set(Array.from(text.matchAll(JOINER), (found) => found.index));
  return text.replace(HIDDEN, (char, at) =>
    char === "\n" || char === "\t" || kept.has(at) ? char : escaped(char),
  );
}

/** @param {string} char */
function escaped(char) {
  const code = /** @type {number} */ (char.codePointAt(0));
  if (char === "\r") return "\\r";
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}

/**
 * A duration as runreel prints it: 1.234s, 2m 05s, 1h 02m 05s.
 * @param {number} us microseconds
 * @returns {string}
 */
export function duration(us) {
  const seconds = us / 1e6;
  if (Math.abs(seconds) < 60) return `${seconds.toFixed(Math.abs(seconds) < 10 ? 3 : 1)}s`;
  const whole = Math.round(seconds);
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60), whole % 60];
  return hours ? `${hours}h ${two(minutes % 60)}m ${two(rest)}s` : `${minutes}m ${two(rest)}s`;
}
