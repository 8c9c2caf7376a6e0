// The line of events per second, on two pages.

import { chart } from "./charts.js";
import { $, fill } from "./dom.js";
import * as format from "./format.js";

const SPAN_S = 300;

export function throughput() {
  const line = chart($("chart-rate"), { series: [{ paint: "line", ink: "accent" }], value: (value) => `${format.rate(value)} events/s`, short: format.tick });
  return (rate) => {
    fill("chart-rate", rate.length ? "" : "The line begins with the first two commits of the analytics worker.");
    if (!rate.length) return;
    const values = rate.map(([, value]) => value);
    const end = rate.at(-1)[0] / 1000;
    const words = `Events per second over five minutes: ${format.rate(values.at(-1))} now, ${format.rate(Math.max(...values))} at most.`;
    line.draw([rate.map(([at]) => at / 1000), values], [end - SPAN_S, end], words);
  };
}
