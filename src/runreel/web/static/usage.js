// Charts of usage over time, beside the tables that have the same numbers.

import { make } from "./dom.js";

/**
 * @typedef {{name: string, values: (number | null)[]}} Series
 * @typedef {{by: string, times: number[], names: string[], series: Series[], runs: Series[]}} Chart
 */

const HEIGHT = 220;
/** Names of colours of the page, for the series from the lowest on. */
const COLOURS = ["request", "stream", "first_text", "tool", "idle", "link", "faint"];
/** Of runs whose usage is known, and of the others: what is not known stands back. */
const KNOWN = ["request", "line"];
/** Distances of marks: there are no half runs and tokens. */
const WHOLE = Array.from({ length: 15 }, (_, n) => [1, 2, 5].map((one) => one * 10 ** n)).flat();
const DAY = 86_400;
const SECONDS = { hour: 3_600, day: DAY, week: 7 * DAY, month: 30 * DAY, quarter: 91 * DAY, year: 365 * DAY };
const count = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact" });

/**
 * The sums of the series up to each: the highest is drawn first, and the others cover it.
 * @param {Series[]} series
 * @returns {(number | null)[][]}
 */
export function stacked(series) {
  const sums = series.length ? series[0].values.map(() => 0) : [];
  return series.map(({ values }) =>
    values.map((value, n) => {
      if (value === null) return null;
      sums[n] += value;
      return sums[n];
    }),
  );
}

/** @param {string} name */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/**
 * What the legend says of the period that is pointed at.
 * @param {(at: number) => string} text
 */
function pointed(text) {
  return (/** @type {unknown[]} */ ...given) => {
    const at = given[3];
    return typeof at === "number" ? text(at) : "";
  };
}

/** @param {unknown} _ @param {number} __ @param {number} most */
function upTo(_, __, most) {
  return [0, Math.max(most, 1) * 1.05];
}

/** @param {unknown} _ @param {number[]} marks */
function shortened(_, marks) {
  return marks.map((mark) => short.format(mark));
}

/**
 * @param {HTMLElement} host
 * @param {string} title
 * @param {Chart} chart
 * @param {Series[]} series
 * @param {string[]} colours
 */
function draw(host, title, chart, series, colours) {
  const step = SECONDS[/** @type {keyof typeof SECONDS} */ (chart.by)];
  const text = colour("faint");
  const axis = {
    stroke: text,
    grid: { stroke: colour("line"), width: 0.5 },
    ticks: { stroke: colour("line"), width: 0.5 },
  };
  const bars = uPlot.paths.bars({ size: [0.8, 60], align: chart.times.length > 1 ? 1 : 0 });
  const shown = stacked(series)
    .map((values, n) => ({
      values,
      options: {
        label: series[n].name,
        fill: colour(colours[n % colours.length]),
        width: 0,
        paths: bars,
        points: { show: false },
        value: pointed((at) => {
          const value = series[n].values[at];
          return value === null ? "unknown" : count.format(value);
        }),
      },
    }))
    .reverse();
  const last = chart.times[chart.times.length - 1];
  const options = {
    width: host.clientWidth,
    height: HEIGHT,
    title,
    // The times are those that a clock of the zone shows.
    /** @param {number} seconds */
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    scales: {
      x: { range: () => [chart.times[0] - step / 2, last + step * 1.5] },
      y: { range: upTo },
    },
    axes: [
      { ...axis, space: 100, values: step < DAY ? "{MM}-{DD} {HH}:{mm}" : "{YYYY}-{MM}-{DD}" },
      { ...axis, size: 60, values: shortened, incrs: WHOLE },
    ],
    series: [
      { label: chart.by, value: pointed((at) => chart.names[at]) },
      ...shown.map(({ options: one }) => one),
    ],
    cursor: { y: false, drag: { x: false, y: false } },
    legend: { live: true },
  };
  return new uPlot(options, [chart.times, ...shown.map(({ values }) => values)], host);
}

/** @param {HTMLScriptElement} element */
function show(element) {
  const host = document.getElementById(element.getAttribute("data-chart") ?? "");
  if (host === null) return;
  const chart = /** @type {Chart} */ (JSON.parse(element.textContent ?? ""));
  /** @type {[string, Series[], string[]][]} */
  const parts = [
    ["Tokens", chart.series, COLOURS],
    ["Runs", chart.runs, KNOWN],
  ];
  const places = parts.map(([title]) => {
    const label = `${title} by ${chart.by}; the table below has the numbers`;
    return make("div", { class: "chart", role: "img", "aria-label": label });
  });
  host.append(...places);
  /** @type {uPlot[]} */
  let drawn = [];
  const redraw = () => {
    for (const one of drawn) one.destroy();
    drawn = parts.map(([title, series, colours], n) => draw(places[n], title, chart, series, colours));
  };
  redraw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new ResizeObserver(() => {
    for (const [n, one] of drawn.entries()) {
      const width = places[n].clientWidth;
      if (width && width !== one.width) one.setSize({ width, height: HEIGHT });
    }
  }).observe(host);
}

for (const element of document.querySelectorAll("script[data-chart]")) {
  show(/** @type {HTMLScriptElement} */ (element));
}
