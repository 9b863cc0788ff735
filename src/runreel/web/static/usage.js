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
/** Months of the periods that are not equally long. */
const MONTHS = { month: 1, quarter: 3, year: 12 };
/** Hours between two labels. */
const HOURS = [1, 2, 3, 6, 12, 24, 48, 168, 336, 720];
/** Width of a label with the space beside it, and what its half needs at the end, in pixels. */
const LABEL = 100;
const END = 40;
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

/**
 * Whole periods to put labels at, from the first to the last period of a chart.
 * @param {Pick<Chart, "by" | "times">} chart
 * @param {number} most at most as many
 * @returns {number[]}
 */
export function marks({ by, times }, most) {
  const first = times[0];
  const last = times[times.length - 1];
  const step = SECONDS[/** @type {keyof typeof SECONDS} */ (by)];
  const least = Math.ceil(((last - first) / step + 1) / Math.max(most, 1));
  const every = (by === "hour" && HOURS.find((one) => one >= least)) || least;
  const months = MONTHS[/** @type {keyof typeof MONTHS} */ (by)];
  // Of hours, those that a clock shows after midnight: 06:00, 12:00.
  const round = Math.ceil(first / (every * step)) * every * step;
  const start = by === "hour" && round <= last ? round : first;
  const found = [];
  for (let n = 0, at = start; at <= last; at = months ? later(start, n * months) : start + n * step) {
    found.push(at);
    n += every;
  }
  return found;
}

/** @param {number} seconds @param {number} months */
function later(seconds, months) {
  const date = new Date(seconds * 1000);
  return date.setUTCMonth(date.getUTCMonth() + months) / 1000;
}

/**
 * The name of a period that starts then.
 * @param {string} by @param {number} seconds
 */
export function named(by, seconds) {
  const [day, time] = new Date(seconds * 1000).toISOString().split("T");
  const [year, month] = day.split("-");
  switch (by) {
    case "hour":
      return `${day.slice(5)} ${time.slice(0, 5)}`;
    case "month":
      return `${year}-${month}`;
    case "quarter":
      return `${year}-Q${Math.ceil(Number(month) / 3)}`;
    case "year":
      return year;
  }
  return day;
}

/** @param {string} name */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/**
 * What the legend says of the period that is pointed at, and of all of them.
 * @param {(at: number) => string} text @param {string} whole
 */
function pointed(text, whole) {
  return (/** @type {unknown[]} */ ...given) => {
    const at = given[3];
    return typeof at === "number" ? text(at) : whole;
  };
}

/** @param {number | null} value */
function counted(value) {
  return value === null ? "unknown" : count.format(value);
}

/** @param {(number | null)[]} values */
function sum(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((one, other) => one + other) : null;
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
  const bars = uPlot.paths.bars({ size: [0.8, 60] });
  const shown = stacked(series)
    .map((values, n) => ({
      values,
      options: {
        label: series[n].name,
        fill: colour(colours[n % colours.length]),
        width: 0,
        paths: bars,
        points: { show: false },
        value: pointed((at) => counted(series[n].values[at]), counted(sum(series[n].values))),
      },
    }))
    .reverse();
  const { by, times, names } = chart;
  const last = times.length - 1;
  const options = {
    width: host.clientWidth,
    height: HEIGHT,
    title,
    padding: [null, END, null, null],
    scales: {
      x: { time: false, range: () => [times[0] - step * 0.6, times[last] + step * 0.6] },
      y: { range: upTo },
    },
    axes: [
      {
        ...axis,
        splits: (/** @type {uPlot} */ plot) => marks(chart, Math.floor(plot.width / LABEL)),
        values: (/** @type {unknown} */ _, /** @type {number[]} */ at) => at.map((one) => named(by, one)),
      },
      { ...axis, size: 60, values: shortened, incrs: WHOLE },
    ],
    series: [
      {
        label: by.charAt(0).toUpperCase() + by.slice(1),
        value: pointed((at) => names[at], last ? `${names[0]} to ${names[last]}` : names[0]),
      },
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
