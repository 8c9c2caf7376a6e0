// The three charts. uPlot draws on canvas, so colours come from the style sheet and are read again when the scheme changes.

import * as format from "./format.js";

const { uPlot } = window;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const utc = (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC");
const times = [
  [86_400, "{D} {MMM}", null, null, null, null, null, null, 1],
  [3_600, "{HH}:{mm}", "\n{D} {MMM}", null, null, null, null, null, 1],
  [60, "{HH}:{mm}", null, null, null, null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1],
];

// One chart in an element. `paint` is "line" or "bars"; `name` the style variables' stem; `value` turns a number into text.
export function chart(element, { paint, name, value, short }) {
  let plot = null;
  let data = [[], [], []];
  let range = null;

  // Bars of windows that are not complete yet are a series of their own, drawn pale.
  function series(ink) {
    const wash = colour(`--${name}-wash`);
    if (paint === "line") return [{ stroke: ink, width: 2, fill: wash, points: { show: false }, paths: uPlot.paths.linear() }];
    const bars = { stroke: ink, points: { show: false }, paths: uPlot.paths.bars({ size: [0.72, 28, 1], align: 1, radius: 0.12 }) };
    return [{ ...bars, fill: ink, width: 0 }, { ...bars, fill: wash, width: 1 }];
  }

  function options() {
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const ink = colour(`--${name}`);
    const axis = { stroke: colour("--soft"), font, ticks: { show: false } };
    return {
      width: element.clientWidth,
      height: element.clientHeight,
      tzDate: utc,
      padding: [8, 26, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
      scales: {
        x: { range: (_, low, high) => range ?? [low, high] },
        y: { range: (_, low, high) => [0, high > 0 ? high * 1.12 : 1] },
      },
      axes: [
        { ...axis, grid: { show: false }, space: 64, values: times, size: 28 },
        { ...axis, grid: { stroke: colour("--line"), width: 1 }, space: 34, size: 58, values: (_, ticks) => ticks.map(short) },
      ],
      series: [{}, ...series(ink)],
      hooks: { setCursor: [point] },
    };
  }

  const tip = document.createElement("p");
  tip.className = "tip";
  tip.hidden = true;

  function point(self) {
    const { idx } = self.cursor;
    const number = idx === null || idx === undefined ? null : (self.data[1][idx] ?? self.data[2]?.[idx] ?? null);
    tip.hidden = number === null;
    if (number === null) return;
    const at = self.data[0][idx] * 1000;
    tip.textContent = `${format.moment(at, at)}  ${value(number)}`;
  }

  function build() {
    plot?.destroy();
    plot = new uPlot(options(), data, element);
    plot.over.append(tip);
  }

  new ResizeObserver(() => {
    if (element.clientWidth > 0) plot?.setSize({ width: element.clientWidth, height: element.clientHeight });
  }).observe(element);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot && build());

  return {
    // `points` are [seconds, number]; those at or after `open` (seconds) are not complete. `between` are the ends of the x axis
    // in seconds, `summary` is the chart in words.
    draw(points, between, summary, open = Infinity) {
      data = [points.map(([at]) => at), points.map(([at, number]) => (at < open ? number : null))];
      if (paint === "bars") data.push(points.map(([at, number]) => (at < open ? null : number)));
      range = between;
      element.setAttribute("aria-label", summary);
      if (plot === null) build();
      else plot.setData(data);
    },
    // An other unit: the texts of axis and tip.
    label(texts) {
      ({ value, short } = texts);
    },
  };
}
