// Charts over time. uPlot draws on canvas, so colours come from the style sheet and are read again when the theme changes.

import * as format from "./format.js";

const { uPlot } = window;
const utc = (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC");
const times = [
  [86_400, "{D} {MMM}", null, null, null, null, null, null, 1],
  [3_600, "{HH}:{mm}", "\n{D} {MMM}", null, null, null, null, null, 1],
  [60, "{HH}:{mm}", null, null, null, null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1],
];

// A variable of the style sheet as the browser resolves it: a canvas knows no light-dark().
function colour(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}

// As wide as the widest of an axis' labels: a language writes 150k, another 150.000 €.
function room(plot, labels, axis, cycle) {
  if (cycle > 1) return plot.axes[axis]._size; // widened once: the ticks must come to rest
  [plot.ctx.font] = plot.axes[axis].font;
  return 16 + Math.ceil(Math.max(24, ...(labels ?? []).map((label) => plot.ctx.measureText(label).width / devicePixelRatio)));
}

// One chart in an element. Every one of `series` is {paint: "line" or "bars", ink: the style variables' stem, pale: bool}; bars
// drawn later stand in front. `value` turns the numbers at one moment into words, `short` one into a tick's text.
// `most` is the least height of the y axis' end.
export function chart(element, { series, value, short, most = 0 }) {
  let plot = null;
  let data = [[], ...series.map(() => [])];
  let range = null;

  function options() {
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: colour("--soft"), font, ticks: { show: false } };
    const drawn = series.map(({ paint, ink, pale, filled = true }) => {
      const [stroke, wash] = [colour(`--${ink}`), colour(`--${ink}-wash`)];
      if (paint === "line") return { stroke, width: 2, fill: filled ? wash : undefined, points: { show: false }, paths: uPlot.paths.linear(), spanGaps: false };
      return { stroke, fill: pale ? wash : stroke, width: pale ? 1 : 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.72, 28, 1], align: 1, radius: 0.12 }) };
    });
    return {
      width: element.clientWidth,
      height: element.clientHeight,
      tzDate: utc,
      padding: [8, 26, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
      scales: {
        x: { range: (_, low, high) => range ?? [low, high] },
        y: { range: (_, low, high) => [0, Math.max(most, high > 0 ? high * 1.12 : 1)] },
      },
      axes: [
        { ...axis, grid: { show: false }, space: 64, values: times, size: 28 },
        { ...axis, grid: { stroke: colour("--line"), width: 1 }, space: 34, size: room, values: (_, ticks) => ticks.map(short) },
      ],
      series: [{}, ...drawn],
      hooks: { setCursor: [point] },
    };
  }

  const tip = document.createElement("p");
  tip.className = "tip";
  tip.hidden = true;

  function point(self) {
    const { idx } = self.cursor;
    const numbers = idx === null || idx === undefined ? [] : self.data.slice(1).map((column) => column[idx] ?? null);
    tip.hidden = numbers.every((number) => number === null);
    if (tip.hidden) return;
    const at = self.data[0][idx] * 1000;
    tip.textContent = `${format.moment(at, at)}  ${value(...numbers)}`;
  }

  function build() {
    plot?.destroy();
    plot = new uPlot(options(), data, element);
    plot.over.append(tip);
  }

  const again = () => plot && build();
  new ResizeObserver(() => {
    if (element.clientWidth > 0) plot?.setSize({ width: element.clientWidth, height: element.clientHeight });
  }).observe(element);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  addEventListener("themechange", again);

  return {
    // `columns`: the times in seconds, then one list of numbers (or null) per series. `between` are the ends of the x axis in
    // seconds, `summary` is the chart in words.
    draw(columns, between, summary) {
      data = columns;
      range = between;
      if (element.getAttribute("aria-label") !== summary) element.setAttribute("aria-label", summary);
      if (plot === null) build();
      else plot.setData(data);
    },
    // An other unit: the texts of axis and tip.
    label(texts) {
      ({ value, short } = texts);
    },
  };
}

// Bars by [start in ms, number], those of windows that are not complete (from `open` on, ms) as a second, pale series.
export const split = (points, open) => [
  points.map(([at]) => at / 1000),
  points.map(([at, number]) => (at < open ? number : null)),
  points.map(([at, number]) => (at < open ? null : number)),
];
